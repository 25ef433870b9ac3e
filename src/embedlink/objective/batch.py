"""The batch that a linker trains on, under Lightning and inside MedCAT."""

from typing import NamedTuple

import torch
from torch import Tensor

from embedlink.encoder.tokens import EncoderBatch
from embedlink.linking.choice import Candidates


class TrainBatch(NamedTuple):
    """Mentions to train on, with what annotators and detection say of them.

    A mention with a known gold concept counts in the linking loss. A detection counts in the NIL
    loss, which teaches what annotators leave alone. Many mentions count in both.
    """

    windows: EncoderBatch
    gold: Tensor  # (batch,) int64 concept row, negative if none is known
    detected: Tensor  # (batch,) bool, whether detection proposed the span
    linked: Tensor  # (batch,) bool, whether annotators linked the detection, see `is_linked`
    counts: Tensor  # (batch, 2) from `NameCounts.features`
    candidates: Candidates  # they stay on the CPU, where they are looked up
    hide_own_name: bool = False  # whether a mention may not learn from the name that it equals

    def to(self, device: torch.device | str) -> "TrainBatch":
        """The batch on another device. Lightning calls this too, so candidates stay behind."""
        return self._replace(
            windows=self.windows.to(device),
            gold=self.gold.to(device),
            detected=self.detected.to(device),
            linked=self.linked.to(device),
            counts=self.counts.to(device),
        )
