"""Writes what a run logs to the run's own folder, before it is sent anywhere.

A tracking store may be away or locked during a run. So every event first becomes one line of
`tracking/events.jsonl` in the run's folder. Then `delivery` sends the lines to MLflow in their
order. So a killed run still leaves all that it logged.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from embedlink.problems import EmbedLinkError

Event = dict[str, Any]
"""One line: its number `n`, its `time` in milliseconds, its `kind`, and the values of its kind."""

FOLDER, EVENTS, STATE, LOCK = "tracking", "events.jsonl", "delivered.json", "lock"
ENDED = ("FINISHED", "FAILED", "KILLED")


class Spool:
    """Appends the events of one run. The process that holds it is the run's only writer.

    The file of events stays locked as long as the process lives. If it is not locked, another
    process knows that the run was killed. Raises `EmbedLinkError` if another process writes there,
    or if the folder cannot be written.
    """

    def __init__(self, run_folder: Path) -> None:
        self.run_folder = run_folder
        try:
            (run_folder / FOLDER).mkdir(parents=True, exist_ok=True)
            # The address of a store may hold a password: only the owner reads it.
            path = run_folder / FOLDER / EVENTS
            self._file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600), "ab")
        except OSError as error:
            raise EmbedLinkError(
                f"{run_folder / FOLDER}: cannot be written ({error.strerror}); free some space or "
                "choose another run folder"
            ) from error
        self._take()
        whole, self.count = _whole_lines(path)
        self._file.truncate(whole)  # A process that was killed may have left half a line.

    def _take(self) -> None:
        """Lock the folder. Raises `EmbedLinkError` if another process trains in it."""
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            self._file.close()
            raise EmbedLinkError(
                f"{self.run_folder}: another process is training in this folder; wait for its "
                "end or choose another run folder"
            ) from error

    def write(self, kind: str, **content: object) -> None:
        """Append one event. After this returns, a kill of the process cannot lose it."""
        event = {"n": self.count, "time": time.time_ns() // 1_000_000, "kind": kind, **content}
        self._file.write(json.dumps(event, ensure_ascii=False).encode() + b"\n")
        self._file.flush()
        self.count += 1

    def close(self) -> None:
        """Close the file, so that other processes may write it."""
        self._file.close()


def _whole_lines(path: Path) -> tuple[int, int]:
    """The bytes and the number of all complete lines."""
    content = path.read_bytes()
    return content.rfind(b"\n") + 1, content.count(b"\n")


def read_events(run_folder: Path) -> list[Event]:
    """All complete events of a run in their order. The list is empty if it logged nothing."""
    path = run_folder / FOLDER / EVENTS
    if not path.is_file():
        return []
    lines = path.read_bytes().split(b"\n")[:-1]  # A piece after the last line end is incomplete.
    return [json.loads(line) for line in lines]


def has_spool(run_folder: Path) -> bool:
    """Whether a run in this folder has logged anything."""
    return (run_folder / FOLDER / EVENTS).is_file()


def is_written(run_folder: Path) -> bool:
    """Whether a living process on this machine writes the run's events."""
    with (run_folder / FOLDER / EVENTS).open("rb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def this_process() -> dict[str, object]:
    """The machine and the number of the present process."""
    return {"host": socket.gethostname(), "pid": os.getpid()}


def read_state(run_folder: Path) -> dict[str, Any]:
    """The state of a run's delivery: `delivered` counts events, and `run_id` is MLflow's id."""
    path = run_folder / FOLDER / STATE
    if not path.is_file():
        return {"delivered": 0, "run_id": None}
    state: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return state


def write_state(run_folder: Path, state: Mapping[str, object]) -> None:
    """Replace the whole state at once. A reader sees either the old state or the new one."""
    path = run_folder / FOLDER / STATE
    aside = path.with_suffix(".partial")
    aside.write_text(json.dumps(state), "utf-8")
    aside.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock file during the block. Other processes wait. A missing file is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def waiting(run_folder: Path) -> int:
    """The number of a run's events that are not delivered yet."""
    return len(read_events(run_folder)) - int(read_state(run_folder)["delivered"])


def run_folders(root: Path) -> Sequence[Path]:
    """The folders of runs with a spool below `root`, oldest first. Members of sweeps count too."""
    patterns = (f"*/*/{FOLDER}/{EVENTS}", f"*/*/*/{FOLDER}/{EVENTS}")
    found = {path.parent.parent for pattern in patterns for path in root.glob(pattern)}
    return sorted(found)
