"""Opens the tracking store, if it can be reached, and finds or makes its experiments.

MLflow makes the tables of an sqlite store when it is first opened. Two processes that do so at once
break each other's work. So a lock beside the file protects the opening.
"""

import logging
import os
import socket
import sqlite3
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, urlsplit

# A store that does not answer within seconds counts as away: events wait in the run's folder.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "20")
# When a delivery ends a run, MLflow would print an address among the run's own lines.
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")

from mlflow import MlflowClient
from mlflow.entities import Experiment
from mlflow.exceptions import MlflowException

from embedlink.experiment.spool import locked

log = logging.getLogger(__name__)

KIND = {"mlflow.experimentKind": "custom_model_development"}
"""Marks an experiment as model training, so that MLflow opens its runs and not its traces."""

SQLITE = "sqlite:///"
SECONDS = 3.0
"""Most seconds that an address may take to answer."""


class StoreAway(Exception):
    """The store cannot be reached at the moment. The message gives the reason in one line."""


def probe(uri: str) -> None:
    """Raise `StoreAway` unless the store answers within seconds.

    MLflow itself would wait for minutes. Only sqlite and http addresses are tested here.
    """
    if uri.startswith(SQLITE):
        _probe_sqlite(Path(uri.removeprefix(SQLITE)))
    elif uri.startswith(("http://", "https://")):
        parts = urlsplit(uri)
        port = parts.port or (443 if parts.scheme == "https" else 80)
        try:
            socket.create_connection((parts.hostname or "", port), timeout=SECONDS).close()
        except OSError as error:
            raise StoreAway(f"{_public(uri)}: no server answers ({error})") from error


def _probe_sqlite(path: Path) -> None:
    """Raise `StoreAway` unless the database can be written now."""
    if not path.parent.is_dir():
        raise StoreAway(f"{path}: the folder {path.parent} is not there")
    if path.exists() and not os.access(path, os.W_OK):
        raise StoreAway(f"{path}: cannot be written")
    if not path.exists() and not os.access(path.parent, os.W_OK):
        raise StoreAway(f"{path}: the folder {path.parent} cannot be written")
    if not path.exists():
        return
    try:
        # An immediate transaction asks for the lock that every writer needs.
        connection = sqlite3.connect(path, timeout=1.0, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise StoreAway(f"{path}: {error}") from error


def _public(uri: str) -> str:
    """The address without its user name and password."""
    parts = urlsplit(uri)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


@lru_cache
def open_store(uri: str) -> MlflowClient:
    """A client of the store. Missing tables are made.

    Raises `StoreAway` if the store cannot be reached.
    """
    probe(uri)
    # MLflow and alembic, which makes the tables, print lines and tracebacks that help no user.
    logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    try:
        if not uri.startswith(SQLITE):
            return _opened(uri)
        path = Path(uri.removeprefix(SQLITE))
        with locked(path.with_name(f"{path.name}.lock")):
            if not path.exists():
                _make_sqlite(path)
            return _opened(uri)
    except Exception as error:
        raise StoreAway(f"{_public(uri)}: {one_line(error)}") from error


def _opened(uri: str) -> MlflowClient:
    client = MlflowClient(uri)
    client.search_experiments(max_results=1)
    return client


def _make_sqlite(path: Path) -> None:
    """Make the tables under another name, so that a kill leaves no incomplete store."""
    aside = path.with_name(f"{path.name}.partial")
    aside.unlink(missing_ok=True)
    _opened(f"{SQLITE}{aside}")
    aside.rename(path)


def one_line(error: BaseException) -> str:
    """The first line of an error's message, cut to 200 characters."""
    said = str(error).strip() or type(error).__name__
    return said.splitlines()[0][:200]


def experiment_id(client: MlflowClient, uri: str, name: str) -> str:
    """The id of the experiment with this name. A deleted one is restored, a missing one is made."""
    found = client.get_experiment_by_name(name)
    if found is None:
        return _created(client, uri, name)
    return _restored(client, found).experiment_id


def _created(client: MlflowClient, uri: str, name: str) -> str:
    """Create the experiment, or take the one that another process has just created."""
    try:
        made: str = client.create_experiment(name, _artifacts(uri, name), tags=KIND)
        return made
    except MlflowException:
        # Another process may have made it meanwhile. If not, the error is raised again.
        found = client.get_experiment_by_name(name)
        if found is None:
            raise
        return _restored(client, found).experiment_id


def _artifacts(uri: str, name: str) -> str | None:
    """The artifact folder, which is beside an sqlite store. None leaves the choice to a server."""
    if not uri.startswith(SQLITE):
        return None
    folder = Path(uri.removeprefix(SQLITE)).resolve().parent / "mlruns" / quote(name, safe="")
    return folder.as_uri()


def _restored(client: MlflowClient, found: Experiment) -> Experiment:
    """Undo a deletion of the experiment, and complete its tags."""
    if found.lifecycle_stage == "deleted":
        log.warning("the MLflow experiment %r was deleted; it is restored", found.name)
        client.restore_experiment(found.experiment_id)
    if "mlflow.experimentKind" not in found.tags:
        for key, value in KIND.items():
            client.set_experiment_tag(found.experiment_id, key, value)
    return found
