"""Other versions of a text, in which its annotations may have been made.

Tools count a line break as one character or two, or letters in bytes or in units of UTF-16. They
may also annotate a text before `<br>`, a byte order mark or a soft hyphen is removed. Each
`Version` is one such guess about a whole document. It moves all of its offsets, or none.
"""

import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from embedlink.types import Span

Widths = NDArray[np.int64]  # (characters,) how many units the annotated version counts for each
_LINE_BREAK = re.compile(r"(?<!\r)\n")
_WINDOWS_BREAK = re.compile(r"\r\n")
_ANY_BREAK = re.compile(r"\r\n|\n")
_HTML_BREAK = re.compile(r"<br\s*/?>", re.IGNORECASE)
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_ENTITY = re.compile(r"&(?:[a-zA-Z]{2,8}|#\d{1,6}|#x[0-9a-fA-F]{1,5});")
_ESCAPED = re.compile(r"[&<>]")
_BLANKS = re.compile(r" {2,}")
_SPACES = re.compile(r"\s{2,}")
_SENTENCE = re.compile(r"(?<=[.!?]) (?! )")
_TAB = re.compile(r"\t")
_COMPOSED = re.compile("[^\u0300-\u036f][\u0300-\u036f]+")
# Each mark of the text, its length in the annotated version, and the words of the report.
_BREAKS = (
    (_WINDOWS_BREAK, 1, "offsets count each CRLF as one character"),
    (_LINE_BREAK, 2, "offsets count each line break as CRLF"),
)
_HTML = (
    (_HTML_BREAK, 1, "offsets count each <br> as one character"),
    (_HTML_BREAK, 0, "offsets leave out each <br>"),
    (_HTML_BREAK, 2, "offsets count each <br> as CRLF"),
    (_ANY_BREAK, 4, "offsets count each line break as <br>"),
    (_ANY_BREAK, 5, "offsets count <br> before each line break"),
    (_ANY_BREAK, 6, "offsets count <br> before each CRLF"),
)
_OTHERS = (
    (_ANY_BREAK, 0, "offsets leave out line breaks"),
    (_INVISIBLE, 0, "offsets leave out invisible characters"),
    (_ENTITY, 1, "offsets count each HTML entity as one character"),
    (_BLANKS, 1, "offsets count each run of blanks as one"),
    (_SPACES, 1, "offsets count each run of spaces and line breaks as one"),
    (_SENTENCE, 2, "offsets count two spaces behind each sentence"),
    (_TAB, 4, "offsets count a tab as 4 characters"),
    (_TAB, 8, "offsets count a tab as 8 characters"),
)
_BOM_WIDTHS = {"characters": 1, "UTF-16 units": 1, "UTF-8 bytes": 3}


@dataclass(frozen=True, slots=True)
class Version:
    """How offsets of the annotated version become offsets of the text.

    `starts` has the annotated offset of each character of the text and, last, of its end. The
    offsets never fall. `glued` joins characters without a width to the character before them.
    """

    description: str
    starts: Sequence[int]
    glued: bool = False

    def in_text(self, span: Span, *, exact: bool = True) -> Span | None:
        """The span in the text that corresponds to a span in the annotated version.

        None if it lies outside. With `exact`, also None if it begins within a character of the
        text. A mark right behind a span is not part of it.
        """
        first = bisect_right(self.starts, span.start) - 1
        last = bisect_right(self.starts, span.end if self.glued else span.end - 1) - 1
        end = last if self.glued else last + 1
        size = len(self.starts) - 1
        if first < 0 or first >= end or end > size:
            return None
        if exact and (self.starts[first] != span.start or self.starts[end] < span.end):
            return None
        return Span(first, end)


def constant(text: str, shift: int) -> Version:
    """The version in which all offsets are larger than those of the text by `shift`.

    If `shift` is 0, it is the text itself and has no description.
    """
    said = f"all offsets are {abs(shift)} too {'large' if shift > 0 else 'small'}"
    return Version(said if shift else "", range(shift, shift + len(text) + 1))


def other_versions(text: str, join: int | None = None) -> Iterator[Version]:
    """Versions that differ in spaces, invisible characters, entities or the form of accents.

    `join` is the offset of the one character that a format puts between two passages.
    """
    plain = np.ones(len(text), dtype=np.int64)
    for mark, length, said in _OTHERS:
        yield from _marked(text, mark, length=_of(length), widths=plain, description=said)
    said = "offsets count &, < and > as HTML entities"
    yield from _marked(
        text,
        _ESCAPED,
        length=lambda match: 5 if match[0] == "&" else 4,
        widths=plain,
        description=said,
    )
    yield from _normal_forms(text)
    if join is not None:
        for width in (0, 2, 3):
            for unit, widths in _units(text):
                widths = widths.copy()
                widths[join] = width
                said = f"offsets in {unit} count {width} characters between the passages"
                yield Version(said, _starts(widths))


def likely_versions(text: str) -> Iterator[Version]:
    """Versions with other line breaks, units or a byte order mark, and their combinations."""
    for unit, widths in _units(text):
        bases = [("", widths)]
        for mark, length, said in _BREAKS:
            if mark.search(text):
                bases.append(
                    (f", {said}", _with_mark(text, mark, length=_of(length), widths=widths))
                )
        for said, counted in bases:
            if unit != "characters" or said:
                yield Version(f"offsets in {unit}{said}", _starts(counted))
        for said, counted in bases:
            name = f"offsets in {unit}{said}, with a byte order mark"
            yield Version(name, _starts(counted, _BOM_WIDTHS[unit]))
    plain = np.ones(len(text), dtype=np.int64)
    for mark, length, said in _HTML:
        yield from _marked(text, mark, length=_of(length), widths=plain, description=said)


def _units(text: str) -> Iterator[tuple[str, Widths]]:
    """What tools count: characters, units of UTF-16, and bytes, if they differ in this text."""
    yield "characters", np.ones(len(text), dtype=np.int64)
    if text.isascii():
        return
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    far = (codes > 0xFFFF).astype(np.int64)
    if far.any():
        yield "UTF-16 units", 1 + far
    yield "UTF-8 bytes", 1 + (codes > 0x7F).astype(np.int64) + (codes > 0x7FF) + far


def _normal_forms(text: str) -> Iterator[Version]:
    """The versions in which letters with accents are composed, or taken apart."""
    if text.isascii():
        return
    apart = np.fromiter((len(unicodedata.normalize("NFD", c)) for c in text), np.int64, len(text))
    if (apart != 1).any():
        yield Version("offsets count accents by themselves (NFD)", _starts(apart))
    widths = np.ones(len(text), dtype=np.int64)
    for match in _COMPOSED.finditer(text):
        widths[match.start() : match.end()] = 0
        widths[match.start()] = len(unicodedata.normalize("NFC", match[0]))
    if (widths != 1).any():
        said = "offsets count a letter and its accents as one (NFC)"
        yield Version(said, _starts(widths), glued=True)


def _marked(
    text: str,
    mark: re.Pattern[str],
    length: Callable[[re.Match[str]], int],
    widths: Widths,
    description: str,
) -> Iterator[Version]:
    """The version of a text in which each of these marks has another length, if it has any."""
    if mark.search(text):
        yield Version(description, _starts(_with_mark(text, mark, length=length, widths=widths)))


def _of(length: int) -> Callable[[re.Match[str]], int]:
    """The same length for every mark."""
    return lambda _: length


def _with_mark(
    text: str, mark: re.Pattern[str], length: Callable[[re.Match[str]], int], widths: Widths
) -> Widths:
    """The widths if each mark has another length. The mark's last character has all of it."""
    made = widths.copy()
    for match in mark.finditer(text):
        made[match.start() : match.end()] = 0
        made[match.end() - 1] = length(match)
    return made


def _starts(widths: Widths, first: int = 0) -> list[int]:
    starts: list[int] = (first + np.concatenate(([0], np.cumsum(widths)))).tolist()
    return starts
