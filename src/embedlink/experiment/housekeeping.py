"""Tidies up after earlier runs: delivers their waiting events, and ends those that were killed."""

import logging
import os
import socket
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Run

from embedlink.experiment.delivery import deliver
from embedlink.experiment.spool import (
    ENDED,
    Spool,
    has_spool,
    is_written,
    read_events,
    run_folders,
    waiting,
)
from embedlink.experiment.store import StoreAway
from embedlink.problems import EmbedLinkError

log = logging.getLogger(__name__)


def deliver_waiting(root: Path) -> None:
    """Deliver the events of earlier runs below `root`. If a store is away, its events stay."""
    for folder in run_folders(root):
        if waiting(folder) and not is_written(folder):
            try:
                log.info("%s: %d events delivered to MLflow", folder, deliver(folder))
            except StoreAway as error:
                log.warning("%s: what waits there cannot be delivered (%s)", folder, error)


def end_orphans(client: MlflowClient, experiment: str) -> None:
    """End the runs of this machine that MLflow shows as running, but have no process any more."""
    host = socket.gethostname()
    running = client.search_runs(
        [experiment],
        f"attributes.status = 'RUNNING' and tags.`process.host` = '{host}'",
    )
    for run in running:
        if _is_gone(run):
            _end(client, run)


def _is_gone(run: Run) -> bool:
    """Whether nobody writes to the run any more, although MLflow shows it as running."""
    folder = Path(run.data.tags.get("folder", ""))
    if has_spool(folder):
        return not is_written(folder)
    # Its folder was removed or moved, so only the number of its process can tell.
    return not _lives(int(run.data.tags.get("process.pid", "0")))


def _lives(pid: int) -> bool:
    """Whether a process with this number runs, also if it belongs to somebody else."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return pid > 0


def _end(client: MlflowClient, run: Run) -> None:
    """Mark a run as killed. If it has a spool, the events that wait there are delivered first."""
    folder = Path(run.data.tags.get("folder", ""))
    events = read_events(folder)
    log.info("%s: its process is gone, so MLflow shows it as killed", folder)
    try:
        if events:
            spool = Spool(folder)
            if events[-1].get("status") not in ENDED:
                spool.write("status", status="KILLED")
            spool.close()
            deliver(folder)
        else:
            client.set_terminated(run.info.run_id, "KILLED")
    except (StoreAway, EmbedLinkError) as error:
        log.warning("%s", error)
