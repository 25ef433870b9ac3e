"""Runs of words in a text that may be a name in another spelling.

A run consists of whole tokens, with a limited number of content words. All of its content words
occur in names. No run crosses a full stop or a bracket.
"""

from collections.abc import Container, Iterator, Sequence
from typing import NamedTuple

from medcat.tokenizing.tokens import MutableToken

from embedlink.text.spelling import COORDINATIONS, FUNCTION_WORDS, stem
from embedlink.text.words import LETTERS

_BREAKS = frozenset(".:;?!()[]{}")
"""Punctuation that no run crosses."""
_JOINTS = frozenset(',/&+"')
"""Beside these signs, as beside "and", the order of words counts."""
_APOSTROPHES = ("'", "’", "`")


class RunWord(NamedTuple):
    """A content word of a run."""

    word: str  # folded
    token: int  # position of its token in the document
    first: bool  # whether the word begins its token
    last: bool  # whether the word ends its token
    joined: bool  # whether a comma, a slash or a coordination stands before it
    apart: bool  # whether more than blanks and hyphens stands between it and the word before


def word_runs(
    tokens: Sequence[MutableToken], known: Container[str], longest: int
) -> Iterator[list[RunWord]]:
    """All runs of at most `longest` content words whose stems are `known`."""
    for stretch in _stretches(tokens, known):
        for start, word in enumerate(stretch):
            if word.first:
                for end in range(start + 1, min(start + longest, len(stretch)) + 1):
                    if stretch[end - 1].last:
                        yield stretch[start:end]


def _stretches(tokens: Sequence[MutableToken], known: Container[str]) -> Iterator[list[RunWord]]:
    """Content words in a row, cut at breaks and at words that no name has."""
    stretch: list[RunWord] = []
    joined = apart = False
    for row, token in enumerate(tokens):
        words = LETTERS.findall(token.base.lower)
        joined = joined or _joins(token, words)
        # The "s" of a possessive is not a content word, but it does not cut a stretch.
        if words == ["s"] and row and tokens[row - 1].base.text.endswith(_APOSTROPHES):
            continue
        content = [(at, word) for at, word in enumerate(words) if word not in FUNCTION_WORDS]
        apart = apart or (not content and token.base.text.strip("-") != "")
        if not all(stem(word) in known for _, word in content) or _breaks(token, words):
            yield stretch
            stretch = []
        else:
            for at, word in content:
                last = at == len(words) - 1
                stretch.append(
                    RunWord(word, row, first=at == 0, last=last, joined=joined, apart=apart)
                )
                joined = apart = False  # Only the next content word is tied to what was before.
    yield stretch


def _joins(token: MutableToken, words: Sequence[str]) -> bool:
    # A capital is a letter of a name: "vitamin E" in a text in English.
    joined = not COORDINATIONS.isdisjoint(words) and token.base.text[:1].islower()
    return joined or (not words and not _JOINTS.isdisjoint(token.base.text))


def _breaks(token: MutableToken, words: Sequence[str]) -> bool:
    return not words and not _BREAKS.isdisjoint(token.base.text)
