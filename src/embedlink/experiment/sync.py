"""Delivers what runs logged while their tracking store was away, for `sync.py`."""

import logging
from pathlib import Path

from omegaconf import DictConfig

from embedlink.experiment.delivery import deliver
from embedlink.experiment.spool import has_spool, is_written, run_folders, waiting
from embedlink.experiment.store import StoreAway
from embedlink.problems import EmbedLinkError

log = logging.getLogger(__name__)


def sync(cfg: DictConfig) -> None:
    """Deliver the waiting events of one run, or of all runs below `runs`.

    Raises `EmbedLinkError` if there is no such run, or if the store does not answer.
    """
    for folder in _folders(cfg):
        try:
            count = deliver(folder, cfg.tracking_uri)
        except StoreAway as error:
            raise EmbedLinkError(
                f"{folder}: {waiting(folder)} events still wait: {error}"
            ) from error
        print(f"{folder}: {count} events delivered")


def _folders(cfg: DictConfig) -> list[Path]:
    """The folder of the run that was named, or all folders with waiting events."""
    if cfg.run is None:
        root = Path(cfg.runs)
        return [each for each in run_folders(root) if waiting(each) and not is_written(each)]
    folder = Path(cfg.run).expanduser()
    if not has_spool(folder):
        raise EmbedLinkError(
            f"run={cfg.run}: no run has logged anything there; it takes a run's folder, as "
            "runs/<day>/<time>"
        )
    return [folder]
