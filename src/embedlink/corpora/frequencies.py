"""Counts the concepts and the surfaces of training mentions."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from embedlink.text.words import normal_form
from embedlink.types import Document


@dataclass(frozen=True)
class TrainingMentions:
    """How often training mentions had each concept and each surface.

    Only mentions of exactly one known concept count. Which of its concepts the surface of a
    composite stands for is not known. `concepts` counts CUIs. `surfaces` counts the CUIs of each
    `normal_form`.
    """

    concepts: Mapping[str, int]
    surfaces: Mapping[str, Mapping[str, int]]

    @classmethod
    def of(cls, documents: Iterable[Document]) -> "TrainingMentions":
        """Count the mentions of training documents, also of concepts that the database lacks."""
        concepts: Counter[str] = Counter()
        surfaces: dict[str, Counter[str]] = {}
        for document in documents:
            for mention in document.mentions:
                if mention.cui is not None:
                    form = normal_form(document.text[mention.start : mention.end])
                    concepts[mention.cui] += 1
                    surfaces.setdefault(form, Counter())[mention.cui] += 1
        return cls(concepts, surfaces)
