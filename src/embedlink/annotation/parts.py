"""The folder that annotations are written to: one parquet file for each part of the notes.

A part is a run of notes. Its file is written aside and renamed, so it is whole or missing. A plan
beside the parts says what they are made of. Work that was stopped goes on with the missing parts,
and only if pack, notes and settings are still the same.
"""

import fcntl
import json
import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import pandas as pd

from embedlink.files.atomic import PRIVATE_FOLDER, file_written_aside, write_errors, write_text
from embedlink.files.outputs import OVERWRITE, apart_from
from embedlink.problems import EmbedLinkError

PLAN, LOCK = "_plan.json", "_lock"
"""Readers of parquet folders leave out names that begin with `_`."""
_PART = re.compile(r"part-(\d+)\.parquet")
_LEFT = re.compile(r"\.(part-\d+\.parquet|_plan\.json)\..*partial")


@dataclass(frozen=True)
class Plan:
    """What the parts of a folder are made of."""

    pack: str  # digest of the pack
    notes: str  # digest of ids and texts
    count: int  # notes
    notes_per_part: int
    include_text: bool

    @property
    def parts(self) -> range:
        """The numbers of all parts, from 0."""
        return range(-(-self.count // self.notes_per_part))


class PartsFolder:
    """A folder of parts with its plan."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @contextmanager
    def prepared(
        self, plan: Plan, overwrite: bool, inputs: Mapping[str, Path | None]
    ) -> Iterator[list[int]]:
        """Make the folder ready for this plan. Yields the parts that are missing, in order.

        Nobody else can prepare the folder during the block. With `overwrite`, parts of another plan
        are removed first. Raises `EmbedLinkError` if another process writes here, if the folder
        holds parts of another plan, or if it holds anything else.
        """
        apart_from(inputs, self.folder)
        self._check_own()
        with write_errors(self.folder):
            self.folder.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
        with _alone(self.folder):
            before = self.plan()
            if before is not None and before != plan:
                self._start_anew(before, plan, overwrite)
            self._remove_left()
            write_text(self.folder / PLAN, json.dumps(asdict(plan), indent=1), private=True)
            done = self.done()
            yield [number for number in plan.parts if number not in done]

    def plan(self) -> Plan | None:
        """The plan of the folder. None if there is none. Raises `EmbedLinkError` if unreadable."""
        path = self.folder / PLAN
        try:
            return Plan(**json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError) as error:
            raise EmbedLinkError(f"{path}: cannot be read ({type(error).__name__})") from None

    def done(self) -> set[int]:
        """The numbers of the parts that are there."""
        return {int(match[1]) for name in self._names() if (match := _PART.fullmatch(name))}

    def write(self, number: int, links: pd.DataFrame) -> None:
        """Write one part whole. An older file of this part is replaced."""
        # After a node was lost, another process may write the same part beside it.
        with file_written_aside(self._path(number), private=True, several=True) as aside:
            links.to_parquet(aside, index=False)

    def _path(self, number: int) -> Path:
        return self.folder / f"part-{number:06d}.parquet"

    def _names(self) -> list[str]:
        return sorted(os.listdir(self.folder)) if self.folder.is_dir() else []

    def _check_own(self) -> None:
        """Raise `EmbedLinkError` if the folder is a file, or holds anything but parts."""
        if self.folder.is_file():
            raise EmbedLinkError(f"{self.folder}: is a file; name a folder")
        for name in self._names():
            if name not in (PLAN, LOCK) and not (_PART.fullmatch(name) or _LEFT.fullmatch(name)):
                raise EmbedLinkError(
                    f"{self.folder}: holds {name}, which annotate.py did not write; name another "
                    "folder"
                )

    def _start_anew(self, before: Plan, plan: Plan, overwrite: bool) -> None:
        """Remove the parts of another plan, or raise `EmbedLinkError` with what differs."""
        if not overwrite:
            then, now = asdict(before), asdict(plan)
            other = ", ".join(key for key in now if then[key] != now[key])
            raise EmbedLinkError(
                f"{self.folder}: holds annotations with another {other}; name another folder, "
                f"or {OVERWRITE}"
            )
        (self.folder / PLAN).unlink()  # Before the parts: none may be taken for the new plan's.
        for number in self.done():
            self._path(number).unlink()

    def _remove_left(self) -> None:
        for name in self._names():
            if _LEFT.fullmatch(name):
                (self.folder / name).unlink(missing_ok=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the folder's lock. Raises `EmbedLinkError` if another process holds it."""
    with (folder / LOCK).open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise EmbedLinkError(f"{folder}: another annotate.py writes here") from None
        yield
