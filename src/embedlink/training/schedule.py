"""The learning rate over a training run."""

import lightning as L
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR


def scheduled(
    optimizer: Optimizer, trainer: L.Trainer, warmup_share: float
) -> OptimizerLRSchedulerConfig:
    """The optimizer with a rate that rises over a share of all steps and then falls to 0.

    Both are linear, and the rate moves with every step. Each parameter group has its own highest
    rate. `warmup_share` lies in [0, 1], and 0 begins at the highest rate.
    """
    total = max(1, int(trainer.estimated_stepping_batches))
    warmup = int(warmup_share * total)

    def factor(step: int) -> float:
        if step < warmup:
            return (step + 1) / warmup  # The first step counts, so its rate is not 0.
        return max(0.0, (total - step) / max(1, total - warmup))

    return {
        "optimizer": optimizer,
        "lr_scheduler": {"scheduler": LambdaLR(optimizer, factor), "interval": "step"},
    }
