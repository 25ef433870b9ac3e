"""What flows through EmbedLink: documents, their mentions, detections and predictions.

Offsets count characters everywhere. The start is inclusive and the end exclusive.

Readers make documents. Detection finds spans in their text. A linker turns detections into
predictions. Metrics compare predictions with mentions. All of these are frozen, so that they can be
shared.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from embedlink.identifiers import concepts_of

CodeRule = Literal["first", "any", "skip"]
"""How a composite code is evaluated: by its first concept, by any of them, or not at all."""
Pooling = Literal["mention", "window"]
"""Which tokens are averaged: the mention's (mention attention) or those of the whole window.

`encoder.context` averages them. MedCAT's component and the exports know both by name.
"""
Towers = Literal["one", "two"]
"""Notes are read with the weights that encode names, or with their own top layers."""
Reads = Literal["window", "note"]
"""A mention's context is a window of its own, or a long piece of the note that mentions share."""
Representative = Literal["preferred", "longest"]
"""Which name of a concept stands for it: the preferred one, or the longest."""


class Span(NamedTuple):
    """A half-open range of characters in one document.

    It is a tuple. So spans sort by start, then by end, and equal a plain pair of the same numbers.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """A span and the code that an annotator gave it, as published (`A`, `A|B`, `NOMAP`).

    Nothing is checked here. Readers make sure that the span lies in its text
    (`corpora.spans.read_mentions`).
    """

    start: int
    end: int
    code: str

    @property
    def cuis(self) -> tuple[str, ...]:
        """The concepts that the code names: none, one, or the several of a composite code.

        They come in the order of the code, so the `first` of a composite is the first that it
        names. A word for "no concept" is not one of them (`identifiers.says_no_concept`).
        """
        return concepts_of(self.code)

    @property
    def cui(self) -> str | None:
        """The gold concept if exactly one is known, which is what training needs, else None."""
        return self.cuis[0] if len(self.cuis) == 1 else None


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its gold mentions.

    `corpus` is the name under which its metrics are reported. `split` is the official split of the
    corpus that the document is in (`train`, `validation`, `test`), or "" if there is none.
    `rejected` are mentions that annotators looked at and ruled out: explicit negatives. An id is
    unique among the documents of one reader. Two corpora may share an id.
    """

    id: str
    text: str
    mentions: tuple[Mention, ...] = ()
    corpus: str = ""
    split: str = ""
    rejected: tuple[Mention, ...] = ()


@dataclass(frozen=True, slots=True)
class Detection:
    """A span that MedCAT's detection proposes, with the concepts that its name may stand for.

    `name` is the key in the concept database that matched, or "" if no name did. `candidates` are
    CUIs in the order of the database. `tagged` is the probability that an annotator marks this
    span, as the tagger sees it. It is None without a tagger. `outside` is the probability that the
    span is a short form which here means something outside the database (`linking.senses`).
    """

    start: int
    end: int
    name: str
    candidates: tuple[str, ...]
    tagged: float | None = None
    outside: float = 0.0


@dataclass(frozen=True, slots=True)
class Prediction:
    """A linked span: its concept, the similarity in [-1, 1] and the link probability in [0, 1]."""

    start: int
    end: int
    cui: str
    similarity: float
    probability: float = 1.0
