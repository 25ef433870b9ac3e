"""Annotates one part after another. Every engine runs this, in one process or in many."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import pandas as pd

from embedlink.annotation.annotator import ERROR, Annotator
from embedlink.annotation.parts import PartsFolder
from embedlink.corpora.unlabelled import Note, NoteFiles


class PartReport(NamedTuple):
    """What became of a part. A note with an error has no links."""

    notes: int
    links: int
    errors: int


class Engine(Protocol):
    """Runs a worker over parts, somewhere."""

    def __call__(self, worker: "PartWorker", parts: list[int]) -> Iterator[PartReport]:
        """Yield the report of each part when it is written, in any order."""


@dataclass
class PartWorker:
    """Reads the notes of a part, annotates them and writes the part's file.

    Other processes get it before its first part. It reads the notes from the start to the part that
    is asked for, and goes on from there. So parts are best asked for in order.
    """

    notes: NoteFiles
    annotator: Annotator
    folder: Path
    notes_per_part: int

    def __post_init__(self) -> None:
        self._reading: Iterator[Note] = iter(())
        self._next = -1  # the part that the reading has come to

    def __call__(self, number: int) -> PartReport:
        """Annotate a part and write it. Raises `EmbedLinkError` if it cannot be written."""
        frame = pd.DataFrame(self._notes(number), columns=["id", "text", ERROR], dtype=object)
        [links] = self.annotator([frame])
        PartsFolder(self.folder).write(number, links)
        errors = int(links[ERROR].notna().sum())
        return PartReport(len(frame), len(links) - errors, errors)

    def _notes(self, number: int) -> list[tuple[str, str, str | None]]:
        if not 0 <= self._next <= number:
            self._reading, self._next = iter(self.notes), 0
        skipped = (number - self._next) * self.notes_per_part
        part = islice(self._reading, skipped, skipped + self.notes_per_part)
        found = [(note.id, note.text, note.error) for note in part]
        self._next = number + 1
        return found

    def __getstate__(self) -> dict[str, Any]:
        """All but the reading, which each process begins for itself."""
        return self.__dict__ | {"_reading": iter(()), "_next": -1}


def counted(notes: NoteFiles) -> tuple[int, str]:
    """The number of notes, and a digest of their ids, texts and errors in order."""
    sha, count = hashlib.sha256(), 0
    for note in notes:
        for field in (note.id, note.text, note.error or ""):
            raw = field.encode("utf-8", "surrogatepass")
            sha.update(len(raw).to_bytes(8, "big") + raw)
        count += 1
    return count, sha.hexdigest()
