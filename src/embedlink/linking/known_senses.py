"""The senses of short forms with their concepts, and which of them a text names in full."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from embedlink.senses.table import Sense
from embedlink.text.words import normal_form
from embedlink.types import Detection

LONGEST = 12
"""Characters of a short form. What is longer is a full name."""


@dataclass(frozen=True)
class KnownSense:
    """A sense, with its concepts in the database. It has none if it is outside the database."""

    sense: Sense
    cuis: tuple[str, ...]

    def among(self, candidates: Sequence[str]) -> tuple[str, ...]:
        """The concepts of the sense. If some of them are candidates, these alone."""
        return tuple(cui for cui in self.cuis if cui in candidates) or self.cuis


class NamedInFull:
    """What a text names in full: by a wording of the long form, or by a name of its concept."""

    def __init__(self, text: str, detections: Sequence[Detection]) -> None:
        self._text, self._detections = text, detections

    @cached_property
    def _words(self) -> str:
        return f" {normal_form(self._text)} "

    @cached_property
    def _concepts(self) -> set[str]:
        """The concepts of long names that have no other meaning."""
        return {
            detection.candidates[0]
            for detection in self._detections
            if len(detection.candidates) == 1 and detection.end - detection.start > LONGEST
        }

    def holds(self, known: KnownSense) -> bool:
        """Whether the text names this sense in full."""
        if any(cui in self._concepts for cui in known.cuis):
            return True
        return any(f" {normal_form(wording)} " in self._words for wording in known.sense.wordings)
