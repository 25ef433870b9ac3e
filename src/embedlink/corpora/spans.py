"""Mentions checked against the text that they point into, and repaired where that is safe.

Where a format publishes the surface of a mention, it must be the text at the offsets, or stand
nearby in one place only; else the mention is left out and noted, and its document stays.
"""

import re
from dataclasses import dataclass, field

from embedlink.files.lines import shown
from embedlink.problems import Problems
from embedlink.types import Mention, Span

NEAR = 200
"""How far (characters) from the published offsets a shifted mention is looked for."""


@dataclass(slots=True)
class Place:
    """Where a row stands, so that its problems can name file and line (or item).

    `item` says it where a format has no lines (`project 1 document 2 annotation 3`), or names the
    note that a row belongs to.
    """

    file: str
    line: int | None
    item: str = ""

    def note(
        self, problems: Problems, value: str, reason: str, remedy: str, repaired: bool = False
    ) -> None:
        """Add a problem of this place."""
        value = f"{self.item} {value}".strip()
        problems.add(self.file, self.line, value, reason, remedy, repaired=repaired)


@dataclass(slots=True)
class UniqueIds:
    """Gives a repeated document id its own form, so that nothing overwrites the first.

    The split keeps such documents together (`original_id`).
    """

    seen: dict[str, int] = field(default_factory=dict)

    def claim(self, id_: str, place: Place, problems: Problems) -> str:
        """The id itself the first time, then `id#duplicate2`, `id#duplicate3`, …"""
        count = self.seen[id_] = self.seen.get(id_, 0) + 1
        if count == 1:
            return id_
        remedy = f"kept as its own document, #duplicate{count}"
        place.note(problems, shown(id_), "duplicate id", remedy, repaired=True)
        # The new form is claimed in turn, as a file may hold it as well; it is noted once.
        return self.claim(f"{id_}#duplicate{count}", place, Problems())


def original_id(id_: str) -> str:
    """The id as published, without the mark that `UniqueIds` gives a repeated one."""
    return re.sub(r"(#duplicate\d+)+$", "", id_)


def read_code(raw: str, prefixes: tuple[str, ...], place: Place, problems: Problems) -> str:
    """A code without the stray spaces and the vocabulary prefixes that some files carry.

    Spaces and `prefixes` go from each part of a composite; every change is noted as repaired.
    """
    parts = [part.strip() for part in re.split(r"([+|])", raw)]
    for prefix in prefixes:
        parts = [part.removeprefix(prefix) for part in parts]
    code = "".join(parts)
    if code != raw:
        place.note(problems, shown(raw), "code form", f"read as {shown(code)}", repaired=True)
    return code


def read_mention(
    text: str,
    start: object,
    end: object,
    code: str,
    place: Place,
    problems: Problems,
    surface: str | None,
) -> Mention | None:
    """The mention, moved to where its surface is when it was a little off, or None.

    `surface` is the mention's text as published, or None where the format holds none. `start` and
    `end` are whole numbers or their digits, in characters of `text`. Why it is None, and that a
    mention was moved, is noted in `problems`, by offsets and never by text.
    """
    span = _read_span(text, start, end, place, problems)
    if span is None:
        return None
    if surface is not None and text[span.start : span.end] != surface:
        found = _locate(text, span, surface)
        value = f"{span.start}-{span.end}"
        if found is None:
            remedy = "correct the offsets or the text column"
            place.note(problems, value, "span text differs from the text at its offsets", remedy)
            return None
        remedy = f"read as {found.start}-{found.end}"
        place.note(
            problems, value, "span text differs from the text at its offsets", remedy, repaired=True
        )
        span = found
    return Mention(span.start, span.end, code)


def _read_span(
    text: str, start: object, end: object, place: Place, problems: Problems
) -> Span | None:
    """Both offsets as numbers inside the text, or None after noting why not."""
    value = f"{shown(start)}-{shown(end)}"  # In shuffled columns an offset is a note's text.
    try:
        span = Span(_offset(start), _offset(end))
    except ValueError:
        remedy = "offsets are whole numbers of characters; check the order of the columns"
        place.note(problems, value, "offset is not a number", remedy)
        return None
    if span.end <= span.start:
        place.note(problems, value, "end before start", "offsets are half-open: start < end")
    elif span.start < 0 or span.end > len(text):
        remedy = f"the text has {len(text)} characters; check that it is the annotated version"
        place.note(problems, value, "offsets outside the text", remedy)
    else:
        return span
    return None


def _offset(value: object) -> int:
    """An offset from an integer or plain ASCII digits; `int` alone would take `1_0` and 1.5."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value):
        return int(value)
    raise ValueError("not an offset")


def _locate(text: str, span: Span, surface: str) -> Span | None:
    """The occurrence of the surface nearest to the span, with spacing and case allowed to differ.

    None when there is none nearby, or two equally near: a guess would be a wrong gold mention.
    """
    words = surface.split()
    if not words:
        return None
    low, high = max(0, span.start - NEAR), min(len(text), span.end + NEAR)
    pattern = re.compile(r"\s*".join(map(re.escape, words)), re.IGNORECASE)
    found = [Span(*match.span()) for match in pattern.finditer(text, low, high)]
    # By the distance of the starts: where two are equally near, they are the first two.
    found.sort(key=lambda each: abs(each.start - span.start))
    if not found:
        return None
    ties = len(found) > 1 and abs(found[1].start - span.start) == abs(found[0].start - span.start)
    return None if ties else found[0]
