"""Annotations without their text that were made on another version of a note.

The SNOMED CT benchmark has a few notes with offsets that count `<br>` as a line break, or a line
break as `<br>`. The annotations carry no text to compare with. But annotators mark whole words. In
a note with right offsets nearly all spans start and end at the edge of a word. In a shifted note
hardly more do so than by chance. This tells which version the offsets belong to.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from embedlink.corpora.versions import Version, likely_versions
from embedlink.types import Span

SOUND = 0.8
"""If at least this share of spans lies at word boundaries, the offsets of a note are right."""
_EVIDENCE = 3  # fewer spans say nothing about a note


@dataclass(frozen=True, slots=True)
class Repair:
    """The version of a note that its offsets fit, or None if they are taken as they are.

    Offsets are `doubtful` if they look wrong but no version explains them.
    """

    version: Version | None = None
    doubtful: bool = False

    def moved(self, span: Span) -> Span | None:
        """The span in the text, or None if the repair puts it outside."""
        return self.version.in_text(span, exact=False) if self.version else span


def find_repair(text: str, spans: Sequence[Span]) -> Repair:
    """The version of the text that the spans fit, if it is not the text itself.

    `spans` are characters of the annotated version. If several versions fit equally well, the
    likeliest counts. If none fits, or if there are too few spans to tell, the repair moves nothing.
    """
    if len(spans) < _EVIDENCE or _sound_share(text, spans, Repair()) >= SOUND:
        return Repair()
    repairs = [Repair(version) for version in likely_versions(text)]
    if not repairs:
        return Repair(doubtful=True)
    best = max(repairs, key=lambda repair: _sound_share(text, spans, repair))
    return best if _sound_share(text, spans, best) >= SOUND else Repair(doubtful=True)


def _sound_share(text: str, spans: Sequence[Span], repair: Repair) -> float:
    """Share of spans in [0, 1] that cover whole words of the text."""
    moved = map(repair.moved, spans)
    return sum(span is not None and _whole_words(text, *span) for span in moved) / len(spans)


def _whole_words(text: str, start: int, end: int) -> bool:
    """Whether the span begins and ends at a word's edge, and not with a space."""
    if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
        return False
    cut_before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    cut_after = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not (cut_before or cut_after)
