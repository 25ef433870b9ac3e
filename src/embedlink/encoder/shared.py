"""Windows that several mentions share: each is read once, and every mention pools its own tokens.

A linker that reads notes (`reads=note`) cuts a note into few long windows. All mentions of a window
come out of one pass of the encoder.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from embedlink.encoder.tokens import EncoderBatch, MentionTokens, Sequences, TokenSequences
from embedlink.ragged import Groups


@dataclass(frozen=True)
class SharedWindows:
    """A sequence for each mention, of windows that are kept and read once."""

    windows: Sequences  # (windows,)
    window: Tensor  # (mentions,) int64 row of `windows`
    mention: Tensor  # (mentions, 2) int64 half-open token range in the window, never empty

    @classmethod
    def of(
        cls, windows: Sequence[list[int]], mention: Sequence[tuple[int, int]], pad_id: int
    ) -> "SharedWindows":
        """Keep equal windows once. `windows` holds the token ids of each mention's window."""
        row_of: dict[tuple[int, ...], int] = {}
        window = [row_of.setdefault(tuple(ids), len(row_of)) for ids in windows]
        # Mentions are pooled by their own ranges, so any range will do here.
        distinct = TokenSequences.of(list(row_of), [(0, 1)] * len(row_of), pad_id, note=True)
        ranges = torch.tensor(mention, dtype=torch.int64).reshape(-1, 2)
        return cls(distinct, torch.tensor(window, dtype=torch.int64), ranges)

    def __len__(self) -> int:
        return len(self.window)

    @property
    def note(self) -> bool:
        """They are windows of notes, which may have their own tower."""
        return True

    @property
    def shared(self) -> Tensor:
        """The window of each mention. Shape: (mentions,) int64."""
        return self.window

    @property
    def lengths(self) -> Tensor:
        """Tokens in the window of each mention. Shape: (mentions,) int64."""
        return self.windows.lengths[self.window]

    def batch(self, rows: Tensor) -> EncoderBatch:
        """The windows of these mentions, each once, padded to the longest. Shape: rows (n,)."""
        distinct, place = torch.unique(self.window[rows], return_inverse=True)
        batch = self.windows.batch(distinct)
        first, last = self.mention[rows].unbind(1)  # (n,) each
        column = torch.arange(int((last - first).max()) if len(rows) else 0)
        inside = column < (last - first)[:, None]  # (n, column)
        # Windows lie end to end, each as long as the longest.
        positions = place[:, None] * batch.input_ids.shape[1] + first[:, None] + column
        pooled = torch.zeros(batch.input_ids.numel())
        pooled[positions[inside]] = 1.0
        return batch._replace(
            mention_mask=pooled.view(batch.input_ids.shape),
            shared=MentionTokens(positions * inside, inside.float()),
        )

    def batches(self, token_budget: int) -> Iterator[Tensor]:
        """Rows of all mentions, those of one window together. Shape: (batch,) each.

        A batch reads at most `token_budget` tokens, padding included, or one window.
        """
        order = torch.argsort(self.window, stable=True)
        counts = torch.bincount(self.window, minlength=len(self.windows))
        mentions = Groups.sized(order, counts)
        for windows in self.windows.batches(token_budget):
            yield mentions.expand(windows)[1]
