"""Measures a linker while it trains: on validation documents each epoch, on test documents."""

import copy
from pathlib import Path
from typing import Any, Literal, NamedTuple

import lightning as L
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.trainer.states import TrainerFn
from torch import Tensor

from embedlink.corpora.frequencies import TrainingMentions
from embedlink.evaluation.operating_point import OperatingPoint
from embedlink.evaluation.report import measure_linker
from embedlink.evaluation.scorer import Scorer
from embedlink.linking.entity_linking import EntityLinking
from embedlink.linking.mention_table import MentionTable
from embedlink.problems import EmbedLinkError
from embedlink.training.batches import EncodeBatch
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.module import LinkerModule
from embedlink.types import CodeRule

Stage = Literal["baseline", "test", "trial"]
"""What is measured: the linker before its training, or after. Test metrics have this name.

A trial is a linker that may not be kept, so its metrics are not logged.
"""


MONITORED = frozenset({
    "precision", "recall", "f1", "accuracy_at_1", "accuracy_at_1/unseen_surface",
})  # fmt: skip
"""Metrics of validation documents that may decide which weights are kept."""


class Encoded(NamedTuple):
    """A split whose windows are encoded, and what scores it."""

    scorer: Scorer
    table: MentionTable
    vectors: Tensor  # (spans, dim) of unit length, in the table's order


class Evaluation(Callback):
    """Scores the encoded windows of a split and logs the metrics by epoch.

    In the stage `test`, which is the default, the link decision is calibrated on the validation
    split after every epoch, and its threshold is chosen by `operating_point`. Both are part of the
    weights. In the stage `baseline` everything is linked. `measure_as` says which stage it is.

    `code_rule` says how composites count. What is written of the test split goes to `folder`, if
    one is given. Raises `EmbedLinkError` if `operating_point` is none.
    """

    stage: Stage = "test"

    def __init__(
        self,
        code_rule: CodeRule = "first",
        operating_point: object = "f1",
        folder: str | None = None,
    ) -> None:
        self.code_rule: CodeRule = code_rule
        self.operating_point = OperatingPoint.of(operating_point)
        self.folder = Path(folder) if folder else None
        self.metrics: dict[Stage, dict[str, float]] = {}  # of the test split
        self.files: list[Path] = []
        self._vectors: dict[int, Tensor] = {}  # (dim,) by the row of the split's table
        self._training: TrainingMentions | None = None

    def on_validation_batch_end(  # type: ignore[override]
        self,
        trainer: L.Trainer,
        pl_module: L.LightningModule,
        outputs: Tensor,
        batch: EncodeBatch,
        *_: Any,
    ) -> None:
        """Keep the vectors of a batch."""
        self._vectors.update(zip(batch.rows, outputs.cpu(), strict=True))

    on_test_batch_end = on_validation_batch_end  # type: ignore[assignment]

    def on_validation_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Score the validation split. Epoch 0 is the untrained linker.

        `MONITORED` metrics are there for other callbacks as well, as `val/…`: the best epoch and
        early stopping depend on one of them.
        """
        assert isinstance(pl_module, LinkerModule)
        scorer, table, vectors = self._encoded(trainer, pl_module, "validation")
        links = None
        if self.stage != "baseline":
            # The scorer has a copy of the decision, so what it fits is copied into the weights.
            links = scorer.fit(table, vectors, self.operating_point)
            pl_module.linker.decision.load_state_dict(scorer.decision.state_dict())
        metrics = scorer.metrics(table, vectors, links)
        for name in sorted(metrics.keys() & MONITORED):
            # Not for the loggers: Lightning would log by step, and `_log` logs by epoch.
            pl_module.log(f"val/{name}", metrics[name], logger=False, prog_bar=name == "f1")
        if self.stage == "trial":
            return
        # Inside a fit the epoch that ended is not counted yet. A validation after it is no epoch.
        epoch = trainer.current_epoch + int(trainer.state.fn == TrainerFn.FITTING)
        _log(trainer, "val", metrics, epoch=epoch)

    def on_test_epoch_end(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Score the test split. Only the stage `test` leaves files."""
        assert isinstance(pl_module, LinkerModule)
        measured = measure_linker(*self._encoded(trainer, pl_module, "test"))
        self.metrics[self.stage] = measured.metrics
        _log(trainer, self.stage, measured.metrics, epoch=trainer.current_epoch)
        if self.stage == "test" and self.folder is not None:
            self.files = measured.write(self.folder, "test")

    def _encoded(self, trainer: L.Trainer, module: LinkerModule, split: str) -> Encoded:
        """The split with the vectors that were kept. No vector is kept afterwards.

        They came in batches of like length, and here they are in the table's order.
        """
        data = trainer.datamodule  # type: ignore[attr-defined]
        assert isinstance(data, LinkingDataModule)
        table = data.tables[split]
        if len(self._vectors) < len(table):
            raise EmbedLinkError(
                "a split is measured whole: leave out trainer.limit_val_batches, "
                "limit_test_batches and fast_dev_run; limit_documents makes a short run"
            )
        vectors = torch.stack([self._vectors[row] for row in range(len(table))])
        self._vectors.clear()
        return Encoded(self._scorer(module, data), table, vectors)

    def _scorer(self, module: LinkerModule, data: LinkingDataModule) -> Scorer:
        """What scores a split with the module's present weights."""
        if self._training is None:  # Counted once, because documents do not change.
            self._training = TrainingMentions.of(data.splits.train)
        index = module.fresh_index()
        linking = EntityLinking(
            names=data.names,
            index=index,
            # A copy on the CPU, where the vectors are kept, whatever device trains.
            decision=copy.deepcopy(module.linker.decision).cpu(),
            counts=data.counts,
            reranking=module.linker.reranking(data.names, index),
            consistency=module.linker.settings.consistency,
        )
        return Scorer(linking, code_rule=self.code_rule, training=self._training)


def _log(trainer: L.Trainer, prefix: str, metrics: dict[str, float], *, epoch: int) -> None:
    for logger in trainer.loggers:
        logger.log_metrics({f"{prefix}/{k}": v for k, v in metrics.items()}, step=epoch)


def measure_as(trainer: L.Trainer, stage: Stage) -> None:
    """Say what is measured from now on. Raises `LookupError` without an `Evaluation`."""
    _evaluation(trainer).stage = stage


def metrics_of(trainer: L.Trainer) -> dict[Stage, dict[str, float]]:
    """The metrics on the test split, of each stage that was measured.

    Raises `LookupError` without an `Evaluation`.
    """
    return _evaluation(trainer).metrics


def files_of(trainer: L.Trainer) -> list[Path]:
    """The files that were written of the test split. `LookupError` without an `Evaluation`."""
    return _evaluation(trainer).files


def _evaluation(trainer: L.Trainer) -> Evaluation:
    """The trainer's callback that evaluates."""
    for callback in trainer.callbacks:  # type: ignore[attr-defined]
        if isinstance(callback, Evaluation):
            return callback
    raise LookupError("the trainer has no Evaluation callback")
