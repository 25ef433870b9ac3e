"""The entities of one document, one for each span.

Every way of detecting puts its entities here, so a span is detected once. If two ways find the same
span, the order in which they come decides (`additions`).
"""

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from medcat.tokenizing.tokenizers import BaseTokenizer
from medcat.tokenizing.tokens import MutableDocument, MutableEntity, MutableToken

from embedlink.types import Span


class EntityTable:
    """Entities by their span, beginning with those that were detected already.

    Entities consist of whole tokens of the document.
    """

    def __init__(
        self, doc: MutableDocument, tokenizer: BaseTokenizer, detected: Iterable[MutableEntity]
    ) -> None:
        self.doc, self.tokenizer = doc, tokenizer
        self.tokens: Sequence[MutableToken] = list(doc)
        self.found = {span_of(entity): entity for entity in detected}
        self._starts = [token.base.char_index for token in self.tokens]

    @property
    def text(self) -> str:
        """The document's text."""
        return self.doc.base.text

    def tokens_of(self, span: Span) -> Sequence[MutableToken]:
        """The tokens that make up exactly this span. Empty if a token crosses its edge."""
        first = bisect_right(self._starts, span.start) - 1  # It holds the first character,
        last = bisect_right(self._starts, span.end - 1)  # and the one before this the last.
        part = self.tokens[max(first, 0) : last]
        return part if part and characters(part) == span else []

    def put(self, tokens: Sequence[MutableToken], name: str, candidates: Sequence[str]) -> None:
        """Detect these tokens with a name and its candidates. Replaces what was detected there."""
        first, last = tokens[0].base.index, tokens[-1].base.index
        entity = self.tokenizer.create_entity(self.doc, first, last + 1, label="concept")
        entity.detected_name, entity.link_candidates = name, list(candidates)
        entity.confidence = -1  # MedCAT's own detection says -1 for "none".
        self.found[characters(tokens)] = entity

    def in_order(self) -> list[MutableEntity]:
        """The entities by start, the shorter first, numbered in this order."""
        entities = [self.found[span] for span in sorted(self.found)]
        # MedCAT's output has ids as keys, and its own detection numbered only its own entities.
        for number, entity in enumerate(entities):
            entity.id = number
        return entities


def characters(tokens: Sequence[MutableToken]) -> Span:
    """From the first character of these tokens to their last."""
    return Span(tokens[0].base.char_index, tokens[-1].base.char_index + len(tokens[-1].base.text))


def span_of(entity: MutableEntity) -> Span:
    """The characters of an entity."""
    return Span(entity.base.start_char_index, entity.base.end_char_index)
