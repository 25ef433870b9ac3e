"""Sends the events of a run's spool to MLflow: in order, and each exactly once.

Only the holder of the spool's lock delivers. It writes down after every step how many events are
delivered. So the run itself, the next run and `sync.py` may all deliver without repeating events.
"""

import logging
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from mlflow import MlflowClient
from mlflow.entities import Metric, Param, RunTag
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import INVALID_PARAMETER_VALUE, ErrorCode

from embedlink.experiment.mlflow_report import dataset_inputs
from embedlink.experiment.spool import (
    FOLDER,
    LOCK,
    Event,
    locked,
    read_events,
    read_state,
    write_state,
)
from embedlink.experiment.store import StoreAway, experiment_id, one_line, open_store, probe

log = logging.getLogger(__name__)

RUN_KEY = "embedlink.run"
"""The tag that identifies a run in MLflow if a kill came before its id was written down."""

BATCH, LONGEST = 500, 5000
"""Most metrics in one request, and most characters of a parameter or tag. MLflow allows more."""


def deliver(run_folder: Path, uri: str | None = None) -> int:
    """Deliver the events that wait in a run's spool. Returns their number.

    `uri` replaces the address that the run was started with. Raises `StoreAway` if the store cannot
    be reached. Events that were delivered before the failure are not sent again.
    """
    with locked(run_folder / FOLDER / LOCK):
        state = read_state(run_folder)
        events = read_events(run_folder)
        todo = events[state["delivered"] :]
        if todo:
            uri = uri or str(events[0]["uri"])
            probe(uri)
            _Delivery(run_folder, open_store(uri), uri=uri, state=state).send(todo)
        return len(todo)


class _Delivery:
    """One delivery of a run's events to an open store."""

    def __init__(
        self, run_folder: Path, client: MlflowClient, uri: str, state: dict[str, Any]
    ) -> None:
        self.run_folder, self.client, self.uri, self.state = run_folder, client, uri, state

    def send(self, events: Sequence[Event]) -> None:
        """Send events in order. Consecutive metrics go together."""
        for kind, group in groupby(events, key=lambda event: str(event["kind"])):
            same = list(group)
            size = BATCH if kind == "metrics" else 1
            for start in range(0, len(same), size):
                part = same[start : start + size]
                self._send(kind, part)
                self.state["delivered"] += len(part)
                write_state(self.run_folder, self.state)

    def _send(self, kind: str, events: Sequence[Event]) -> None:
        """Send events of one kind. Events that MLflow calls invalid are logged and left out."""
        try:
            getattr(self, f"_{kind}")(events)
        except MlflowException as error:
            if error.error_code != ErrorCode.Name(INVALID_PARAMETER_VALUE):
                raise StoreAway(f"{self.uri}: {one_line(error)}") from error
            log.warning("MLflow refused %s of %s: %s", kind, self.run_folder, one_line(error))
        except StoreAway:
            raise
        except Exception as error:  # The events stay, whatever error the store's library raises.
            raise StoreAway(f"{self.uri}: {one_line(error)}") from error

    @property
    def _id(self) -> str:
        return str(self.state["run_id"])

    def _run(self, events: Sequence[Event]) -> None:
        """Find or create the run in MLflow. A run that goes on is set to running again."""
        (event,) = events
        experiment = experiment_id(self.client, self.uri, event["experiment"])
        run_id = self._known(experiment, event["key"]) or self._created(experiment, event)
        self.state |= {"run_id": run_id, "experiment_id": experiment}
        if event.get("again"):
            self.client.update_run(run_id, "RUNNING")
            for key, value in event["tags"].items():
                self.client.set_tag(run_id, key, value)

    def _known(self, experiment: str, key: str) -> str | None:
        # A run that was deleted in MLflow is not found: it is created anew.
        found = self.client.search_runs([experiment], f"tags.`{RUN_KEY}` = '{key}'", max_results=1)
        return str(found[0].info.run_id) if found else None

    def _created(self, experiment: str, event: Event) -> str:
        """Create the run, as a child of its sweep if it belongs to one."""
        tags = event["tags"] | {RUN_KEY: event["key"]}
        parent = event.get("parent")
        if parent is not None:
            tags["mlflow.parentRunId"] = self._parent(Path(parent))
        run = self.client.create_run(
            experiment, start_time=event["time"], tags=tags, run_name=event["name"]
        )
        return str(run.info.run_id)

    def _parent(self, folder: Path) -> str:
        """MLflow's id of the sweep that the run belongs to. The sweep is delivered first."""
        deliver(folder)
        run_id = read_state(folder)["run_id"]
        if run_id is None:
            raise StoreAway(f"{folder}: the sweep is not delivered yet")
        return str(run_id)

    def _params(self, events: Sequence[Event]) -> None:
        params = [Param(k, str(v)[:LONGEST]) for k, v in events[0]["values"].items()]
        for start in range(0, len(params), 100):  # MLflow takes at most 100 in a request.
            self.client.log_batch(self._id, params=params[start : start + 100])

    def _metrics(self, events: Sequence[Event]) -> None:
        """Send metrics of several events, in requests that MLflow allows."""
        metrics = [
            Metric(key, value, event["time"], event["step"])
            for event in events
            for key, value in event["values"].items()
        ]
        for start in range(0, len(metrics), BATCH):
            self.client.log_batch(self._id, metrics=metrics[start : start + BATCH])

    def _tags(self, events: Sequence[Event]) -> None:
        tags = [RunTag(k, str(v)[:LONGEST]) for k, v in events[0]["values"].items()]
        self.client.log_batch(self._id, tags=tags)

    def _text(self, events: Sequence[Event]) -> None:
        self.client.log_text(self._id, events[0]["text"], events[0]["name"])

    def _file(self, events: Sequence[Event]) -> None:
        """Send a file as it is now. A file that is gone is left out with a warning."""
        path = self.run_folder / events[0]["path"]
        if path.is_file():
            self.client.log_artifact(self._id, str(path), events[0].get("to"))
        else:
            log.warning("%s: is gone, so MLflow does not get it", path)

    def _datasets(self, events: Sequence[Event]) -> None:
        self.client.log_inputs(self._id, dataset_inputs(events[0]["rows"]))

    def _status(self, events: Sequence[Event]) -> None:
        self.client.set_terminated(self._id, events[0]["status"], events[0]["time"])
