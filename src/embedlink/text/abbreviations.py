"""Abbreviations that a document defines itself: "myotonic dystrophy (DM)".

A. S. Schwartz and M. A. Hearst, "A simple algorithm for identifying abbreviation definitions in
biomedical text", Pacific Symposium on Biocomputing 8 (2003), 451-462. Beyond it: a short form
must have a capital letter and no word in small ones, square brackets count, the plural of a
short form may lack its "s" in the long form, and where the letters do not come in order, the
initials of as many words may come in another, for many are Latin or foreign ("myotonic dystrophy
(DM)"). A text is gone through once; what is looked at around a parenthesis is bounded.

Detection gives an abbreviation the concepts of its long form, wherever it stands in the document;
windows spell it out in a mention's own text. Spans are characters of the text throughout.
"""

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from embedlink.text.words import WORD
from embedlink.types import Span

_SHORT_LENGTH = range(2, 11)  # characters, as in the paper
_SHORT_WORDS = 2  # as in the paper
_REACH = 300  # characters beside a parenthesis in which a long form may lie
_OPENING = re.compile(r"[(\[]")
_INSIDE = re.compile(rf"[^()\[\];,\n]{{1,{_REACH}}}")
_LAST_WORD = re.compile(r"(\S+)\s*$")
_SENTENCE_END = re.compile(r"[.!?;]\s")


class Abbreviation(NamedTuple):
    """One definition: both forms as written, and where they stand (characters of the text)."""

    short: str
    long: str
    short_span: Span
    long_span: Span


def abbreviations(text: str) -> list[Abbreviation]:
    """The definitions in a text, in its order; of several for one short form, the first.

    Short forms are told apart by case and by a plural "s". Empty where the text defines none.
    """
    first: dict[str, Abbreviation] = {}
    for opening in _OPENING.finditer(text):
        inside = _INSIDE.match(text, opening.end())
        if inside is None:
            continue
        span = _stripped(text, inside.start(), inside.end())
        # "long form (SHORT)" is the usual order, so it goes first.
        found = _outside_in(text, opening.start(), span) or _inside_out(text, opening.start(), span)
        if found is not None:
            first.setdefault(found.short, found)
    return list(first.values())


def occurrences(text: str, short: str) -> Iterator[Span]:
    """Where a short form stands by itself, in the singular or the plural, case as defined.

    In the order of the text; the place of its definition is among them. A hyphen ends a word here:
    "BCC-like" has an occurrence of "BCC".
    """
    single = short[:-1] if _is_plural(short) else short
    for match in re.finditer(rf"(?<!\w){re.escape(single)}s?(?!\w)", text):
        yield Span(*match.span())


def long_forms(text: str) -> list[tuple[Span, Span]]:
    """Every occurrence of every short form that the text defines, with its long form's place.

    Pairs of (occurrence, long form), short form by short form.
    """
    return [
        (at, found.long_span)
        for found in abbreviations(text)
        for at in occurrences(text, found.short)
    ]


def expanded(span: Span, defined: Iterable[tuple[Span, Span]]) -> list[Span]:
    """The pieces of text that spell a span out: long forms stand where it has short ones.

    A short form whose long form the span holds too is left as it is. `defined` comes from
    `long_forms`. The pieces are in the order to be read, which need not be that of the text; a
    span without a short form is the only piece.
    """
    pieces, at = [], span.start
    for short, long in sorted(defined):
        holds_both = span.start <= long.start and long.end <= span.end
        # Behind the last one only: of short forms that overlap the first is spelt out.
        if at <= short.start and short.end <= span.end and not holds_both:
            pieces += [Span(at, short.start), long]
            at = short.end
    return [piece for piece in (*pieces, Span(at, span.end)) if piece.start < piece.end]


def _outside_in(text: str, opening: int, inside: Span) -> Abbreviation | None:
    """`long form (SHORT)`."""
    short = text[inside.start : inside.end]
    if not _is_short_form(short):
        return None
    return _defined(text, inside, _stripped(text, max(0, opening - _REACH), opening))


def _inside_out(text: str, opening: int, inside: Span) -> Abbreviation | None:
    """`SHORT (long form)`; the short form is one word here."""
    # Not the whole text: that would be gone through again for every parenthesis.
    word = _LAST_WORD.search(text, max(0, opening - _SHORT_LENGTH.stop - 1), opening)
    if word is None:
        return None
    short = _stripped(text, *word.span(1))
    if not _is_short_form(text[short.start : short.end]):
        return None
    return _defined(text, short, inside)


def _defined(text: str, short: Span, room: Span) -> Abbreviation | None:
    """The abbreviation whose long form ends where the room ends, if there is one."""
    form = text[short.start : short.end]
    start = _sentence_start(text, room)
    # "BCCs" first as it is, as in "basal cell carcinomas", then as "BCC".
    for spelt in (form, form[:-1]) if _is_plural(form) else (form,):
        at = _long_form(spelt, text[start : room.end])
        if at is None:
            at = _initials(spelt, text[start : room.end])
        if at is not None and _plausible(spelt, text[start + at : room.end]):
            span = Span(start + at, room.end)
            return Abbreviation(form, text[span.start : span.end], short, span)
    return None


def _long_form(short: str, room: str) -> int | None:
    """Where the shortest long form starts: the paper's `findBestLongForm`, from right to left.

    Each letter and digit of the short form must be found, in order; the first of them begins a
    word. None where that fails. Where it starts is an offset in `room`.
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
    # The letter may stand behind a hyphen: the whole word belongs to the long form.
    while at > 0 and not (room[at - 1].isspace() or room[at - 1] in "([\"'"):
        at -= 1
    return at


def _initials(short: str, room: str) -> int | None:
    """Where the words start whose initials are the letters of the short form, in any order.

    As many of the last words of `room` as there are letters; None where their initials differ.
    """
    letters = sorted(short.lower())
    words = list(WORD.finditer(room))[-len(letters) :]
    if sorted(word.group()[0].lower() for word in words) != letters:
        return None
    return words[0].start()


def _plausible(short: str, long: str) -> bool:
    """The paper's conditions on a long form; and what it opens, it closes."""
    words = long.split()
    return (
        len(long) > len(short)
        and len(words) <= min(len(short) + 5, len(short) * 2)
        and short not in words
        and long.count("(") == long.count(")")
        and long.count("[") == long.count("]")
    )


def _is_short_form(form: str) -> bool:
    return (
        len(form) in _SHORT_LENGTH
        and len(form.split()) <= _SHORT_WORDS
        and form[0].isalnum()
        and any(character.isupper() for character in form)
        and not any(word.islower() and word.isalpha() for word in form.split())
    )


def _is_plural(form: str) -> bool:
    return len(form) > 2 and form[-1] == "s" and form[-2].isupper()


def _sentence_start(text: str, room: Span) -> int:
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
