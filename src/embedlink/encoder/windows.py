"""Context windows: the tokens around a mention, cut so that the mention always survives.

A text is tokenised once, and every window is made of its tokens: the context is counted in words,
as users count it, and the limit in tokens, as the encoder does. Beside a window a linker may read
the mention's own text (its surface), laid out as a name is.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import torch
from transformers import PreTrainedTokenizerBase

from embedlink.encoder.tokens import MentionSequences, SpecialTokens, TokenSequences
from embedlink.text.abbreviations import expanded, long_forms
from embedlink.text.words import WORD_OR_SIGNS, readable
from embedlink.types import Span


class Cut(NamedTuple):
    """The token ids of a window, the range of them that is the mention, and those of its surface.

    The surface is the mention's own text, with abbreviations that the text defines spelt out.
    `window` has its special tokens, `surface` has none yet; `mention` is half-open, in tokens of
    `window`, and never empty.
    """

    window: list[int]
    mention: tuple[int, int]
    surface: list[int]


class TextTokens(NamedTuple):
    """A text's token ids, with the characters at which each starts and ends.

    One entry of each for a token. Characters between tokens, blanks mostly, are in none.
    """

    ids: list[int]
    starts: list[int]
    ends: list[int]

    @classmethod
    def of(cls, ids: list[int], offsets: Sequence[tuple[int, int]]) -> "TextTokens":
        """From what a tokenizer gives."""
        return cls(ids, [start for start, _ in offsets], [end for _, end in offsets])

    def range(self, start: int, end: int) -> tuple[int, int]:
        """The tokens that touch a range of characters, half-open; empty where none does."""
        return bisect_right(self.ends, start), bisect_left(self.starts, end)


@dataclass(frozen=True)
class WindowCutter:
    """Cuts windows of `context_window` words on each side, of at most `max_tokens` tokens.

    `max_tokens` includes the tokenizer's special tokens. Where a window is too long, it loses
    tokens at its ends, evenly; where the mention alone is too long, it loses its middle.
    `surfaces` adds the mentions' own text as sequences of their own, with the abbreviations that
    a text defines spelt out; a surface obeys `max_tokens`, too. No mention is refused: one without
    any token (blanks, zero-width characters) gets a window that is pooled as a whole.
    """

    tokenizer: PreTrainedTokenizerBase
    context_window: int = 14
    max_tokens: int = 64
    surfaces: bool = False

    @cached_property
    def _special(self) -> SpecialTokens:
        return SpecialTokens.of(self.tokenizer)

    @property
    def room(self) -> int:
        """Tokens left for text beside the special ones."""
        return self.max_tokens - len(self._special.before) - len(self._special.after)

    def __call__(
        self, texts: Iterable[tuple[str, Sequence[tuple[int, int]]]]
    ) -> TokenSequences | MentionSequences:
        """What a linker reads of every span (half-open characters) of every text, in order.

        Shape: (spans,) sequences over all texts.
        """
        return self.sequences([cut for text, spans in texts for cut in self.cut(text, spans)])

    def sequences(self, cuts: Sequence[Cut]) -> TokenSequences | MentionSequences:
        """The windows and, with `surfaces`, the mentions' own text beside them.

        Equal surfaces are kept once. Shape: (cuts,) sequences, in order.
        """
        pad = self.tokenizer.pad_token_id or 0
        mentions = [cut.mention for cut in cuts]
        windows = TokenSequences.of([cut.window for cut in cuts], mentions, pad, note=True)
        if not self.surfaces:
            return windows
        row_of: dict[tuple[int, ...], int] = {}
        rows = [row_of.setdefault(tuple(cut.surface), len(row_of)) for cut in cuts]
        before, after = self._special
        # A surface without tokens pools the special token behind it: an average needs one.
        surfaces = TokenSequences.of(
            [[*before, *surface, *after] for surface in row_of],
            [(len(before), len(before) + max(len(surface), 1)) for surface in row_of],
            pad,
        )
        return MentionSequences(windows, surfaces, torch.tensor(rows, dtype=torch.int64))

    def cut(self, text: str, spans: Sequence[tuple[int, int]]) -> Iterator[Cut]:
        """Cut one window for every span of a text, in the order of the spans.

        Spans are half-open characters, in any order, and may overlap.
        """
        if not spans:
            return
        # Not one window at a time: they overlap, and a cut end could be tokenised differently.
        # A text longer than the encoder reads is no cause for the tokenizer's warning here.
        encoded = self.tokenizer(
            readable(text), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        tokens = TextTokens.of(encoded["input_ids"], encoded["offset_mapping"])
        words = [match.span() for match in WORD_OR_SIGNS.finditer(text)]
        defined = long_forms(text) if self.surfaces else []
        for start, end in spans:
            reach = tokens.range(*self._reach(words, start, end))
            window, mention = self._fit(tokens.ids, tokens.range(start, end), reach)
            surface = [
                token
                for piece in expanded(Span(start, end), defined)
                for token in tokens.ids[slice(*tokens.range(*piece))]
            ]
            yield Cut(window, mention, self._shortened(surface))

    def _reach(self, words: list[tuple[int, int]], start: int, end: int) -> tuple[int, int]:
        """Characters from `context_window` words before the mention to as many after it.

        Words that the mention cuts into are its own. `words` are half-open characters, in order.
        """
        if not words or self.context_window == 0:
            return start, end
        touching = bisect_right(words, start, key=lambda word: word[1])
        after = bisect_left(words, end, key=lambda word: word[0])
        # `touching` is the first word that reaches behind the mention's start, `after` the first
        # that begins at its end or later.
        first = max(touching - self.context_window, 0)
        last = min(after + self.context_window, len(words)) - 1
        return min(start, words[first][0]), max(end, words[last][1])

    def _shortened(self, tokens: list[int]) -> list[int]:
        """The tokens without their middle, where they are too many."""
        if len(tokens) <= self.room:
            return tokens
        head = (self.room + 1) // 2
        return tokens[:head] + tokens[len(tokens) - (self.room - head) :]

    def _fit(
        self, tokens: list[int], mention: tuple[int, int], window: tuple[int, int]
    ) -> tuple[list[int], tuple[int, int]]:
        """Take the mention's tokens whole, and as many around them as fit, evenly.

        `mention` and `window` are half-open ranges of `tokens`. Returns the ids with special tokens
        around them, and the range of them to be pooled.
        """
        first, last = mention
        last = max(first, last)
        inner = self._shortened(tokens[first:last])
        spare = self.room - len(inner)
        left, right = max(first - window[0], 0), max(window[1] - last, 0)
        # Half of what is spare, and of the other half what the right side is too short to use.
        take_left = min(left, max(spare // 2, spare - right))
        take_right = min(right, spare - take_left)
        body = tokens[first - take_left : first] + inner + tokens[last : last + take_right]
        at = len(self._special.before) + take_left
        pooled = (at, at + len(inner))
        if not inner:  # Nothing to pool (a span of zero-width characters): pool the window.
            pooled = (len(self._special.before), len(self._special.before) + max(len(body), 1))
        return [*self._special.before, *body, *self._special.after], pooled
