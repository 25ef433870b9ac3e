"""The best epoch of a run, kept as a checkpoint."""

from typing import Any, NamedTuple

import lightning as L
from lightning.pytorch.callbacks import ModelCheckpoint


class BestEpoch(ModelCheckpoint):
    """Keeps the best epoch, even if the run goes on in another folder.

    The checkpoint in the old folder is read and left alone. A better epoch is written to the new
    folder.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best epoch so far. Lightning alone forgets it if the folder is new."""
        # Lightning takes metrics over only if the checkpoint names the folder that is in use.
        super().load_state_dict(state_dict | {"dirpath": self.dirpath})


class Best(NamedTuple):
    """The best epoch's checkpoint and its metric: None and 0 if no epoch was measured."""

    checkpoint: str | None
    metric: float


def best_epoch(trainer: L.Trainer) -> Best:
    """The best epoch so far.

    The first checkpoint callback decides. In `conf/callbacks` that is the best epoch's.
    """
    kept = trainer.checkpoint_callback
    if not isinstance(kept, ModelCheckpoint) or not kept.best_model_path:
        return Best(None, 0.0)
    return Best(kept.best_model_path, float(kept.best_model_score or 0.0))
