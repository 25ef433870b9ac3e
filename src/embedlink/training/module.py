"""The LightningModule: optimises the objective and encodes windows for evaluation.

What a step does is in `objective`, which MedCAT's own training shares. Batches come from
`datamodule`. Callbacks ask for a fresh index and make metrics of the vectors.
"""

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.states import StateCache
from embedlink.encoder.tokens import Sequences
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.linker import Linker
from embedlink.linking.reranker import Reranker
from embedlink.objective.batch import TrainBatch
from embedlink.objective.objective import Losses, Objective
from embedlink.objective.optim import parameter_groups, step_seed
from embedlink.objective.settings import ObjectiveSettings, Targets
from embedlink.training.batches import EncodeBatch
from embedlink.training.schedule import scheduled

Weights = Mapping[str, Tensor]
"""Weights of an encoder by the names of its parameters."""

OptimizerFactory = Callable[[list[dict[str, object]]], Optimizer]
"""What a `_partial_` optimizer in the configuration becomes."""


class LinkerModule(L.LightningModule):
    """Trains a linker, and owns the concept index that it trains and is measured with.

    The index is built of `names`, which are tokenised once. It goes stale with every step and
    with every checkpoint that is loaded, and `fresh_index` builds it anew.

    `weight_decay` applies to weight matrices only. `warmup_share` is that of `scheduled`. `seed`
    decides dropout and what a step draws. The other settings are the objective's.
    """

    def __init__(
        self,
        linker: Linker,
        names: ConceptNames,
        loss: nn.Module,
        optimizer: OptimizerFactory,
        *,
        targets: Targets = ObjectiveSettings.targets,
        nil_weight: float = ObjectiveSettings.nil_weight,
        hide_own_name: bool = ObjectiveSettings.hide_own_name,
        encoded_negatives: int | None = None,
        weight_decay: float = 0.01,
        warmup_share: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.linker, self.names = linker, names
        self.name_sequences: Sequences = linker.tokenise(names)
        self.objective = Objective(
            linker,
            loss,
            targets=targets,
            nil_weight=nil_weight,
            hide_own_name=hide_own_name,
            encoded_negatives=encoded_negatives,
        )
        self.optimizer = optimizer
        self.weight_decay, self.warmup_share, self.seed = weight_decay, warmup_share, seed
        self._index_stale = True

    def fresh_index(self) -> ConceptIndex:
        """The index of the present weights, which also becomes the objective's.

        It is built only if weights have changed since the last call. If several processes train,
        each encodes its share of the names, so all of them must call this.
        """
        if self._index_stale:
            index = self.linker.build_index(self.names, self.name_sequences, together=True)
            # Lightning evaluates in inference mode, whose tensors cannot take part in training.
            with torch.inference_mode(False), torch.no_grad():
                self.objective.use_index(index, self.name_sequences)
            self._index_stale = False
        return self.objective.index

    def use_weights(self, weights: Weights) -> None:
        """Give the encoder these weights. It keeps those that are not among them."""
        self.linker.encoder.load_state_dict(weights, strict=False)
        self._index_stale = True

    def rerank_with(self, reranker: Reranker) -> None:
        """Let the linker compare its nearest concepts again. Evaluation then does so too."""
        self.linker = replace(self.linker, reranker=reranker)

    def cache_states(self, cache: StateCache) -> None:
        """Compute once what lies below the encoder's trainable layers, for all names."""
        encoder = self.linker.encoder
        self.name_sequences = cache.freeze(
            encoder, self.name_sequences, "Names", precision=encoder.precision
        )

    def training_step(self, batch: TrainBatch, batch_idx: int) -> Tensor:
        """One step. What it draws depends on seed and step alone. Shape: ().

        So a run that resumes repeats what an uninterrupted run does.
        """
        seed = step_seed(self.seed, self.global_step)
        torch.manual_seed(seed)  # For dropout, on every device.
        losses: Losses = self.objective(batch, torch.Generator().manual_seed(seed))
        size = len(batch.gold)
        for name, value in zip(("loss", "linking_loss", "nil_loss"), losses, strict=True):
            self.log(
                f"train/{name}", value, on_epoch=True, on_step=False, batch_size=size,
                prog_bar=name == "loss",
            )  # fmt: skip
        return losses.total

    def on_before_optimizer_step(self, optimizer: Optimizer) -> None:
        """Weights are about to change."""
        self._index_stale = True

    def validation_step(self, batch: EncodeBatch, batch_idx: int) -> Tensor:
        """Encode windows. The evaluation callback collects the vectors.

        They are float32 whatever the trainer's precision, as those of the index and of a pack are.

        Shape: -> (batch, dim).
        """
        with torch.autocast(self.device.type, enabled=False):
            vectors: Tensor = self.objective.encoder(batch.windows)
        return vectors.float()

    test_step = validation_step

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer over what can change, with linear warm-up and decay."""
        optimizer = self.optimizer(parameter_groups(self, self.weight_decay))
        return scheduled(optimizer, self.trainer, self.warmup_share)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave out frozen parameters, which never change and need no second copy on disk.

        Buffers stay, and with them the calibration and the threshold of the link decision.
        """
        frozen = {name for name, p in self.named_parameters() if not p.requires_grad}
        for name in frozen:
            checkpoint["state_dict"].pop(name, None)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the frozen parameters back. The index is one of other weights now."""
        self._index_stale = True
        # Lightning loads strictly: a state dict that lacks a parameter is an error.
        for name, parameter in self.named_parameters():
            if not parameter.requires_grad:
                checkpoint["state_dict"].setdefault(name, parameter.detach())
