"""Logs what describes a run: settings, code, data and results. It logs no text of any document."""

import logging
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import lightning as L
import yaml
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from hydra.utils import instantiate
from mlflow.exceptions import MlflowException
from omegaconf import DictConfig, OmegaConf

from embedlink.experiment.config import flat
from embedlink.experiment.data import Data
from embedlink.experiment.description import describe, size_in_megabytes
from embedlink.experiment.evaluate import data_baseline
from embedlink.experiment.housekeeping import deliver_waiting, end_orphans
from embedlink.experiment.logger import RunLogger
from embedlink.experiment.mlflow_report import dataset_rows
from embedlink.experiment.results import add_result
from embedlink.experiment.resuming import Resumed
from embedlink.experiment.signals import Stopped
from embedlink.experiment.store import StoreAway, experiment_id, one_line, open_store
from embedlink.experiment.tagger_metrics import tagger_metrics
from embedlink.problems import EmbedLinkError
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.evaluation import files_of, metrics_of

log = logging.getLogger(__name__)


def begin(cfg: DictConfig) -> Resumed | None:
    """Prepare a run before any work. Returns the run that it resumes, or None.

    The tracking store is tested, and earlier runs are tidied up. `resume=last` is replaced by the
    folder of the last run. Raises `EmbedLinkError` if the store does not answer.
    """
    folder = Path(HydraConfig.get().runtime.output_dir)
    resumed = Resumed.of(cfg.resume, folder)
    if resumed is not None and cfg.resume == "last":
        log.info("resume=%s", resumed.folder)
        cfg.resume = str(resumed.folder)
    check_tracker(cfg)
    return resumed


def check_tracker(cfg: DictConfig) -> None:
    """Raise `EmbedLinkError` if the tracking store of the configuration does not answer.

    If it answers, waiting events of earlier runs are delivered, and killed runs are ended in it.
    """
    wanted = cfg.get("logger")
    if not wanted or wanted.offline:
        return
    try:
        client = open_store(wanted.tracking_uri)
        experiment = experiment_id(client, wanted.tracking_uri, wanted.experiment_name)
    except (StoreAway, MlflowException) as error:
        raise EmbedLinkError(
            f"the tracking store is away: {one_line(error)}; start it, name another one in "
            "MLFLOW_TRACKING_URI, or log beside the run with logger.offline=true"
        ) from error
    try:
        end_orphans(client, experiment)
        deliver_waiting(_root(Path(wanted.folder)))
    except MlflowException as error:
        log.warning("earlier runs could not be tidied up: %s", one_line(error))


def comparing(cfg: DictConfig) -> str:
    """A sentence on how to compare runs. It is empty without a logger."""
    if not cfg.get("logger"):
        return ""
    uri = str(cfg.logger.tracking_uri)
    return f" Compare runs: make ui ({uri if uri.startswith('http') else 'PORT=5000'})"


def _root(folder: Path) -> Path:
    """The folder that holds runs by day, or sweeps by day if the run is a member of a sweep."""
    in_sweep = HydraConfig.get().mode == RunMode.MULTIRUN
    return folder.resolve().parents[2 if in_sweep else 1]


@contextmanager
def run_ends(loggers: Sequence[object]) -> Iterator[None]:
    """End the run when the block ends.

    The run counts as killed after a signal, as failed after an error, and else as finished.
    Lightning cannot decide this, because it ends its loggers after every stage.
    """
    status = "FAILED"
    try:
        yield
        status = "FINISHED"
    except (KeyboardInterrupt, Stopped):
        status = "KILLED"
        raise
    finally:
        for logger in loggers:
            if isinstance(logger, RunLogger):
                logger.end(status)


def run_loggers(trainer: L.Trainer) -> list[RunLogger]:
    """The trainer's loggers that are `RunLogger`s."""
    return [logger for logger in trainer.loggers if isinstance(logger, RunLogger)]


def run_logger(cfg: DictConfig) -> RunLogger | None:
    """The logger of the configuration, or None if it has none."""
    made: RunLogger | None = instantiate(cfg.logger) if cfg.get("logger") else None
    return made


def describe_run(trainer: L.Trainer, cfg: DictConfig, data: Data, folder: Path) -> None:
    """Log the configuration, as parameters and as a file, and the identity of code and data."""
    tagger = tagger_metrics(folder / "tagger", data.splits.validation)
    for logger in trainer.loggers:
        logger.log_hyperparams(parameters(cfg))
        logger.log_metrics(data.report.metrics(), step=0)
        logger.log_metrics({"data/names_added": float(len(data.enriched))}, step=0)
        logger.log_metrics(tagger, step=0)
    for logger in run_loggers(trainer):
        logger.log_text(yaml.safe_dump(resolved(cfg), sort_keys=False), "config.yaml")
        logger.set_tags(_identity(data))
        logger.log_datasets(dataset_rows(data.report))


def log_baselines(
    trainer: L.Trainer, cfg: DictConfig, data: Data, datamodule: LinkingDataModule
) -> None:
    """Log the test metrics of each of `cfg.baselines`, as `baseline/<name>/…`.

    They are without an encoder, so no reader of short forms helps them.
    """
    for name in cfg.baselines:
        table, rule = datamodule.detected["test"], cfg.data.code_rule
        metrics = data_baseline(name, data, table, rule).metrics
        for logger in trainer.loggers:
            found = {f"baseline/{name}/{key}": value for key, value in metrics.items()}
            logger.log_metrics(found, step=0)


def log_evaluation(
    cfg: DictConfig, data: Data, metrics: dict[str, float], files: Sequence[Path]
) -> None:
    """Log the metrics and files of `evaluate.py` as a separate run."""
    if not cfg.get("logger"):
        return
    logger: RunLogger = instantiate(cfg.logger)
    with run_ends([logger]):
        logger.log_hyperparams(parameters(cfg))
        stage = "val" if cfg.part == "validation" else cfg.part  # The prefix that training uses.
        logger.log_metrics({f"{stage}/{k}": v for k, v in metrics.items()}, step=0)
        logger.set_tags(_identity(data))
        for file in files:
            logger.log_file(file)


def note_results(trainer: L.Trainer, f1: float, linker: Path, shipped: Path) -> None:
    """Log the validation F1 of the tested linker, and tag the run with its paths.

    The paths are those of the linker folder and of the pack, if one was made.
    """
    left = {"linker": str(linker)} | ({"pack": str(shipped)} if shipped != linker else {})
    metrics = {"best/val_f1": f1} | {
        f"{stage}/{key}": value
        for stage, found in metrics_of(trainer).items()
        for key, value in found.items()
    }
    add_result(linker.parent, metrics=metrics, linker=str(linker), pack=left.get("pack"))
    for logger in trainer.loggers:
        logger.log_metrics({"best/val_f1": f1}, step=trainer.current_epoch)
    for logger in run_loggers(trainer):
        description = describe(
            ", ".join(logger.datasets), metrics,
            dictionary=logger.last("baseline/dictionary/f1"),
            minutes=(time.time() - logger.started) / 60, megabytes=size_in_megabytes(shipped),
        )  # fmt: skip
        logger.set_tags(left | {"mlflow.note.content": description})
        for file in files_of(trainer):
            logger.log_file(file)


def _identity(data: Data) -> dict[str, str]:
    return {"git_commit": git_commit(), "data_digest": data.digest}


def git_commit() -> str:
    """The checked-out commit, with `-dirty` if files were changed. It is empty outside git."""
    described = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
        cwd=Path(__file__).parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    return described.stdout.strip()


def resolved(cfg: DictConfig) -> dict[str, object]:
    """The configuration as plain values."""
    return _plain(cfg, resolve=True)


PARTS = ("linker.", "datamodule.", "module.")
"""Parts that are made of settings which stand elsewhere in the configuration."""


def parameters(cfg: DictConfig) -> dict[str, object]:
    """All settings by keys like `group.key`. References to the run's own folder stay `${hydra:…}`.

    So two runs with the same settings have the same parameters. Parts that only repeat the settings
    of others (`PARTS`) are left out.
    """
    written = flat(_plain(cfg, resolve=False))
    # A reference to a whole group is one key here but several keys below. The latter are logged.
    own = {key: value for key, value in written.items() if "${hydra:" in str(value)}
    values = flat(_plain(cfg, resolve=True))
    return {key: own.get(key, value) for key, value in values.items() if not key.startswith(PARTS)}


def _plain(cfg: DictConfig, resolve: bool) -> dict[str, object]:
    container = OmegaConf.to_container(cfg, resolve=resolve)
    assert isinstance(container, dict)
    return {str(key): value for key, value in container.items()}
