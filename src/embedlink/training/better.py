"""Keeps the weights that are better on validation documents, trained or published.

Training does not help on every corpus. So the weights of the last epochs are averaged, and the
encoder is measured at several points between the published weights and that average.
"""

import logging
from collections.abc import Mapping
from typing import Any, NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn

from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.layers import trainable
from embedlink.linking.linker import Linker
from embedlink.training.best_epoch import best_epoch
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.evaluation import measure_as
from embedlink.training.module import LinkerModule, Weights

log = logging.getLogger(__name__)

AMOUNTS = (0.0, 0.25, 0.5, 0.75, 1.0)
"""Shares of the way from the published weights to the averaged ones. 0 keeps the published ones."""

BEST_EPOCH = "best_epoch"


def trained_weights(encoder: ContextEncoder) -> Weights:
    """A copy of the weights that training can change, on the CPU."""
    return {name: weight.detach().cpu().clone() for name, weight in trainable(encoder)}


def between(published: Weights, trained: Weights, amount: float) -> Weights:
    """Weights on the straight line between two, at `amount` in [0, 1] of the way."""
    return {name: weight.lerp(trained[name], amount) for name, weight in published.items()}


class LastEpochs(Callback):
    """Keeps the encoder's weights of the last epochs, also in checkpoints."""

    def __init__(self, epochs: int = 2) -> None:
        self.epochs = epochs
        self.weights: list[Weights] = []

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Copy the weights. A checkpoint of this epoch is written later, and holds them."""
        assert isinstance(pl_module, LinkerModule)
        if trainer.state.fn == TrainerFn.FITTING:
            kept = [*self.weights, trained_weights(pl_module.linker.encoder)]
            self.weights = kept[-self.epochs :]

    def average(self) -> Weights:
        """The mean of the epochs that are kept, of which there is at least one."""
        return {
            name: torch.stack([weights[name] for weights in self.weights]).mean(0)
            for name in self.weights[0]
        }

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {"weights": [dict(weights) for weights in self.weights]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over what a stopped run had."""
        self.weights = list(state_dict["weights"])


class Kept(NamedTuple):
    """The weights that were kept, and how all that were tried did on validation documents."""

    name: str  # `BEST_EPOCH`, or an amount
    scores: Mapping[str, float]  # the monitored metric of each try
    f1: float  # of the weights that were kept


def keep_better(
    trainer: L.Trainer, module: LinkerModule, data: LinkingDataModule, published: Weights
) -> Kept | None:
    """Leave the module with the weights of which the monitored metric is best.

    The best epoch is tried, and `AMOUNTS` of the way from `published` to the average of the last
    epochs. The link decision is the trained one, calibrated anew for each. Of equally good weights
    those nearest to `published` are kept. The result is None if no epoch was measured.
    """
    (path, _), linker = best_epoch(trainer), module.linker
    if path is None:
        return None
    monitor = str(getattr(trainer.checkpoint_callback, "monitor", None))
    # Read now, because a checkpoint that is loaded brings the weights of its own last epochs.
    average = _average(trainer)
    measure_as(trainer, "trial")
    trainer.validate(module, data, ckpt_path=path, verbose=False)
    best = _Tried.of(trainer, linker, monitor)
    name, scores = BEST_EPOCH, {BEST_EPOCH: best.score}
    for amount in AMOUNTS if average else ():
        module.use_weights(between(published, average, amount))
        trainer.validate(module, data, verbose=False)
        tried = _Tried.of(trainer, linker, monitor)
        scores[f"{amount:g}"] = tried.score
        tie = name == BEST_EPOCH and tried.score == best.score
        if tried.score > best.score or tie:
            name, best = f"{amount:g}", tried
    measure_as(trainer, "test")
    module.use_weights(best.weights)
    linker.decision.load_state_dict(best.decision)
    kept = Kept(name, scores, best.f1)
    if average:
        _say(monitor, kept)
    return kept


class _Tried(NamedTuple):
    """Weights with the link decision that was calibrated for them, and how they did."""

    weights: Weights
    decision: Weights
    score: float
    f1: float

    @classmethod
    def of(cls, trainer: L.Trainer, linker: Linker, monitor: str) -> "_Tried":
        metrics = trainer.callback_metrics
        decision = {name: tensor.clone() for name, tensor in linker.decision.state_dict().items()}
        score, f1 = float(metrics[monitor]), float(metrics["val/f1"])
        return cls(trained_weights(linker.encoder), decision, score, f1)


def _average(trainer: L.Trainer) -> Weights:
    """The average of the last epochs. It is empty if no epoch was kept or nothing trains."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, LastEpochs) and callback.weights:
            return callback.average()
    return {}


def _say(monitor: str, kept: Kept) -> None:
    known = {BEST_EPOCH: "the best epoch is kept", "0": "the published ones are kept"}
    said = known.get(kept.name, f"{kept.name} of the way from published to trained is kept")
    log.info(
        "weights: %s (%s %.3f; published %.3f, trained %.3f)",
        said, monitor, kept.scores[kept.name], kept.scores["0"], kept.scores["1"],
    )  # fmt: skip
