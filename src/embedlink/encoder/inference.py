"""Runs a model over many sequences: in eval mode, without gradient, in batches of like length.

Each batch is yielded as soon as it is computed, so results need not all be in memory at once.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch
from torch import Tensor, nn

from embedlink.device import Precision, computing_in
from embedlink.encoder.tokens import EncoderBatch, Sequences
from embedlink.progress import progress_bar

CPU_TOKENS, GPU_TOKENS = 4096, 65536
"""Tokens in a batch: what stays in a processor's cache, and what fills a GPU."""


class Computed(NamedTuple):
    """What was computed of a batch."""

    rows: Tensor  # (batch,) of the sequences, on the CPU
    result: Tensor  # (batch, …) on the device, an inference tensor that cannot be trained with


def default_tokens(device: torch.device) -> int:
    """How many tokens a batch has on this device if nobody says."""
    return GPU_TOKENS if device.type == "cuda" else CPU_TOKENS


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Set eval mode within the block. The mode before it comes back, even after an error."""
    was_training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(was_training)


def computed(
    model: nn.Module,
    compute: Callable[[EncoderBatch], Tensor],
    sequences: Sequences,
    *,
    device: torch.device,
    precision: Precision,
    token_budget: int | None = None,
    progress: str | None = None,
) -> Iterator[Computed]:
    """Yield what `compute` makes of each batch, with the model in eval mode.

    Batches come as `sequences` cuts them, not in the order of rows. A batch has at most
    `token_budget` tokens, padding included. `progress` names a progress bar, and without it there
    is none. The model gets its mode back even if the caller stops early or an error ends the loop.
    """
    with evaluating(model), progress_bar(len(sequences), progress, "texts") as bar:
        for rows in sequences.batches(token_budget or default_tokens(device)):
            # Now and not later: streamed names exist until the next rows are asked for.
            batch = _pinned(sequences.batch(rows), device).to(device)
            # The contexts end before the yield, or they would hold in the caller.
            with torch.inference_mode(), computing_in(precision, device):
                result = compute(batch)
            yield Computed(rows, result)
            bar.update(len(rows))


def _pinned(batch: EncoderBatch, device: torch.device) -> EncoderBatch:
    """The batch in memory that a GPU can copy from while it computes."""
    return batch.each(Tensor.pin_memory) if device.type == "cuda" else batch


@dataclass(frozen=True)
class Share:
    """What one of several processes encodes: every `count`-th batch of the same sequences.

    `number` is that of the process, from 0. Together the shares hold every row once.
    """

    sequences: Sequences
    number: int
    count: int

    def __len__(self) -> int:
        return len(self.sequences)

    @property
    def lengths(self) -> Tensor:
        """Tokens in each sequence, of all processes. Shape: (sequences,) int64."""
        return self.sequences.lengths

    def batch(self, rows: Tensor) -> EncoderBatch:
        """The given sequences, padded to the longest of them. Shape: rows (batch,)."""
        return self.sequences.batch(rows)

    def batches(self, token_budget: int) -> Iterator[Tensor]:
        """Rows of the batches of this process. Shape: (batch,) each."""
        return islice(self.sequences.batches(token_budget), self.number, None, self.count)
