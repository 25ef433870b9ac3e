"""What happens before weights are used: states are cached, and the index is fresh.

Lightning calls callbacks in the order of `conf/callbacks`, and the order matters. Frozen states
come first, because the index is built from them. Evaluation searches the index. The checkpoint is
last: it needs the metric, and it holds the threshold that evaluation chose.
"""

from pathlib import Path

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback

from embedlink.encoder.states import StateCache
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.module import LinkerModule


class FrozenStates(Callback):
    """Computes once what lies below the trainable layers, for windows and names.

    It comes before `IndexRefresh`, which then has less work. `budget` counts bytes. What does not
    fit into memory goes to `folder`, or to the system's temporary folder if none is given. The
    windows take from the budget first and the names last. `StateCache` says what happens to the
    rest.
    """

    def __init__(self, budget: int, folder: str | None = None) -> None:
        self.cache = StateCache(budget, Path(folder) if folder else None)
        self.done = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A run may begin with training."""
        self._freeze(trainer, pl_module)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A run may begin with the untrained linker on validation documents."""
        self._freeze(trainer, pl_module)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A run may begin with the test split."""
        self._freeze(trainer, pl_module)

    def _freeze(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        """Cache the states of windows and names, once in a run."""
        if self.done:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(module, LinkerModule)
        assert isinstance(data, LinkingDataModule)
        # Lightning evaluates in inference mode, whose tensors cannot take part in training.
        with torch.inference_mode(False), torch.no_grad():
            data.cache_states(self.cache, module.linker.encoder)
            module.cache_states(self.cache)
        self.done = True


class IndexRefresh(Callback):
    """Has the module build its index anew if weights have changed since it was built.

    An index costs a pass over all names, so there is one for each epoch. The epoch that ended is
    measured with it, and the next epoch learns from it.
    """

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Training needs targets."""
        assert isinstance(pl_module, LinkerModule)
        pl_module.fresh_index()

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The epoch that ended changed the weights."""
        assert isinstance(pl_module, LinkerModule)
        pl_module.fresh_index()

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The best epoch's weights may just have been loaded."""
        assert isinstance(pl_module, LinkerModule)
        pl_module.fresh_index()
