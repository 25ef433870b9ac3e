"""Mentions checked against the text that they point into.

A format that publishes the surface of a mention says what must stand at its offsets. If the
surfaces of a document do not stand there, one version of its text must explain all of them. If none
does, the document is left out. No mention is ever moved by itself.
"""

import html
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from embedlink.corpora.places import Place
from embedlink.corpora.versions import Version, constant, likely_versions, other_versions
from embedlink.files.lines import shown
from embedlink.problems import Problems
from embedlink.types import Mention, Span

DIFFERS = "span text differs from the text at its offsets"
_QUOTES = str.maketrans({"‘": "'", "’": "'", "‚": "'", "“": '"', "”": '"', "„": '"', "`": "'"})
_UNSEEN = re.compile("[\\s\u00ad\u200b-\u200f\u2060\ufeff\x00]+")


@dataclass(frozen=True, slots=True)
class Annotation:
    """A mention as a file has it: `start` and `end` are numbers or their digits, if all is well.

    `surface` is the mention's text as published, or None if the format has none. `code` is None if
    it cannot be read. Such an annotation gives no mention, but still shows how offsets were
    counted.
    """

    start: object
    end: object
    code: str | None
    place: Place
    surface: str | None = None


def read_mentions(
    text: str,
    annotations: Sequence[Annotation],
    place: Place,
    problems: Problems,
    *,
    join: int | None = None,
) -> list[Mention | None] | None:
    """The mention of each annotation, None for a wrong one. None alone if all are in doubt.

    If the offsets of an annotation are not numbers, run backwards or lie outside the text, only
    this annotation is lost. If its surface stands elsewhere, the whole document is lost, unless one
    version of the text explains all surfaces. `place` is that of the document. `other_versions`
    says what `join` is.
    """
    spans = [_read_span(each, problems) for each in annotations]
    read = [(a, span) for a, span in zip(annotations, spans, strict=True) if span is not None]
    version = _version(text, read, join)
    if version is not None:
        moved = [version.in_text(span) for _, span in read]
        if version.description:
            value, reason = f"{len(read)} annotations", "offsets of another version of the text"
            place.note(problems, value, reason=reason, remedy=version.description, repaired=True)
        else:
            _note_differences(text, read, problems)
    else:
        inside = [(a, span) for a, span in read if span.start >= 0 and span.end <= len(text)]
        differing = [a for a, span in inside if not _agrees(text[slice(*span)], a.surface)]
        if differing:
            value = f"{len(differing)} of {len(read)} annotations of the document"
            remedy = (
                "left out: no shift of the whole document explains them; correct the offsets, "
                "or supply the text that was annotated"
            )
            differing[0].place.note(problems, value, reason=DIFFERS, remedy=remedy)
            return None
        moved = [_inside(text, a, span, problems) for a, span in read]
    places = iter(moved)
    results = [None if span is None else next(places) for span in spans]
    return [
        None if span is None or a.code is None else Mention(span.start, span.end, a.code)
        for a, span in zip(annotations, results, strict=True)
    ]


def in_text_order(mentions: Sequence[Mention | None]) -> tuple[Mention, ...]:
    """The mentions that were read, in the order of the text. Equal spans stay in order."""
    kept = (mention for mention in mentions if mention is not None)
    return tuple(sorted(kept, key=lambda mention: (mention.start, mention.end)))


def read_offset(value: object) -> int | None:
    """An offset from an integer or plain ASCII digits. `int` alone would accept `1_0` and 1.5."""
    if isinstance(value, int) and not isinstance(value, bool):
        return value if abs(value) < 10**18 else None
    if isinstance(value, str) and re.fullmatch(r"\s*-?[0-9]{1,18}\s*", value):
        return int(value)
    return None


def _read_span(annotation: Annotation, problems: Problems) -> Span | None:
    """Both offsets as numbers in their order. None if they are wrong, which is noted."""
    start, end = read_offset(annotation.start), read_offset(annotation.end)
    # If columns are shuffled, a note's text may stand in place of an offset.
    value = f"{shown(annotation.start)}-{shown(annotation.end)}"
    if start is None or end is None:
        remedy = "offsets are whole numbers of characters; check the order of the columns"
        annotation.place.note(problems, value, reason="offset is not a number", remedy=remedy)
        return None
    if end <= start:
        remedy = "offsets are half-open: start < end"
        annotation.place.note(problems, value, reason="end before start", remedy=remedy)
        return None
    return Span(start, end)


def _inside(text: str, annotation: Annotation, span: Span, problems: Problems) -> Span | None:
    """The span if it lies in the text. Otherwise it is reported, and there is none."""
    if span.start >= 0 and span.end <= len(text):
        return span
    remedy = f"the text has {len(text)} characters; check that it is the annotated version"
    value = f"{span.start}-{span.end}"
    annotation.place.note(problems, value, reason="offsets outside the text", remedy=remedy)
    return None


def _note_differences(
    text: str, read: Sequence[tuple[Annotation, Span]], problems: Problems
) -> None:
    """Note surfaces that differ from the text in spacing, case or accents."""
    for annotation, span in read:
        if annotation.surface is not None and annotation.surface != text[slice(*span)]:
            value = f"{span.start}-{span.end}"
            annotation.place.note(
                problems, value, reason=DIFFERS, remedy=f"read as {value}", repaired=True
            )


def _version(
    text: str, read: Sequence[tuple[Annotation, Span]], join: int | None
) -> Version | None:
    """The version in which every surface stands at its offsets. None if there is none.

    The likeliest kind of version that explains everything counts. If two versions of that kind
    explain it differently, none counts. The text itself comes first. A shift by any number comes
    last, because it could explain what another line break has done. Surfaces that differ in
    spacing, case or accents are looked at only if no version has all surfaces exactly.
    """
    same = constant(text, 0)
    shown_by_surfaces = any(annotation.surface is not None for annotation, _ in read)
    kinds: list[tuple[Callable[[], Iterable[Version]], bool]] = [(lambda: [same], True)]
    if shown_by_surfaces:
        kinds += [
            (lambda: likely_versions(text), True),
            (lambda: other_versions(text, join), True),
            (lambda: [same], False),
            (lambda: likely_versions(text), False),
            (lambda: other_versions(text, join), False),
            (lambda: [constant(text, 1), constant(text, -1)], False),
            (lambda: _constants(text, read), False),
        ]
    for versions, exact in kinds:
        found: dict[tuple[Span | None, ...], Version] = {}
        for version in versions():
            places = tuple(version.in_text(span) for _, span in read)
            if all(
                span is not None and _agrees(text[slice(*span)], annotation.surface, exact)
                for (annotation, _), span in zip(read, places, strict=True)
            ):
                found.setdefault(places, version)
        if found:
            return next(iter(found.values())) if len(found) == 1 else None
    return None


def _constants(text: str, read: Sequence[tuple[Annotation, Span]]) -> Iterator[Version]:
    """Shifts of the whole document by one number. Two different mentions are needed to show one."""
    known = {(a.surface, span.start) for a, span in read if a.surface}
    if len({start for _, start in known}) < 2:
        return
    longest, start = max(known, key=lambda each: (len(each[0] or ""), each[1]))
    pattern = re.escape(longest or "")
    for match in re.finditer(f"(?={pattern})", text):
        yield constant(text, start - match.start())


def _agrees(found: str, surface: str | None, exact: bool = False) -> bool:
    """Whether the text at the offsets is the surface.

    Unless `exact`, spacing, case, quotes, invisible characters and the form of accents may differ.
    """
    if surface is None or (found == surface and surface):
        return True
    plain = "" if exact else _plain(surface)
    return bool(plain) and plain in (_plain(found), _plain(html.unescape(found)))


def _plain(text: str) -> str:
    composed = unicodedata.normalize("NFC", text.translate(_QUOTES)).casefold()
    return _UNSEEN.sub("", composed)
