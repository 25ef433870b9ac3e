"""Abbreviations that a document defines itself: "myotonic dystrophy (DM)".

A. S. Schwartz and M. A. Hearst, "A simple algorithm for identifying abbreviation definitions in
biomedical text", Pacific Symposium on Biocomputing 8 (2003), 451-462.

This goes beyond the paper. A short form must have a capital letter and no word in small letters.
Square brackets count too. The plural of a short form may lack its "s" in the long form. If the
letters do not come in order, as many words may have them as initials in another order, because many
short forms are Latin or foreign ("myotonic dystrophy (DM)"). "DM = diabetes mellitus" is a
definition as well. So are as many words as letters if the last ones agree ("twice daily (BD)").
Only a limited stretch of text around a sign is read.

Detection gives an abbreviation the concepts of its long form, wherever it stands in the document.
Windows spell it out in a mention's own text. Spans are characters of the text throughout.
"""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from embedlink.text.spelling import FUNCTION_WORDS
from embedlink.text.words import WORD
from embedlink.types import Span

_SHORT_LENGTH = range(2, 11)  # characters, as in the paper
_SHORT_WORDS = 2  # as in the paper
_REACH = 300  # characters beside a parenthesis in which a long form may lie
_DEFINING = re.compile(r"[(\[=]|\bmeans\b|\bstands for\b")
_CLAUSE = re.compile(r"[^()\[\]=;,.\n]{1,100}")
_SMALL_WORDS = re.compile(r"[^\W\d_A-Z]+(?: [^\W\d_A-Z]+)*")
_INSIDE = re.compile(rf"[^()\[\];,\n]{{1,{_REACH}}}")
_LAST_WORD = re.compile(r"(\S+)\s*$")
_SENTENCE_END = re.compile(r"[.!?;]\s")


class Abbreviation(NamedTuple):
    """One definition: both forms as written, and where they stand (characters of the text)."""

    short: str
    long: str
    short_span: Span
    long_span: Span
    loose: bool = False
    """Whether only the last letter agrees, as in "twice daily (BD)", which is Latin."""


def abbreviations(text: str) -> list[Abbreviation]:
    """The definitions in a text, in its order. If a short form has several, the first counts.

    Short forms differ if their case or a plural "s" differs. Empty if the text defines none.
    """
    first: dict[str, Abbreviation] = {}
    for sign in _DEFINING.finditer(text):
        reading = _bracketed if sign.group() in "([" else _equated
        found = reading(text, Span(*sign.span()))
        if found is None:
            continue
        known = first.setdefault(found.short, found)
        if known.loose and not found.loose:  # Letters that agree say more.
            first[found.short] = found
    return list(first.values())


def occurrences(text: str, shorts: Iterable[str]) -> dict[str, list[Span]]:
    """Where each short form stands by itself, in singular or plural, in the case of its definition.

    Places come in the order of the text, and the place of the definition is among them. A hyphen
    ends a word here: "BCC-like" has an occurrence of "BCC". The text is read once for all short
    forms.
    """
    places: dict[str, list[Span]] = {short: [] for short in shorts}
    begun_by: dict[str, list[str]] = {}  # Short forms by their first word, also in the plural.
    for short in places:
        first = WORD.match(_singular(short))
        for word in {first.group(), f"{first.group()}s"} if first else ():
            begun_by.setdefault(word, []).append(short)
    for match in WORD.finditer(text):
        for short in begun_by.get(match.group(), ()):
            end = match.start() + len(_singular(short))
            end += text.startswith("s", end)
            if text.startswith(_singular(short), match.start()) and not WORD.match(text, end):
                places[short].append(Span(match.start(), end))
    return places


def long_forms(text: str) -> list[tuple[Span, Span]]:
    """Every occurrence of every short form that the text defines, with its long form's place.

    Pairs of (occurrence, long form), in the order of the text.
    """
    defined = abbreviations(text)
    places = occurrences(text, [found.short for found in defined])
    return sorted((at, found.long_span) for found in defined for at in places[found.short])


def expanded(span: Span, defined: Sequence[tuple[Span, Span]]) -> list[Span]:
    """The pieces of text that spell a span out, with long forms in place of its short forms.

    If the span also holds the long form, its short form is left as it is. `defined` comes from
    `long_forms`. The pieces come in the order of reading, which may differ from that of the text. A
    span without a short form is the only piece.
    """
    pieces, at = [], span.start
    # Only those that begin inside are looked at, because there may be thousands.
    for short, long in defined[bisect_left(defined, ((span.start, -1),)) :]:
        if short.start >= span.end:
            break
        holds_both = span.start <= long.start and long.end <= span.end
        # If short forms overlap, only the first is spelt out.
        if at <= short.start and short.end <= span.end and not holds_both:
            pieces += [Span(at, short.start), long]
            at = short.end
    return [piece for piece in (*pieces, Span(at, span.end)) if piece.start < piece.end]


def _bracketed(text: str, opening: Span) -> Abbreviation | None:
    """`long form (SHORT)`, which is the usual order, or else `SHORT (long form)`."""
    match = _INSIDE.match(text, opening.end)
    if match is None:
        return None
    inside = _stripped(text, *match.span())
    before = _stripped(text, max(0, opening.start - _REACH), opening.start)
    short = _short_form_before(text, opening.start)
    readings = []
    if _is_short_form(text[inside.start : inside.end]):
        readings.append((inside, before))
    if short is not None:
        readings.append((short, inside))
    strict = (_defined(text, *reading) for reading in readings)
    loose = (_loosely(text, *reading) for reading in readings)
    return next(filter(None, (*strict, *loose)), None)


def _equated(text: str, sign: Span) -> Abbreviation | None:
    """`SHORT = long form` or `long form = SHORT`. "means" and "stands for" work like "="."""
    short = _short_form_before(text, sign.start)
    match = _CLAUSE.match(text, sign.end)
    if match is None:
        return None
    behind = _stripped(text, *match.span())
    if short is not None:
        return _beginning(text, short, behind)
    word = WORD.match(text, behind.start)
    if word is None or not _is_short_form(word.group()):
        return None
    before = _stripped(text, max(0, sign.start - _REACH), sign.start)
    return _defined(text, Span(*word.span()), before)


def _beginning(text: str, short: Span, room: Span) -> Abbreviation | None:
    """The abbreviation with a long form that begins at the start of the room.

    The long form has as many words as the short form has letters. If that fails, it has as few
    words as possible.
    """
    letters = short.end - short.start
    ends = [word.end() for word in WORD.finditer(text, room.start, room.end)][: 2 * letters]
    for end in [*ends[letters - 1 : letters], *ends]:
        found = _defined(text, short, Span(room.start, end))
        if found is not None and found.long_span.start == room.start:
            return found
    if len(ends) < letters:
        return None
    return _loosely(text, short, Span(room.start, ends[letters - 1]))


def _short_form_before(text: str, end: int) -> Span | None:
    """The short form of one word that stands directly before a sign."""
    # Only the end of the text is searched. Otherwise all of it would be read for every sign.
    word = _LAST_WORD.search(text, max(0, end - _SHORT_LENGTH.stop - 1), end)
    if word is None:
        return None
    short = _stripped(text, *word.span(1))
    return short if _is_short_form(text[short.start : short.end]) else None


def _defined(text: str, short: Span, room: Span) -> Abbreviation | None:
    """The abbreviation with a long form that ends at the end of the room, if there is one."""
    form = text[short.start : short.end]
    start = _sentence_start(text, room)
    # "BCCs" first as it is, as in "basal cell carcinomas", then as "BCC".
    for spelt in dict.fromkeys((form, _singular(form))):
        at = _long_form(spelt, text[start : room.end])
        if at is None:
            at = _initials(spelt, text[start : room.end])
        if at is not None and _plausible(spelt, text[start + at : room.end]):
            span = Span(start + at, room.end)
            return Abbreviation(form, text[span.start : span.end], short_span=short, long_span=span)
    return None


def _loosely(text: str, short: Span, room: Span) -> Abbreviation | None:
    """The last words of the room, if they are as many as the letters and the last ones agree.

    This finds Latin short forms with an English long form. The words must be in small letters, and
    none may be a function word.
    """
    form = text[short.start : short.end]
    start = _sentence_start(text, room)
    words = list(_SMALL_WORDS.finditer(text, start, room.end))
    if not (form.isalpha() and form.isupper() and words and words[-1].end() == room.end):
        return None
    long = words[-1].group().split()[-len(form) :]
    at = room.end - len(" ".join(long))
    alike = len(long) == len(form) and long[-1][0] == form[-1].lower()
    if not alike or not FUNCTION_WORDS.isdisjoint(long) or not text.startswith(" ".join(long), at):
        return None
    return Abbreviation(
        form, text[at : room.end], short_span=short, long_span=Span(at, room.end), loose=True
    )


def _long_form(short: str, room: str) -> int | None:
    """Where the shortest long form starts: the paper's `findBestLongForm`, from right to left.

    Each letter and digit of the short form must be found in order, and the first of them must begin
    a word. None if that fails. The result is an offset in `room`.
    """
    at = len(room)
    for rank, character in reversed(list(enumerate(short.lower()))):
        if not character.isalnum():
            continue
        at -= 1
        while at >= 0 and not (
            room[at].lower() == character and (rank or at == 0 or not room[at - 1].isalnum())
        ):
            at -= 1
        if at < 0:
            return None
    # If the letter stands behind a hyphen, the whole word belongs to the long form.
    while at > 0 and not (room[at - 1].isspace() or room[at - 1] in "([\"'"):
        at -= 1
    return at


def _initials(short: str, room: str) -> int | None:
    """Where the words start that have the letters of the short form as initials, in any order.

    These are the last words of `room`, as many as there are letters. None if their initials differ.
    """
    letters = sorted(short.lower())
    words = list(WORD.finditer(room))[-len(letters) :]
    if sorted(word.group()[0].lower() for word in words) != letters:
        return None
    return words[0].start()


def _plausible(short: str, long: str) -> bool:
    """The paper's conditions on a long form. Also, it must close every bracket that it opens."""
    words = long.split()
    return (
        len(long) > len(short)
        and len(words) <= min(len(short) + 5, len(short) * 2)
        and short not in words
        and long.count("(") == long.count(")")
        and long.count("[") == long.count("]")
    )


def _is_short_form(form: str) -> bool:
    """Whether a text in brackets can be a short form at all (Schwartz and Hearst)."""
    return (
        len(form) in _SHORT_LENGTH
        and len(form.split()) <= _SHORT_WORDS
        and form[0].isalnum()
        and any(character.isupper() for character in form)
        and not any(word.islower() and word.isalpha() for word in form.split())
    )


def _singular(form: str) -> str:
    is_plural = len(form) > 2 and form[-1] == "s" and form[-2].isupper()
    return form[:-1] if is_plural else form


def _sentence_start(text: str, room: Span) -> int:
    """Where the last sentence in the span begins."""
    start = room.start
    for end in _SENTENCE_END.finditer(text, room.start, room.end):
        start = end.end()
    return start


def _stripped(text: str, start: int, end: int) -> Span:
    """The range without spaces and quotation marks at its ends."""
    while start < end and (text[start].isspace() or text[start] in "\"'"):
        start += 1
    while end > start and (text[end - 1].isspace() or text[end - 1] in "\"'"):
        end -= 1
    return Span(start, end)
