"""Notes without annotations, from files of several forms, one after another.

Notes come in the same order each time. A note that cannot be read costs that note alone: it comes
with an error in place of its text. What is wrong with a whole table is an `EmbedLinkError`.
"""

import json
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from embedlink.files.decoding import suffix_of
from embedlink.files.lines import read_lines
from embedlink.files.paths import resolve
from embedlink.files.rows import read_rows
from embedlink.problems import EmbedLinkError, Problems

log = logging.getLogger(__name__)

FORMS = "a folder or a file of .txt, .jsonl, .parquet, .csv or .tsv"
COLUMN = "text"
_ROWS_AT_ONCE = 64
"""Rows of a parquet file in memory. A note may be long."""


@dataclass(frozen=True, slots=True)
class Note:
    """One note. If it cannot be read, `text` is "" and `error` says why, without its text."""

    id: str
    text: str
    error: str | None = None


@dataclass(frozen=True)
class NoteFiles:
    """Where notes lie, and the columns of their tables. Iterating reads them from the start.

    `path` is a file, or a folder whose files are read in the order of their paths, subfolders
    included. Files of other forms, and names that begin with `.` or `_`, are left out. Without an
    `id_column`, the id of a note is its file and its line or row, from 1. The id of a .txt file is
    its path below the folder.
    """

    path: str
    text_column: str = COLUMN
    id_column: str | None = None

    def __iter__(self) -> Iterator[Note]:
        """All notes. Raises `EmbedLinkError` if the path is missing, of no known form, or if a
        table lacks a column.
        """
        for name, file in self.files():
            yield from _READERS[suffix_of(file)](self, name, file)

    def files(self) -> list[tuple[str, Path]]:
        """The files and their paths below the folder, in order."""
        source = resolve(self.path)
        if source.is_file():
            if suffix_of(source) not in _READERS:
                said = source.suffix or "no suffix"
                raise EmbedLinkError(f"{self.path}: {said} is not read; give {FORMS}")
            return [(source.name, source)]
        if not source.is_dir():
            raise EmbedLinkError(f"{self.path}: no such file or folder; give {FORMS}")
        found = [
            (file.relative_to(source).as_posix(), file)
            for file in source.rglob("*")
            if suffix_of(file) in _READERS and file.name[0] not in "._" and file.is_file()
        ]
        return sorted(found)


def read_notes(path: str | Path) -> list[str]:
    """The texts of all notes that can be read, blank ones left out.

    The number of notes that cannot be read is logged. Raises `EmbedLinkError` if the path is
    missing, has no known form, has no column `text`, or holds no text.
    """
    notes = list(NoteFiles(str(path)))
    texts = [note.text for note in notes if note.text.strip()]
    refused = [note for note in notes if note.error]
    said = ""
    if refused:
        first = f"the first is {refused[0].id}: {refused[0].error}"
        said = f"{len(refused)} of {len(notes)} notes cannot be read, {first}"
    if not texts:
        raise EmbedLinkError(f"{path}: holds no text; {said or f'give {FORMS}'}")
    if refused:
        log.warning("%s: %s; they are left out", path, said)
    return texts


def _text_file(_: NoteFiles, name: str, file: Path) -> Iterator[Note]:
    try:
        # Bytes are decoded here, because line ends must stay: offsets count them.
        yield Note(name, file.read_bytes().decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        yield Note(name, "", f"byte {error.start + 1} is not UTF-8; save the file as UTF-8")
    except OSError as error:
        yield Note(name, "", f"cannot be read ({error.strerror})")


def _json_lines(source: NoteFiles, name: str, file: Path) -> Iterator[Note]:
    problems = Problems()
    for line in read_lines(file, problems):
        yield from _refused(problems, name)
        if line.text.strip():
            yield _of_json(source, f"{name}:{line.number}", line.text)
    yield from _refused(problems, name)


def _of_json(source: NoteFiles, place: str, line: str) -> Note:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):  # The original error may quote the line.
        return Note(place, "", "the line is not JSON")
    if not isinstance(fields, dict):
        return Note(place, "", "the line is not a JSON object")
    return _checked(source, place, fields)


def _table(source: NoteFiles, name: str, file: Path) -> Iterator[Note]:
    problems = Problems()
    columns = [source.text_column, *([source.id_column] if source.id_column else [])]
    tabs = suffix_of(file) == ".tsv"
    delimiter, quoted = ("\t", False) if tabs else (",", True)
    rows = read_rows(
        file, columns, problems, delimiter=delimiter, quoted=quoted, strict=False, notes=True
    )
    for row in rows:
        yield from _refused(problems, name, header=file)
        yield _checked(source, f"{name}:{row.line}", row.cells)
    yield from _refused(problems, name, header=file)


def _parquet(source: NoteFiles, name: str, file: Path) -> Iterator[Note]:
    import pyarrow as pa  # An extra: packs are loaded and used without it.
    from pyarrow import parquet

    columns = [source.text_column, *([source.id_column] if source.id_column else [])]
    try:
        table = parquet.ParquetFile(file)
        missing = [column for column in columns if column not in table.schema_arrow.names]
        if missing:
            raise EmbedLinkError(f"{file}: has no column {', '.join(missing)}; {_remedy()}")
        batches = table.iter_batches(_ROWS_AT_ONCE, columns=columns)
        rows = chain.from_iterable(batch.to_pylist() for batch in batches)
        for number, fields in enumerate(rows, 1):
            yield _checked(source, f"{name}:{number}", fields)
    except (pa.ArrowException, OSError) as error:
        # The message is hidden, because it may quote the file.
        said = type(error).__name__
        raise EmbedLinkError(f"{file}: is not a whole parquet file ({said})") from None


_READERS: dict[str, Callable[[NoteFiles, str, Path], Iterator[Note]]] = {
    ".txt": _text_file,
    ".jsonl": _json_lines,
    ".parquet": _parquet,
    ".csv": _table,
    ".tsv": _table,
}


def _checked(source: NoteFiles, place: str, fields: dict[str, Any]) -> Note:
    """The note of one row, if its text is a string. `place` is its id if no column has one."""
    given = fields.get(source.id_column) if source.id_column else None
    own = place if given in (None, "") else str(given)
    text = fields.get(source.text_column)
    if isinstance(text, str):
        return Note(own, text)
    if text is None:
        return Note(own, "", f"has no `{source.text_column}`")
    return Note(own, "", f"its `{source.text_column}` is a {type(text).__name__}, not a string")


def _refused(problems: Problems, name: str, header: Path | None = None) -> Iterator[Note]:
    """A note for each line that a reader refused, taken out of `problems`.

    A fault in the first line of a table (`header`) is an `EmbedLinkError`, because then no row can
    be read.
    """
    refused, problems.found = problems.rejected, []
    for each in refused:
        if header is not None and each.line == 1:
            raise EmbedLinkError(f"{header}: {each.reason}: {each.value}; {_remedy()}")
        place = name if each.line is None else f"{name}:{each.line}"
        yield Note(place, "", f"{each.reason} ({each.value}); {each.remedy}")


def _remedy() -> str:
    return "name the columns with text_column= and id_column="
