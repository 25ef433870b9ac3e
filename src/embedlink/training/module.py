"""The LightningModule: optimises the objective and encodes windows for evaluation.

What a step does is in `objective`, which MedCAT's own training shares; batches come from
`datamodule`. Callbacks keep the index fresh and make metrics of the vectors that validation gives.
"""

from collections.abc import Callable
from typing import Any

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.tokens import EncoderBatch, Sequences
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.linker import Linker
from embedlink.objective.losses import Targets
from embedlink.objective.objective import Losses, Objective, TrainBatch, parameter_groups, step_seed

OptimizerFactory = Callable[[list[dict[str, object]]], Optimizer]
"""What a `_partial_` optimizer in the configuration becomes."""


class LinkerModule(L.LightningModule):
    """Trains a linker against an index that a callback keeps fresh.

    `names` are what the index is built of; their tokens are made once, and a callback may put
    cached states in place of `name_sequences`. `weight_decay` goes for matrices, `warmup_share`
    in [0, 1] is that of `scheduled`. `seed` decides dropout and what a step draws. The rest is
    the objective's. `index` is None before the first `refresh_index` and after loading weights.
    """

    def __init__(
        self,
        linker: Linker,
        names: ConceptNames,
        loss: nn.Module,
        optimizer: OptimizerFactory,
        *,
        targets: Targets = "names",
        nil_weight: float = 1.0,
        hide_own_name: bool = False,
        encoded_negatives: int | None = None,
        weight_decay: float = 0.01,
        warmup_share: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.linker, self.names = linker, names
        self.name_sequences: Sequences = linker.tokenise(names)
        self.objective = Objective(
            linker, loss, targets, nil_weight, hide_own_name, encoded_negatives
        )
        self.optimizer = optimizer
        self.weight_decay, self.warmup_share, self.seed = weight_decay, warmup_share, seed
        self.index: ConceptIndex | None = None

    def refresh_index(self) -> ConceptIndex:
        """Encode all names with the present weights, each process its share.

        Returns the index, which is kept and becomes the objective's. Where several processes
        train, all of them must call it.
        """
        self.index = self.linker.build_index(self.names, self.name_sequences, together=True)
        # Lightning evaluates in inference mode, whose tensors cannot take part in training.
        with torch.inference_mode(False), torch.no_grad():
            self.objective.use_index(self.index, self.name_sequences)
        return self.index

    def training_step(self, batch: TrainBatch, batch_idx: int) -> Tensor:
        """One step; dropout and negatives depend on seed and step alone. Shape: ().

        A run that resumes thus repeats what an uninterrupted one does.
        """
        seed = step_seed(self.seed, self.global_step)
        torch.manual_seed(seed)  # Dropout's, of every device.
        generator = torch.Generator().manual_seed(seed)
        losses: Losses = self.objective(batch, generator)
        size = len(batch.gold)
        for name, value in zip(("loss", "linking_loss", "nil_loss"), losses, strict=True):
            self.log(
                f"train/{name}", value, on_epoch=True, on_step=False, batch_size=size,
                prog_bar=name == "loss",
            )  # fmt: skip
        return losses.total

    def validation_step(self, batch: tuple[Tensor, EncoderBatch], batch_idx: int) -> Tensor:
        """Encode windows; the evaluation callback collects the vectors. Shape: (batch, dim).

        `batch` holds rows of the split's table and their windows. Vectors are float32 whatever
        the trainer's precision, as those of the index and of a pack are.
        """
        with torch.autocast(self.device.type, enabled=False):
            vectors: Tensor = self.objective.encoder(batch[1])
        return vectors.float()

    test_step = validation_step

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW (or what `optimizer` says) over what can change; linear warm-up and decay."""
        optimizer = self.optimizer(parameter_groups(self, self.weight_decay))
        return scheduled(optimizer, self.trainer, self.warmup_share)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Leave out what never changes: a frozen encoder needs no second copy on disk.

        Buffers stay, and with them the link decision's calibration and threshold.
        """
        frozen = {name for name, p in self.named_parameters() if not p.requires_grad}
        for name in frozen:
            checkpoint["state_dict"].pop(name, None)

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Put the frozen weights back, and forget the index of other weights."""
        self.index = None
        # Lightning loads strictly: a state dict that lacks a parameter is an error.
        for name, parameter in self.named_parameters():
            if not parameter.requires_grad:
                checkpoint["state_dict"].setdefault(name, parameter.detach())


def scheduled(
    optimizer: Optimizer, trainer: L.Trainer, warmup_share: float
) -> OptimizerLRSchedulerConfig:
    """The optimizer with a rate that rises over this share of all steps, then falls to 0.

    Both are linear and move with every step. Each parameter group has a highest rate of its own.
    Tagger and reranker train by it too. `warmup_share` in [0, 1]; 0 begins at the highest rate.
    """
    total = max(1, int(trainer.estimated_stepping_batches))
    warmup = int(warmup_share * total)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup  # The first step counts: its rate is not 0.
        return max(0.0, (total - step) / max(1, total - warmup))

    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"},
    }
