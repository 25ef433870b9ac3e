"""What happens around training: the index is rebuilt, the linker measured, the result saved.

Lightning calls them in the order of `conf/callbacks`, and the order matters: frozen states first,
then the index, which is built from them, then evaluation, which searches the index, and last the
checkpoint, which needs the metric and holds the threshold that evaluation chose.
"""

import copy
from pathlib import Path
from typing import Any

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from embedlink.corpora.frequencies import TrainingMentions
from embedlink.encoder.states import StateCache
from embedlink.encoder.tokens import TokenSequences
from embedlink.evaluation.operating_point import OperatingPoint
from embedlink.evaluation.report import measure_linker
from embedlink.evaluation.scorer import Scorer
from embedlink.linking.mention_table import MentionTable
from embedlink.problems import EmbedLinkError
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.module import LinkerModule
from embedlink.types import CodeRule


class FrozenStates(Callback):
    """Computes what lies below the trainable layers once, for windows and names.

    It stands before `IndexRefresh`, whose work it makes less. `budget` counts bytes; `folder`
    takes what does not stay in memory (the system's temporary folder by default). The windows of
    training, validation and test take from the budget in this order, the names last; see
    `StateCache` for what does not fit.
    """

    def __init__(self, budget: int, folder: str | None = None) -> None:
        self.cache = StateCache(budget, Path(folder) if folder else None)
        self.done = False

    def on_train_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """A run may begin with training."""
        self._freeze(trainer, pl_module)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Or with measuring the untrained linker."""
        self._freeze(trainer, pl_module)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Or with the test split."""
        self._freeze(trainer, pl_module)

    def _freeze(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        if self.done:
            return
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(module, LinkerModule)
        assert isinstance(data, LinkingDataModule)
        encoder = module.linker.encoder
        # Lightning evaluates in inference mode, whose tensors cannot take part in training.
        with torch.inference_mode(False), torch.no_grad():
            # The tables keep their tokens: `sequences` are what the loaders read.
            for split, table in data.tables.items():
                data.sequences[split] = self.cache.freeze(
                    encoder, table.windows, f"Windows: {split}"
                )
            names = module.name_sequences
            assert isinstance(names, TokenSequences)
            module.name_sequences = self.cache.freeze(
                encoder, names, "Names", precision=encoder.precision
            )
        self.done = True


class IndexRefresh(Callback):
    """Rebuilds the concept index whenever weights may have changed since it was built.

    `built_at` is the optimizer's step then, -1 before. An index costs a pass over all names, so
    one for each epoch does: the epoch that ended is measured by it, the next one learns from it.
    """

    def __init__(self) -> None:
        self.built_at = -1

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Training needs targets."""
        self._refresh(trainer, pl_module)

    def on_validation_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The epoch that ended changed the weights; the index also serves the next epoch."""
        self._refresh(trainer, pl_module)

    def on_test_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """The best epoch's weights were just loaded."""
        self._refresh(trainer, pl_module)

    def _refresh(self, trainer: L.Trainer, module: L.LightningModule) -> None:
        assert isinstance(module, LinkerModule)
        # Steps tell that weights trained. Where others were loaded, the module has no index.
        if module.index is None or self.built_at != trainer.global_step:
            module.refresh_index()
            self.built_at = trainer.global_step


class Evaluation(Callback):
    """Scores the encoded windows of a split and logs the metrics by epoch.

    The link decision is calibrated and its threshold chosen, by `operating_point`, on the
    validation split after every epoch of training; both travel in the weights. Before training
    everything is linked. `folder` takes what is written of the test split, by default nothing.
    `code_rule` says how composites count; an `operating_point` that is none raises
    `EmbedLinkError`. `vectors` holds those of the rows encoded so far, `metrics` those of the test
    split by stage, `baseline` or `test`, and `files` what was written.
    """

    def __init__(
        self,
        code_rule: CodeRule = "first",
        operating_point: object = "f1",
        folder: str | None = None,
    ) -> None:
        self.code_rule: CodeRule = code_rule
        self.operating_point = OperatingPoint.of(operating_point)
        self.folder = Path(folder) if folder else None
        self.vectors: dict[int, Tensor] = {}
        self.metrics: dict[str, dict[str, float]] = {}
        self.files: list[Path] = []
        self.training: TrainingMentions | None = None

    def on_validation_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Keep the vectors of a batch."""
        self.vectors.update(zip(batch[0].tolist(), outputs.cpu(), strict=True))

    def on_test_batch_end(
        self, trainer: L.Trainer, pl_module: L.LightningModule, outputs: Any, batch: Any, *_: Any
    ) -> None:
        """Keep the vectors of a batch."""
        self.vectors.update(zip(batch[0].tolist(), outputs.cpu(), strict=True))

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Score the validation split; epoch 0 is the untrained linker.

        Precision, recall and F1 are left to other callbacks as well, as `val/…`: the best epoch
        and early stopping go by F1.
        """
        assert isinstance(pl_module, LinkerModule)
        trained = trainer.global_step > 0
        scorer, table, vectors = self._encoded(trainer, pl_module, "validation")
        links = None
        if trained:
            # The scorer has a copy of the decision; what it fitted goes into the weights.
            links = scorer.fit(table, vectors, self.operating_point)
            pl_module.linker.decision.load_state_dict(scorer.decision.state_dict())
        metrics = scorer.metrics(table, vectors, links)
        for name in ("precision", "recall", "f1"):
            # Not for the loggers: Lightning would log by step, `_log` does by epoch.
            pl_module.log(f"val/{name}", metrics[name], logger=False, prog_bar=name == "f1")
        # Inside a fit the epoch that ended is not counted yet; a validation after it is none anew.
        epoch = trainer.current_epoch + int(trainer.state.fn == TrainerFn.FITTING)
        self._log(trainer, "val", metrics, epoch)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Score the test split: `baseline` before any training step, `test` after.

        Files are left of `test` only.
        """
        assert isinstance(pl_module, LinkerModule)
        stage = "test" if trainer.global_step > 0 else "baseline"
        measured = measure_linker(*self._encoded(trainer, pl_module, "test"))
        self.metrics[stage] = measured.metrics
        self._log(trainer, stage, measured.metrics, trainer.current_epoch)
        if stage == "test" and self.folder is not None:
            self.files = measured.write(self.folder, "test")

    def _encoded(
        self, trainer: L.Trainer, module: LinkerModule, split: str
    ) -> tuple[Scorer, MentionTable, Tensor]:
        """What scores a split, its table, and the vectors kept. Shape: (spans, dim).

        The vectors come in batches of like length; here they stand in the table's order. None is
        kept afterwards.
        """
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, LinkingDataModule)
        table = data.tables[split]
        if len(self.vectors) < len(table):
            raise EmbedLinkError(
                "a split is measured whole: leave out trainer.limit_val_batches, "
                "limit_test_batches and fast_dev_run; limit_documents makes a short run"
            )
        vectors = torch.stack([self.vectors[row] for row in range(len(table))])
        self.vectors.clear()
        return self._scorer(module, data), table, vectors

    def _scorer(self, module: LinkerModule, data: LinkingDataModule) -> Scorer:
        assert module.index is not None
        if self.training is None:  # Counted once: documents do not change.
            self.training = TrainingMentions.of(data.splits.train)
        # A copy on the CPU, where the vectors are kept, whatever device trains.
        return Scorer(
            data.names,
            module.index,
            copy.deepcopy(module.linker.decision).cpu(),
            data.counts,
            self.code_rule,
            self.training,
            module.linker.reranking(data.names, module.index),
        )

    def _log(self, trainer: L.Trainer, stage: str, metrics: dict[str, float], epoch: int) -> None:
        for logger in trainer.loggers:
            logger.log_metrics({f"{stage}/{k}": v for k, v in metrics.items()}, step=epoch)


def metrics_of(trainer: L.Trainer) -> dict[str, dict[str, float]]:
    """The metrics on the test split: of the `baseline`, and of the `test` after training.

    What was not measured yet is not there. Raises `LookupError` without an `Evaluation`.
    """
    return _evaluation(trainer).metrics


def files_of(trainer: L.Trainer) -> list[Path]:
    """The files that were written of the test split. Raises `LookupError` without `Evaluation`."""
    return _evaluation(trainer).files


def _evaluation(trainer: L.Trainer) -> Evaluation:
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Evaluation):
            return callback
    raise LookupError("the trainer has no Evaluation callback")


class BestEpoch(ModelCheckpoint):
    """Keeps the best epoch, also that of a run which goes on in another folder.

    The other folder's file is read and left alone; a better epoch is written to the new one.
    """

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Take over the best epoch so far; Lightning forgets it where the folder is another."""
        # Lightning takes metrics over only where the checkpoint names the folder that is in use.
        super().load_state_dict(state_dict | {"dirpath": self.dirpath})


def best_epoch(trainer: L.Trainer) -> tuple[str | None, float]:
    """The best epoch's checkpoint and its metric; None and 0 where no epoch was measured.

    It is that of the first checkpoint callback: `conf/callbacks` has the best before the last.
    """
    kept = trainer.checkpoint_callback
    if not isinstance(kept, ModelCheckpoint) or not kept.best_model_path:
        return None, 0.0
    return kept.best_model_path, float(kept.best_model_score or 0.0)
