"""Context windows: the tokens around a mention, cut so that the mention always survives.

A text is tokenised once, and every window is made of its tokens. The context is counted in words,
as users count it, and the limit in tokens, as the encoder counts it. A linker may also read the
mention's own text, which is its surface. It is laid out as a name is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from embedlink.encoder.shared import SharedWindows
from embedlink.encoder.tokens import MentionSequences, SpecialTokens, TokenSequences
from embedlink.text.abbreviations import expanded, long_forms
from embedlink.text.words import WORD_OR_SIGNS, readable
from embedlink.types import Span

Windows = TokenSequences | SharedWindows | MentionSequences
"""What a linker reads of mentions: a sequence for each of them."""


class Cut(NamedTuple):
    """Token ids of a window and of its mention's surface.

    The surface is the mention's own text. If it has an abbreviation that the text defines, the long
    form takes its place.
    """

    window: list[int]  # with special tokens
    mention: tuple[int, int]  # half-open range of `window`, never empty
    surface: list[int]  # without special tokens


class SharedWindow(NamedTuple):
    """Token ids of a window, and where several spans stand in it."""

    window: list[int]  # with special tokens
    mentions: dict[int, tuple[int, int]]  # half-open ranges of `window` by number of the span


class TextTokens(NamedTuple):
    """A text's tokens. Characters between them, which are mostly blanks, are in none."""

    ids: list[int]
    starts: list[int]  # first character of each token
    ends: list[int]  # character behind each token

    @classmethod
    def of(cls, ids: list[int], offsets: Sequence[tuple[int, int]]) -> "TextTokens":
        """Take them from a tokenizer's ids and its offsets, which are half-open characters."""
        return cls(ids, [start for start, _ in offsets], [end for _, end in offsets])

    def range(self, start: int, end: int) -> tuple[int, int]:
        """The half-open range of tokens that touch a range of characters. Empty if none does."""
        return bisect_right(self.ends, start), bisect_left(self.starts, end)


def piece_of(token: int, count: int, room: int) -> int:
    """The first token of the piece in which a token is read, of a text of `count` tokens.

    A text that fits into `room` tokens is one piece. Otherwise cores lie end to end, and a piece is
    a core with an eighth of the room on both sides. So no token is read beside a cut.
    """
    if count <= room:
        return 0
    margin = room // 8
    step = room - 2 * margin
    return max(token // step * step - margin, 0)


@dataclass(frozen=True)
class WindowCutter:
    """Cuts windows of `context_window` words on each side, of at most `max_tokens` tokens.

    `max_tokens` includes special tokens. A window that is too long loses as many tokens on the left
    as on the right. If the mention alone is too long, it loses its middle. `surfaces` adds the
    mentions' own text as sequences of their own, within the same limit.

    With `note_tokens` a window is a piece of the note of at most so many tokens, special tokens
    included, whatever `context_window` and `max_tokens` say. Pieces overlap, and a mention is read
    in the one that holds most text around it. All mentions of a piece share it.

    No mention is refused. A mention may have no token, for example one of zero-width characters.
    Then its whole window is pooled.
    """

    tokenizer: PreTrainedTokenizerBase
    context_window: int = 14
    max_tokens: int = 64
    surfaces: bool = False
    note_tokens: int | None = None

    @cached_property
    def _special(self) -> SpecialTokens:
        return SpecialTokens.of(self.tokenizer)

    @property
    def room(self) -> int:
        """Tokens left for text after the special ones."""
        return self.max_tokens - len(self._special.before) - len(self._special.after)

    def __call__(self, texts: Iterable[tuple[str, Sequence[tuple[int, int]]]]) -> Windows:
        """What a linker reads of every span of every text, in their order.

        Spans are half-open ranges of characters. Shape: -> (spans,) sequences.
        """
        return self.sequences([cut for text, spans in texts for cut in self.cut(text, spans)])

    def sequences(self, cuts: Sequence[Cut]) -> Windows:
        """The windows, with the mentions' own text if `surfaces` is true.

        Equal surfaces are kept once. Shape: -> (cuts,) sequences, in their order.
        """
        pad = self.tokenizer.pad_token_id or 0
        mentions = [cut.mention for cut in cuts]
        windows: TokenSequences | SharedWindows
        if self.note_tokens is None:
            windows = TokenSequences.of([cut.window for cut in cuts], mentions, pad, note=True)
        else:
            windows = SharedWindows.of([cut.window for cut in cuts], mentions, pad)
        if not self.surfaces:
            return windows
        row_of: dict[tuple[int, ...], int] = {}
        rows = [row_of.setdefault(tuple(cut.surface), len(row_of)) for cut in cuts]
        before, after = self._special
        # A surface without tokens pools the special token behind it, for an average needs one.
        surfaces = TokenSequences.of(
            [[*before, *surface, *after] for surface in row_of],
            [(len(before), len(before) + max(len(surface), 1)) for surface in row_of],
            pad,
        )
        return MentionSequences(windows, surfaces, torch.tensor(rows, dtype=torch.int64))

    def cut(self, text: str, spans: Sequence[tuple[int, int]]) -> Iterator[Cut]:
        """Cut one window for every span of a text, in the order of the spans.

        Spans are half-open ranges of characters. They may come in any order and overlap.
        """
        if not spans:
            return
        # The text and not each window, because windows overlap, and a cut end could be tokenised
        # differently.
        tokens = self._tokens(text)
        words = [match.span() for match in WORD_OR_SIGNS.finditer(text)]
        defined = long_forms(text) if self.surfaces else []
        for start, end in spans:
            if self.note_tokens is None:
                reach = tokens.range(*self._reach(words, start, end))
                window, mention = self._fit(tokens.ids, tokens.range(start, end), reach)
            else:
                window, mention = self._piece(tokens.ids, tokens.range(start, end))
            surface = [
                token
                for piece in expanded(Span(start, end), defined)
                for token in tokens.ids[slice(*tokens.range(*piece))]
            ]
            yield Cut(window, mention, self._shortened(surface))

    def together(self, text: str, spans: Sequence[tuple[int, int]]) -> Iterator[SharedWindow]:
        """Cut windows that spans of a text share. Every span is in one of them.

        Spans share a window if they reach over at most half of its room, so that each keeps
        context on both sides. They are half-open ranges of characters, in any order.
        """
        tokens = self._tokens(text)
        words = [match.span() for match in WORD_OR_SIGNS.finditer(text)]
        ranges = [tokens.range(start, end) for start, end in spans]
        for group in _near(ranges, self.room // 2):
            start, end = spans[group[0]][0], max(spans[at][1] for at in group)
            stretch, reach = tokens.range(start, end), tokens.range(*self._reach(words, start, end))
            window, pooled = self._fit(tokens.ids, stretch, reach)
            mentions = {}
            for at in group:
                first, last = (token - stretch[0] + pooled[0] for token in ranges[at])
                # A span without tokens pools what the whole window would.
                mentions[at] = (first, min(last, pooled[1])) if first < last else pooled
            yield SharedWindow(window, mentions)

    def _tokens(self, text: str) -> TextTokens:
        # The tokenizer need not warn that a whole text is too long for the encoder.
        encoded = self.tokenizer(
            readable(text), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        return TextTokens.of(encoded["input_ids"], encoded["offset_mapping"])

    def _reach(self, words: list[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
        """Characters from `context_window` words before the mention to as many after it.

        A word that the mention cuts into belongs to it. `words` are half-open characters, in order.
        """
        if not words or self.context_window == 0:
            return start, end
        touching = bisect_right(words, start, key=lambda word: word[1])
        after = bisect_left(words, end, key=lambda word: word[0])
        # `touching` is the first word that ends behind the mention's start. `after` is the first
        # word that begins at the mention's end or later.
        first = max(touching - self.context_window, 0)
        last = min(after + self.context_window, len(words)) - 1
        return min(start, words[first][0]), max(end, words[last][1])

    def _shortened(self, tokens: list[int]) -> list[int]:
        """The tokens, without their middle if they are too many."""
        if len(tokens) <= self.room:
            return tokens
        head = (self.room + 1) // 2
        return tokens[:head] + tokens[len(tokens) - (self.room - head) :]

    def _piece(
        self, tokens: list[int], mention: tuple[int, int]
    ) -> tuple[list[int], tuple[int, int]]:
        """The piece of the note that holds the mention's middle far from both ends.

        `mention` is a half-open range of `tokens`. Returns the ids with special tokens, and the
        range of them to be pooled. A mention that is longer than the piece loses its ends.
        """
        before, after = self._special
        assert self.note_tokens is not None
        room = self.note_tokens - len(before) - len(after)
        low = piece_of(sum(mention) // 2, len(tokens), room)
        body = tokens[low : low + room]
        first = min(max(mention[0] - low, 0), len(body))
        last = min(max(mention[1] - low, first), len(body))
        if first == last:  # There is nothing else to pool.
            first, last = 0, max(len(body), 1)
        pooled = (len(before) + first, len(before) + last)
        return [*before, *body, *after], pooled

    def _fit(
        self, tokens: list[int], mention: tuple[int, int], window: tuple[int, int]
    ) -> tuple[list[int], tuple[int, int]]:
        """Take the mention's tokens whole, and evenly as many around them as fit.

        `mention` and `window` are half-open ranges of `tokens`. Returns the ids with special
        tokens, and the range of them to be pooled.
        """
        first, last = mention
        last = max(first, last)
        inner = self._shortened(tokens[first:last])
        spare = self.room - len(inner)
        left, right = max(first - window[0], 0), max(window[1] - last, 0)
        # Half of what is spare, and what the right side is too short to use.
        take_left = min(left, max(spare // 2, spare - right))
        take_right = min(right, spare - take_left)
        body = tokens[first - take_left : first] + inner + tokens[last : last + take_right]
        at = len(self._special.before) + take_left
        pooled = (at, at + len(inner))
        if not inner:  # There is nothing else to pool.
            pooled = (len(self._special.before), len(self._special.before) + max(len(body), 1))
        return [*self._special.before, *body, *self._special.after], pooled


def _near(ranges: Sequence[tuple[int, int]], most: int) -> Iterator[list[int]]:
    """Positions of token ranges, by start, in groups that reach over at most `most` tokens."""
    group: list[int] = []
    for at in sorted(range(len(ranges)), key=ranges.__getitem__):
        if group and ranges[at][1] - ranges[group[0]][0] > most:
            yield group
            group = []
        group.append(at)
    if group:
        yield group
