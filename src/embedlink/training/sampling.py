"""Training batches of sequences of like length, in an order that a seed decides alone.

A data module keeps everything flat, in tables and tensors. A loader hands out row numbers only, and
a batch is cut out of the tables by its rows. So no sample is made of a single row, and no worker
process is needed.
"""

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from embedlink.objective.optim import step_seed

STRETCH = 32
"""Batches among which rows are sorted by length."""


class Rows(Dataset[int]):
    """The rows of a table, by number."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> int:
        return row


class LengthBatches(Sampler[list[int]]):
    """Every row once an epoch, in batches of like length. One batch may be smaller.

    The order depends on the seed and the epoch alone, so a run that resumes in epoch 3 sees what
    an uninterrupted run sees. The epoch is 0 until `set_epoch` is called. Rows that share a
    sequence stay beside each other, so that a batch reads few sequences.
    """

    def __init__(
        self, lengths: Tensor, batch_size: int, seed: int, shared: Tensor | None = None
    ) -> None:
        self.lengths = lengths  # (rows,) tokens in the sequence of each row
        self.shared = shared  # (rows,) int64 sequence of each row, None if each has its own
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0

    @property
    def sampler(self) -> "LengthBatches":
        """Lightning tells the epoch to this attribute of a batch sampler."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        stretches = torch.arange(len(self.lengths)).split(STRETCH * self.batch_size)
        return sum(-(-len(stretch) // self.batch_size) for stretch in stretches)

    def __iter__(self) -> Iterator[list[int]]:
        """Shuffle rows, sort stretches of them by length, cut batches, and shuffle these."""
        generator = torch.Generator().manual_seed(step_seed(self.seed, self.epoch))
        order = torch.randperm(len(self.lengths), generator=generator)  # (rows,)
        if self.shared is not None:
            place = torch.randperm(int(self.shared.max()) + 1, generator=generator)
            order = order[place[self.shared[order]].argsort(stable=True)]
        batches: list[Tensor] = []
        # Sorting all rows would leave little to chance, and sorting none would mean much padding.
        for stretch in order.split(STRETCH * self.batch_size):
            by_length = stretch[self.lengths[stretch].argsort(stable=True)]
            batches.extend(by_length.split(self.batch_size))
        for at in torch.randperm(len(batches), generator=generator).tolist():
            yield batches[at].tolist()


def training_loader(
    lengths: Tensor,
    batch: Callable[[Tensor], Any],
    *,
    batch_size: int,
    seed: int,
    shared: Tensor | None = None,
) -> DataLoader[int]:
    """A loader of what `batch` makes of the rows of each batch.

    Shape: lengths (rows,) tokens, shared (rows,) as in `LengthBatches`, and `batch` takes rows
    (batch,).
    """
    return DataLoader(
        Rows(len(lengths)),
        batch_sampler=LengthBatches(lengths, batch_size, seed, shared),
        collate_fn=lambda rows: batch(torch.tensor(rows)),
    )


def encoding_loader(
    batches: Iterator[Tensor], batch: Callable[[Tensor], Any], *, count: int
) -> DataLoader[int]:
    """A loader of batches that are only encoded, in their order. Shape: batches (batch,) rows."""
    return DataLoader(
        Rows(count),
        batch_sampler=[rows.tolist() for rows in batches],
        collate_fn=lambda rows: batch(torch.tensor(rows)),
    )
