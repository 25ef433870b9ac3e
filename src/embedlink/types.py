"""What flows through EmbedLink: documents, their mentions, detections and predictions.

Offsets count characters, start inclusive and end exclusive, everywhere.

Readers make documents, detection makes detections of their text, a linker makes predictions of
detections, and metrics compare these with mentions. All are frozen, so that they can be shared.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

from embedlink.identifiers import concepts_of

CodeRule = Literal["first", "any", "skip"]
"""How a composite code is evaluated: its first concept, any of its concepts, or not at all."""
Pooling = Literal["mention", "window"]
"""Which tokens are averaged: the mention's (mention attention) or all of the window's."""
Towers = Literal["one", "two"]
"""Whether notes are read by the weights that encode names, or by top layers of their own."""
Representative = Literal["preferred", "longest"]
"""Which name of a concept stands for it: the preferred one, or the longest."""


class Span(NamedTuple):
    """A half-open range of characters in one document.

    Being a tuple it sorts by start, then by end, and equals a plain pair of the same numbers.
    """

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Mention:
    """A span and the code that an annotator gave it, as published (`A`, `A|B`, `NOMAP`).

    Nothing is checked here: that the span lies in its text is for readers to see to
    (`corpora.spans.read_mentions`).
    """

    start: int
    end: int
    code: str

    @property
    def cuis(self) -> tuple[str, ...]:
        """The concepts that the code names: none, one, or the several of a composite.

        They come in the code's order, which is what the `first` of a composite means. A word for
        "no concept" is none of them (`identifiers.says_no_concept`).
        """
        return concepts_of(self.code)

    @property
    def cui(self) -> str | None:
        """The gold concept where exactly one is known (what training needs), else None."""
        return self.cuis[0] if len(self.cuis) == 1 else None


@dataclass(frozen=True, slots=True)
class Document:
    """A text with its gold mentions.

    `corpus` is the name under which its metrics are reported; `split` is the official split
    that the corpus publishes it in (`train`, `validation`, `test`), or "" where there is none.
    `rejected` are mentions that annotators looked at and ruled out: explicit negatives. Ids are
    unique within what one reader gives, not across corpora.
    """

    id: str
    text: str
    mentions: tuple[Mention, ...] = ()
    corpus: str = ""
    split: str = ""
    rejected: tuple[Mention, ...] = ()


@dataclass(frozen=True, slots=True)
class Detection:
    """A span that MedCAT's detection proposes, with the concepts its name may stand for.

    `name` is the key in the concept database that matched (or "" where no name did);
    `candidates` are CUIs in the database's order; `tagged` is how probable the tagger finds it
    that an annotator marks this span, None without a tagger; `outside` is how probable it is that
    a short form means something outside the database here (`linking.senses`).
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
