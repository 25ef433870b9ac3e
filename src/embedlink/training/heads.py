"""How an encoder with a head is trained: all of its layers, and the head faster.

`tagger` and `reranker` bring the batches and the loss.
"""

from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.optim import AdamW, Optimizer

from embedlink.device import computing_in
from embedlink.encoder.headed import HeadedEncoder
from embedlink.encoder.tokens import EncoderBatch
from embedlink.objective.optim import parameter_groups, step_seed
from embedlink.training.schedule import scheduled

HEAD_LR = 10
"""The head starts from nothing, so it learns this many times faster than the encoder."""


class HeadedModule(L.LightningModule):
    """Trains all layers of an encoder and its head, in place. Token embeddings do not change.

    `lr` is the highest rate of the encoder. It is reached after `warmup_share` of all steps, which
    lies in [0, 1]. `seed` decides what a step draws, dropout included.
    """

    def __init__(
        self,
        model: HeadedEncoder[Any],
        *,
        lr: float,
        weight_decay: float,
        warmup_share: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.model, self.lr, self.seed = model, lr, seed
        self.weight_decay, self.warmup_share = weight_decay, warmup_share
        model.language_model.get_input_embeddings().requires_grad_(False)

    def logits(self, batch: EncoderBatch) -> Tensor:
        """The model's logits, in the fastest precision that trains as well.

        Their shape is that of the model's `forward`.
        """
        with computing_in("auto", self.device):
            logits: Tensor = self.model(batch)
        return logits

    def seed_step(self) -> None:
        """Let what is drawn in a step depend on seed and step alone."""
        torch.manual_seed(step_seed(self.seed, self.global_step))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with linear warm-up and decay. The head learns faster than the encoder."""
        # Each call gives a group for a link decision as well, which is empty here.
        groups = parameter_groups(self.model.language_model, self.weight_decay)
        heads = parameter_groups(self.model.head, self.weight_decay)
        faster = [group | {"lr": HEAD_LR * self.lr} for group in heads]
        optimizer: Optimizer = AdamW([*groups, *faster], lr=self.lr)
        return scheduled(optimizer, self.trainer, self.warmup_share)
