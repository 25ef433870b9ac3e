"""Annotations that were made on another version of a note: one where line breaks differ.

The SNOMED CT benchmark has a handful of notes whose offsets count `<br>` for a line break, or a
line break for `<br>`. The annotations carry no text to compare with, but an annotator marks
whole words: in a note with right offsets nearly all spans start and end at word boundaries, in
a shifted one hardly more than chance. That tells which version the offsets belong to.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

SOUND = 0.8
"""Share of spans at word boundaries from which the offsets of a note are taken to be right."""
_EVIDENCE = 3  # fewer spans say nothing about a note
_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_NEWLINE = re.compile(r"\n")
_WINDOWS = re.compile(r"\r\n")
# A mark in the text, the characters it takes in the annotated version, and how that is reported.
_VERSIONS = (
    (_BREAK, 1, "offsets count each <br> as one character"),
    (_BREAK, 0, "offsets leave out each <br>"),
    (_NEWLINE, 4, "offsets count each line break as <br>"),
    (_NEWLINE, 5, "offsets count <br> before each line break"),
    (_WINDOWS, 1, "offsets count each CRLF as one character"),
)


@dataclass(frozen=True, slots=True)
class Repair:
    """How offsets of the annotated version become offsets of the text; by default not at all.

    `starts` are offsets of the annotated version at which a text offset moves by `shifts`, in
    the order of the text. `doubtful` offsets look wrong, but no version explains them.
    """

    starts: Sequence[int] = ()
    shifts: Sequence[int] = ()
    description: str = ""
    doubtful: bool = False

    @property
    def changed(self) -> bool:
        """Whether the repair moves anything."""
        return bool(self.starts)

    def move(self, start: str, end: str) -> tuple[object, object]:
        """Both offsets in the text, or as they are where they are no numbers."""
        numbers = [value.strip() for value in (start, end)]
        if not self.changed or not all(n.isascii() and n.isdecimal() for n in numbers):
            return start, end
        return self.moved(int(numbers[0]), int(numbers[1]))

    def moved(self, start: int, end: int) -> tuple[int, int]:
        """The span in the text of one in the annotated version.

        The end follows the span's last character: a break right behind a span is not part of it.
        """
        return start + self._shift(start), end + self._shift(end - 1)

    def _shift(self, offset: int) -> int:
        # The last mark that ends at the offset or before it; each shift holds until the next.
        before = bisect_right(self.starts, offset) - 1
        return self.shifts[before] if before >= 0 else 0


def find_repair(text: str, spans: Sequence[tuple[int, int]]) -> Repair:
    """The version of the text that the spans fit, if it is not the text itself.

    `spans` are characters of the annotated version. Of versions that fit equally well the first
    of `_VERSIONS` counts. Where none fits, or too few spans tell, the repair moves nothing.
    """
    if len(spans) < _EVIDENCE or _sound_share(text, spans, Repair()) >= SOUND:
        return Repair()
    repairs = [_repair(text, *version) for version in _VERSIONS]
    usable = [repair for repair in repairs if repair.changed]
    if not usable:
        return Repair(doubtful=True)
    best = max(usable, key=lambda repair: _sound_share(text, spans, repair))
    return best if _sound_share(text, spans, best) >= SOUND else Repair(doubtful=True)


def _repair(text: str, mark: re.Pattern[str], length: int, description: str) -> Repair:
    """The repair for a version in which every `mark` of the text takes `length` characters."""
    starts, shifts, shift = [], [], 0
    for match in mark.finditer(text):
        grown = (match.end() - match.start()) - length
        # Where the mark ends in the annotated version: only what lies behind it moves.
        starts.append(match.end() - shift - grown)
        shift += grown
        shifts.append(shift)
    return Repair(starts, shifts, description)


def _sound_share(text: str, spans: Sequence[tuple[int, int]], repair: Repair) -> float:
    """Share of spans in [0, 1] that cover whole words of the text."""
    moved = [repair.moved(start, end) for start, end in spans]
    return sum(_whole_words(text, start, end) for start, end in moved) / len(spans)


def _whole_words(text: str, start: int, end: int) -> bool:
    """Whether the span begins and ends at a word's edge, and not with a space."""
    if not 0 <= start < end <= len(text) or text[start].isspace() or text[end - 1].isspace():
        return False
    cut_before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    cut_after = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not (cut_before or cut_after)
