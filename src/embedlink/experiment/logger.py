"""Lightning's logger of a run. It writes events to the run's spool and delivers them to MLflow."""

import csv
import fnmatch
import logging
import time
import uuid
from argparse import Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lightning.pytorch.loggers import Logger
from lightning.pytorch.utilities import rank_zero_only
from torch import Tensor

from embedlink.experiment.delivery import deliver
from embedlink.experiment.resuming import Resumed
from embedlink.experiment.spool import (
    ENDED,
    Event,
    Spool,
    has_spool,
    read_events,
    this_process,
    waiting,
)
from embedlink.experiment.store import StoreAway

log = logging.getLogger(__name__)

EVERY = 5.0
"""Seconds between two deliveries during a run."""

PATIENCE = (15.0, 300.0)
"""Seconds to wait after a failed delivery, at first and at most. Each failure doubles the wait."""


class RunLogger(Logger):
    """Logs one run of several stages to a spool in `folder`, and from there to MLflow.

    If the tracking store fails, no error is raised and the run loses only seconds.

    `headline` holds patterns of keys. Metrics that match one go to MLflow's charts. All metrics go
    to the table `metrics.csv`. With `offline` nothing is sent, and `sync.py` delivers later. If the
    store is away at the end of a run, the run waits for it at most `wait` seconds. `follows` names
    the run that this one resumes, in the same form as the setting `resume`. Both are one run in
    MLflow, and metrics that were logged before are not logged again. `tags` are the run's tags in
    MLflow.
    """

    def __init__(
        self,
        experiment_name: str,
        *,
        tracking_uri: str,
        run_name: str,
        folder: str,
        headline: Sequence[str] = ("*",),
        offline: bool = False,
        wait: float = 60.0,
        follows: str | None = None,
        parent: str | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__()
        self.experiment_name, self.tracking_uri, self.run_name = (
            experiment_name,
            tracking_uri,
            run_name,
        )
        self.folder, self.headline = Path(folder), tuple(headline)
        self.offline, self.wait, self.parent = offline, wait, parent
        resumed = Resumed.of(follows)
        self.follows = resumed.folder if resumed else None
        self.tags = dict(tags or {})
        self.table: list[tuple[str, int, float]] = []
        self.datasets: list[str] = []
        self.started, self.ended = time.time(), False
        self._spool: Spool | None = None
        self._logged: set[tuple[str, int, float]] = set()
        self._params: dict[str, str] = {}
        self._next_try, self._pause, self._warned = 0.0, PATIENCE[0], False

    @property
    def name(self) -> str:
        """The experiment's name."""
        return self.experiment_name

    @property
    def version(self) -> None:
        """Always None, because Lightning would show a version in the progress bar."""

    @property
    def spool(self) -> Spool:
        """The run's spool. The first use opens it and writes the event that starts the run."""
        if self._spool is None:
            self._spool = Spool(self.folder)
            key = self._key_of_the_resumed() if self.follows else None
            again = key is not None
            self._spool.write(
                "run", key=key or uuid.uuid4().hex, again=again, uri=self.tracking_uri,
                experiment=self.experiment_name, name=self.run_name, parent=self.parent,
                after=str(self.follows) if again else None, process=this_process(),
                tags=self.tags | {k: str(v) for k, v in _process_tags(self.folder).items()},
            )  # fmt: skip
        return self._spool

    def _key_of_the_resumed(self) -> str | None:
        """The key of the resumed run. Its metrics and parameters are noted as already logged."""
        assert self.follows is not None
        if not has_spool(self.follows):
            return None
        events = _with_earlier(read_events(self.follows))
        for event in events:
            if event["kind"] == "metrics":
                self._logged |= {(k, event["step"], v) for k, v in event["values"].items()}
            elif event["kind"] == "params":
                self._params |= event["values"]
        return str(events[0]["key"]) if events else None

    @rank_zero_only
    def log_hyperparams(self, params: dict[str, Any] | Namespace, *_: Any, **__: Any) -> None:
        """Log settings. A resumed run logs changed ones as tags: MLflow's parameters are fixed."""
        given = vars(params) if isinstance(params, Namespace) else params
        values = {key: str(value) for key, value in given.items()}
        spool = self.spool  # Opening it fills `_params` with the settings of the resumed run.
        new = {key: value for key, value in values.items() if key not in self._params}
        changed = {
            f"resumed.{key}": value
            for key, value in values.items()
            if key in self._params and self._params[key] != value
        }
        if new:
            spool.write("params", values=new)
        if changed:
            spool.write("tags", values=changed)
        self.forward()

    @rank_zero_only
    def log_metrics(self, metrics: Mapping[str, float | Tensor], step: int | None = None) -> None:
        """Log metrics at a step. Those that match no headline only go to the table."""
        spool, at = self.spool, step or 0
        values = {key: float(value) for key, value in metrics.items() if key != "epoch"}
        self.table += [(key, at, value) for key, value in values.items()]
        shown = {
            key: value
            for key, value in values.items()
            if self._is_headline(key) and (key, at, value) not in self._logged
        }
        if shown:
            spool.write("metrics", step=at, values=shown)
        self.forward()

    def _is_headline(self, key: str) -> bool:
        return any(fnmatch.fnmatchcase(key, pattern) for pattern in self.headline)

    @rank_zero_only
    def set_tags(self, tags: Mapping[str, object]) -> None:
        """Log tags. A later tag replaces an earlier one with the same key."""
        self.spool.write("tags", values={key: str(value) for key, value in tags.items()})
        self.forward()

    @rank_zero_only
    def log_text(self, text: str, name: str) -> None:
        """Log a text as a file with this name."""
        self.spool.write("text", text=text, name=name)
        self.forward()

    @rank_zero_only
    def log_file(self, path: Path) -> None:
        """Log a file. It must still exist when it is delivered."""
        self.spool.write("file", path=str(path.resolve()))
        self.forward()

    @rank_zero_only
    def log_datasets(self, rows: Sequence[Mapping[str, object]]) -> None:
        """Log the name, digest and counts of each corpus."""
        self.datasets = [str(row["name"]) for row in rows]
        self.spool.write("datasets", rows=list(rows))
        self.forward()

    def last(self, key: str) -> float | None:
        """The last value of a metric, or None if it was never logged."""
        return next((value for name, _, value in reversed(self.table) if name == key), None)

    @rank_zero_only
    def end(self, status: str) -> None:
        """End the run: write the table, then wait until all is delivered, or `wait` is over."""
        if self.ended or self._spool is None:
            return
        assert status in ENDED
        self.ended = True
        if self.table:
            self.log_file(self._write_table())
        self._spool.write("status", status=status)
        self._deliver_all(self.wait if status == "FINISHED" else min(self.wait, 5.0))
        self._spool.close()

    def _write_table(self) -> Path:
        """Write all metrics that were logged so far. Returns the file."""
        path = self.folder / "metrics.csv"
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["metric", "step", "value"])
            writer.writerows(self.table)
        return path

    def _deliver_all(self, wait: float) -> None:
        """Deliver until nothing is left or `wait` seconds are over. What is left stays on disk."""
        until, pause = time.monotonic() + wait, 1.0
        while not self._try() and not self.offline and time.monotonic() + pause < until:
            time.sleep(pause)
            pause = min(pause * 2, 10.0)
        left = waiting(self.folder)
        if left:
            log.warning(
                "%d events of this run are not in MLflow yet. They wait in %s; deliver them with: "
                "python sync.py run=%s", left, self.folder / "tracking", self.folder,
            )  # fmt: skip

    def forward(self) -> None:
        """Deliver waiting events, unless a delivery was tried a moment ago."""
        if time.monotonic() >= self._next_try and not self.ended:
            self._try()

    def _try(self) -> bool:
        """Try to deliver once. Returns whether it succeeded."""
        if self.offline:
            return False
        try:
            if self.follows is not None and has_spool(self.follows):
                deliver(self.follows)  # The events of the resumed run come first.
            deliver(self.folder)
        except StoreAway as error:
            if not self._warned:
                self._warned = True
                log.warning(
                    "the tracking store is away (%s); the run goes on, and what it logs waits in "
                    "%s", error, self.folder / "tracking",
                )  # fmt: skip
            self._next_try = time.monotonic() + self._pause
            self._pause = min(self._pause * 2, PATIENCE[1])
            return False
        self._next_try, self._pause = time.monotonic() + EVERY, PATIENCE[0]
        return True


def _with_earlier(events: Sequence[Event]) -> list[Event]:
    """The events of the last run in a spool, after those of the runs that it resumed."""
    if not events:
        return []
    # A folder that was used twice also holds the events of an older run.
    begun = [event for event in events if event["kind"] == "run"]
    key = begun[-1]["key"]
    first = next(event for event in begun if event["key"] == key)
    own = list(events[events.index(first) :])
    earlier = first.get("after")
    return _with_earlier(read_events(Path(earlier))) + own if earlier else own


def _process_tags(folder: Path) -> dict[str, object]:
    return {f"process.{key}": value for key, value in this_process().items()} | {
        "folder": folder.resolve()
    }
