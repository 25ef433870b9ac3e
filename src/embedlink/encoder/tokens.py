"""Token sequences kept flat, and the padded batches that an encoder reads.

Names and context windows are the same thing to the encoder: token ids, and the range of them that
pooling averages. They are tokenised once and batched by length. An encoder asks for the rows of
each batch and for the batch of these rows, and knows no more of what it encodes (`Sequences`).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple, Protocol

import numpy as np
import torch
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from embedlink.progress import progress_bar
from embedlink.text.words import readable


class MentionTokens(NamedTuple):
    """The tokens of each mention of a batch, padded to the longest mention."""

    positions: Tensor  # (batch, mention) int64, in tokens of the sequence
    mask: Tensor  # (batch, mention) float32, 1 on tokens and 0 on padding

    @classmethod
    def of(cls, mention_mask: Tensor) -> "MentionTokens":
        """Read them off a mask. Shape: (batch, tokens)."""
        counts = mention_mask.sum(1).long()  # (batch,)
        column = torch.arange(int(counts.max()), device=mention_mask.device)  # (mention,)
        inside = column < counts[:, None]
        # Stable, so the tokens of the mask come first and in their order.
        order = mention_mask.argsort(dim=1, descending=True, stable=True)
        return cls(order[:, : len(column)] * inside, inside.to(mention_mask.dtype))

    def among(self, mask: Tensor) -> "MentionTokens":
        """The same tokens, counted among the tokens of the mask alone, as `of` lays them out.

        Positions count the tokens of all sequences end to end. Shape: mask (batch, tokens).
        """
        width = int(mask.sum(1).max())
        place = (mask.cumsum(1).long() - 1).clamp(min=0)  # (batch, tokens)
        place += width * torch.arange(len(mask), device=mask.device)[:, None]
        return MentionTokens(place.flatten()[self.positions], self.mask)


class EncoderBatch(NamedTuple):
    """A padded batch.

    If it has `states`, these were computed below the top `layers` layers, and only those layers
    are still to run. If it has `shared`, several mentions are pooled from one sequence. Then the
    positions count the tokens of all sequences end to end, padding included.
    """

    input_ids: Tensor  # (batch, tokens) int64
    attention_mask: Tensor  # (batch, tokens) int64, 1 on tokens and 0 on padding
    mention_mask: Tensor  # (batch, tokens) float32, 1 on the mention's tokens
    states: Tensor | None = None  # (batch, tokens, dim) float
    layers: int = 0
    surface: "EncoderBatch | None" = None  # the mentions' own text, beside their windows
    note: bool = False  # whether these are windows of notes, not names
    shared: MentionTokens | None = None  # (mentions, mention) each

    def to(self, device: torch.device | str) -> "EncoderBatch":
        """The batch on another device. Lightning calls this too."""
        return self.each(lambda tensor: tensor.to(device, non_blocking=True))

    def each(self, change: Callable[[Tensor], Tensor]) -> "EncoderBatch":
        """The batch with every tensor changed, also those of `surface`."""
        ids, attention, mention = map(change, self[:3])
        return EncoderBatch(
            ids,
            attention,
            mention,
            None if self.states is None else change(self.states),
            self.layers,
            None if self.surface is None else self.surface.each(change),
            self.note,
            None if self.shared is None else MentionTokens(*map(change, self.shared)),
        )


class Sequences(Protocol):
    """What an encoder can encode: sequences of known length that come as padded batches."""

    def __len__(self) -> int:
        """Number of sequences."""

    @property
    def lengths(self) -> Tensor:
        """Tokens in each sequence. Shape: (sequences,) int64."""

    def batch(self, rows: Tensor) -> EncoderBatch:
        """The given sequences, padded to the longest. Shape: rows (batch,)."""

    def batches(self, token_budget: int) -> Iterator[Tensor]:
        """Rows of all sequences in batches. Shape: (batch,) each."""


@dataclass(frozen=True)
class TokenSequences:
    """Token ids of many sequences, end to end."""

    ids: Tensor  # (tokens,) int32 of all sequences
    starts: Tensor  # (sequences + 1,) int64 first token of each, and the end of the last
    mention: Tensor  # (sequences, 2) int64 half-open token range that mention attention pools
    pad_id: int  # fills the batches
    note: bool = False  # whether these are windows of notes, which may have their own tower

    @classmethod
    def of(
        cls,
        ids: Sequence[Sequence[int]],
        mention: Sequence[tuple[int, int]],
        pad_id: int,
        note: bool = False,
    ) -> "TokenSequences":
        """Flatten lists of token ids with their mention ranges, which are half-open.

        The caller puts special tokens in.
        """
        starts = torch.tensor([0, *(len(row) for row in ids)], dtype=torch.int64).cumsum(0)
        # `torch.tensor` is slow at reading a list of lists as one flat stream.
        flat = np.fromiter(chain.from_iterable(ids), np.int32, int(starts[-1]))
        ranges = torch.tensor(mention, dtype=torch.int64).reshape(-1, 2)
        return cls(torch.from_numpy(flat), starts, mention=ranges, pad_id=pad_id, note=note)

    @classmethod
    def joined(cls, parts: Sequence["TokenSequences"], pad_id: int) -> "TokenSequences":
        """The sequences of all parts, one part after the other. `pad_id` is for all of them."""
        if not parts:
            return cls.of([], [], pad_id)
        lengths = torch.cat([torch.zeros(1, dtype=torch.int64), *(part.lengths for part in parts)])
        ids = torch.cat([part.ids for part in parts])
        return cls(
            ids,
            lengths.cumsum(0),
            mention=torch.cat([part.mention for part in parts]),
            pad_id=pad_id,
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def shared(self) -> Tensor | None:
        """None: no two sequences are read together."""
        return None

    @property
    def lengths(self) -> Tensor:
        """Tokens in each sequence. Shape: (sequences,)."""
        return self.starts[1:] - self.starts[:-1]

    def positions(self, rows: Tensor) -> tuple[Tensor, Tensor]:
        """The place in `ids` of each cell of a padded batch, and which cells are filled.

        A cell that is not filled points at a token of another sequence, so it must be masked.

        Shape: rows (batch,) -> source (batch, tokens) int64, filled (batch, tokens) bool.
        """
        lengths = self.lengths[rows]
        position = torch.arange(int(lengths.max()) if len(rows) else 0)  # (tokens,)
        # There is nothing behind the last sequence, so its padding points at the last token.
        source = (self.starts[rows][:, None] + position).clamp(max=max(len(self.ids) - 1, 0))
        return source, position < lengths[:, None]

    def select(self, rows: Tensor) -> "TokenSequences":
        """The given sequences alone. Shape: rows (n,)."""
        source, filled = self.positions(rows)
        starts = torch.cat([rows.new_zeros(1), self.lengths[rows].cumsum(0)])
        ids = self.ids[source[filled]]
        return TokenSequences(ids, starts, self.mention[rows], self.pad_id, self.note)

    def batch(self, rows: Tensor) -> EncoderBatch:
        """Pad the given sequences to the longest of them. Shape: rows (batch,)."""
        source, filled = self.positions(rows)
        # There are many, so they are kept in 32 bits. A batch has the usual 64.
        ids = torch.where(filled, self.ids[source].long(), self.pad_id)
        first, last = self.mention[rows].unbind(1)  # (batch,) each
        position = torch.arange(ids.shape[1])
        mention = (position >= first[:, None]) & (position < last[:, None])
        return EncoderBatch(ids, filled.long(), mention.float(), note=self.note)

    def batches(self, token_budget: int) -> Iterator[Tensor]:
        """Rows in batches of at most `token_budget` tokens, padding included.

        A batch has sequences of one length if enough have it. Sequences of a length too rare to
        fill an eighth of the budget go with shorter ones. A sequence longer than the budget is a
        batch by itself. The longest come first, so that running out of memory shows at once.

        Shape: (batch,) each.
        """
        order = torch.argsort(self.lengths, descending=True, stable=True)
        distinct, counts = torch.unique_consecutive(self.lengths[order], return_counts=True)
        # Rows of the order from `at` to `end` wait to become batches.
        at = end = 0
        for length, count in zip(distinct.tolist(), counts.tolist(), strict=True):
            end += count
            widest = max(1, int(self.lengths[order[at]])) if at < end else 1
            # They are too few yet, and shorter ones are to come, which are padded to these.
            if (end - at) * widest < token_budget // 8 and length != distinct[-1]:
                continue
            yield from order[at:end].split(max(1, token_budget // widest))
            at = end


@dataclass(frozen=True)
class MentionSequences:
    """Context windows, each with its mention's own text, which is its surface.

    Rows are those of windows. Their surfaces come along in each batch.
    """

    windows: Sequences
    surfaces: Sequences  # distinct texts, laid out as names are
    surface: Tensor  # (windows,) int64 row of each mention's text in `surfaces`

    def __len__(self) -> int:
        return len(self.windows)

    @property
    def lengths(self) -> Tensor:
        """Tokens in each window. Shape: (windows,) int64."""
        return self.windows.lengths

    @property
    def shared(self) -> Tensor | None:
        """The window of each mention if mentions share windows. Shape: (mentions,) int64."""
        return getattr(self.windows, "shared", None)

    def batch(self, rows: Tensor) -> EncoderBatch:
        """The given windows and their surfaces, padded to the longest. Shape: rows (batch,)."""
        surface = self.surfaces.batch(self.surface[rows])
        return self.windows.batch(rows)._replace(surface=surface)

    def batches(self, token_budget: int) -> Iterator[Tensor]:
        """Rows of all windows in batches of like length. Shape: (batch,) each."""
        return self.windows.batches(token_budget)


class SpecialTokens(NamedTuple):
    """What a tokenizer puts before and after one sequence."""

    before: list[int]
    after: list[int]

    @classmethod
    def of(cls, tokenizer: PreTrainedTokenizerBase) -> "SpecialTokens":
        """Read them off the tokenizer (`[CLS] … [SEP]` for BERT, `<s> … </s>` for RoBERTa)."""
        # Any text will do. What stands around its own ids is special.
        bare: list[int] = tokenizer("a", add_special_tokens=False)["input_ids"]
        built: list[int] = tokenizer("a")["input_ids"]
        at = next(i for i in range(len(built)) if built[i : i + len(bare)] == bare)
        return cls(built[:at], built[at + len(bare) :])


def tokenise_names(
    tokenizer: PreTrainedTokenizerBase,
    texts: Sequence[str],
    max_tokens: int,
    chunk: int = 16384,
    progress: str | None = None,
) -> TokenSequences:
    """Tokenise names in their order, and pool all tokens of each name.

    A name is cut to `max_tokens`, special tokens included. A name without tokens has nothing to
    pool. Names are tokenised `chunk` at a time, because lists of ids take ten times the room of
    the ids alone. `progress` names a progress bar, and without it there is none.
    """
    special, pad_id = SpecialTokens.of(tokenizer), tokenizer.pad_token_id or 0
    room = max_tokens - len(special.before) - len(special.after)
    first, parts = len(special.before), []
    with progress_bar(len(texts), progress, "texts") as bar:
        for at in range(0, len(texts), chunk):
            own = [readable(text) for text in texts[at : at + chunk]]
            # Texts that are too long are cut just below, so no warning about them is due.
            encoded = tokenizer(own, add_special_tokens=False, verbose=False)["input_ids"]
            rows = [[*special.before, *ids[:room], *special.after] for ids in encoded]
            mention = [(first, max(first, len(row) - len(special.after))) for row in rows]
            parts.append(TokenSequences.of(rows, mention, pad_id))
            bar.update(len(own))
    return TokenSequences.joined(parts, pad_id)
