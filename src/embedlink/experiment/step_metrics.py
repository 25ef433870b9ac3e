"""Logs the loss of single steps and the learning rate during training."""

from typing import Any

import lightning as L
from lightning.pytorch.callbacks import Callback
from torch import Tensor

from embedlink.objective.batch import TrainBatch


class StepMetrics(Callback):
    """Logs `train/step_loss` and `train/lr` once every `every` steps.

    `train/lr` is the rate of the first parameter group. Reading a loss waits for the device, so
    not every step is logged.
    """

    def __init__(self, every: int = 10) -> None:
        self.every = every

    def on_train_batch_end(
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Any,
        batch: TrainBatch,
        batch_idx: int,
    ) -> None:
        """Log at the first step and then once every `every` steps."""
        if (trainer.global_step - 1) % self.every or not trainer.loggers:
            return
        loss = outputs["loss"] if isinstance(outputs, dict) else outputs
        found = {"train/lr": float(trainer.optimizers[0].param_groups[0]["lr"])}
        if isinstance(loss, Tensor):
            found["train/step_loss"] = float(loss)
        for logger in trainer.loggers:
            logger.log_metrics(found, step=trainer.global_step)
