"""What MLflow is told about a run beside its metrics. Never any text of a document."""

import subprocess
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning as L
import mlflow
import yaml
from hydra.utils import instantiate
from lightning.pytorch.loggers import Logger, MLFlowLogger
from omegaconf import DictConfig, OmegaConf

from embedlink.experiment.config import flat
from embedlink.experiment.evaluate import data_baseline
from embedlink.experiment.mlflow_report import log_report
from embedlink.experiment.stages import Data
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.evaluation import files_of


class RunLogger(MLFlowLogger):
    """Lightning's logger of MLflow, for a run of several stages.

    Every `validate`, `test` and `fit` of a trainer finalises its loggers, and MLflow's would show
    the run as finished after the first of them. Here only a failure ends it; `run_ends` does the
    rest, so a run that was killed stays `RUNNING` and is not taken for a result.
    """

    def finalize(self, status: str = "success") -> None:
        """End the run if it failed."""
        if status != "success":
            super().finalize(status)


@contextmanager
def run_ends(loggers: Iterable[Logger]) -> Iterator[None]:
    """End the run with the block: as finished, or as failed where an error or Ctrl-C leaves it."""
    status = "failed"
    try:
        yield
        status = "finished"
    finally:
        for logger in loggers:
            logger.finalize(status)


def describe_run(trainer: L.Trainer, cfg: DictConfig, data: Data, folder: Path) -> None:
    """Log the configuration as flat parameters and a file, and what identifies code and data."""
    for logger in trainer.loggers:
        logger.log_hyperparams(parameters(cfg))
        if isinstance(logger, MLFlowLogger) and logger.run_id:
            client = logger.experiment
            described = yaml.safe_dump(resolved(cfg), sort_keys=False)
            client.log_text(logger.run_id, described, "config.yaml")
            for key, value in _identity(data, folder).items():
                client.set_tag(logger.run_id, key, value)
            log_data(logger, data)
        logger.log_metrics({"data/names_added": float(len(data.enriched))}, step=0)


def log_data(logger: MLFlowLogger, data: Data) -> None:
    """Log the corpora as datasets with digests, and the metrics of the data report."""
    mlflow.set_tracking_uri(logger._tracking_uri)
    with mlflow.start_run(run_id=logger.run_id):
        log_report(data.report)
    logger.experiment.update_run(logger.run_id, "RUNNING")  # `start_run` ends what it opens.


def log_baselines(
    trainer: L.Trainer, cfg: DictConfig, data: Data, datamodule: LinkingDataModule
) -> None:
    """Log what each of `cfg.baselines` reaches on the test split, as `baseline/<name>/…`."""
    for name in cfg.baselines:
        table, rule = datamodule.tables["test"], cfg.data.code_rule
        metrics = data_baseline(name, data, table, rule).metrics
        for logger in trainer.loggers:
            found = {f"baseline/{name}/{key}": value for key, value in metrics.items()}
            logger.log_metrics(found, step=0)


def log_evaluation(
    cfg: DictConfig, data: Data, metrics: dict[str, float], files: Sequence[Path]
) -> None:
    """Log the metrics and files of `evaluate.py` as a run of its own."""
    if not cfg.get("logger"):
        return
    logger = instantiate(cfg.logger)
    with run_ends([logger]):
        logger.log_hyperparams(parameters(cfg))
        stage = "val" if cfg.split == "validation" else cfg.split  # As training logs it.
        logger.log_metrics({f"{stage}/{k}": v for k, v in metrics.items()}, step=0)
        for key, value in _identity(data, files[0].parent).items():
            logger.experiment.set_tag(logger.run_id, key, value)
        for file in files:
            logger.experiment.log_artifact(logger.run_id, str(file))


def note_results(trainer: L.Trainer, f1: float, checkpoint: Path, shipped: Path) -> None:
    """Log the validation F1 of what was tested, and tag the run with the paths of what it leaves.

    These are the linker, and the pack where one is made.
    """
    for logger in trainer.loggers:
        logger.log_metrics({"best/val_f1": f1}, step=trainer.current_epoch)
        if isinstance(logger, MLFlowLogger) and logger.run_id:
            logger.experiment.set_tag(logger.run_id, "checkpoint", str(checkpoint))
            for file in files_of(trainer):
                logger.experiment.log_artifact(logger.run_id, str(file))
            if shipped != checkpoint:
                logger.experiment.set_tag(logger.run_id, "pack", str(shipped))


def _identity(data: Data, folder: Path) -> dict[str, str]:
    return {"git_commit": git_commit(), "data_digest": data.digest, "folder": str(folder)}


def git_commit() -> str:
    """The checked-out commit, with `-dirty` where files differ from it; "" outside git."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return described.stdout.strip()


def resolved(cfg: DictConfig) -> dict[str, object]:
    """The configuration as plain values."""
    return _plain(cfg, resolve=True)


def parameters(cfg: DictConfig) -> dict[str, object]:
    """All settings as `group.key`; what only names the run's own folder stays `${hydra:…}`.

    Two runs with the same settings thus have the same parameters.
    """
    written = flat(_plain(cfg, resolve=False))
    # What is written as a reference to a group of settings has other keys than its values.
    own = {key: value for key, value in written.items() if "${hydra:" in str(value)}
    values = flat(_plain(cfg, resolve=True))
    return {key: own.get(key, value) for key, value in values.items()}


def _plain(cfg: DictConfig, resolve: bool) -> dict[str, object]:
    container = OmegaConf.to_container(cfg, resolve=resolve)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}
