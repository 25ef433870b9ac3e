"""The documents of a MedCATtrainer export as a stream, with errors that quote no note text.

The parser's own messages show the text around an error, so they are replaced here. `ijson` reads
the file as events, and no more than one document is built from them at a time. Documents before
the place where a file breaks off are read as if it were whole.
"""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

import ijson

from embedlink.problems import Problems

_DOCUMENT = "projects.item.documents.item"
_REMEDY = "export the project from MedCATtrainer again"
_SMALL = 1 << 26  # bytes up to which a broken file is read again to find the line


class _NotAnExport(Exception):
    """JSON of another kind."""


class Entry(NamedTuple):
    """One document as the file has it, with its project; numbers count from 1.

    `project` is the project's name, "" where it has none; `document_number` counts within the
    project. `document` is any JSON value: whether it is a document at all is for the reader to say.
    """

    project: str
    project_number: int
    document_number: int
    document: object


def read_export(path: Path, problems: Problems) -> Iterator[Entry]:
    """Yield every document of every project; note where the file stops being an export.

    Bad content is noted in `problems`, not raised. A project whose name stands behind its
    documents costs one further pass over the file, once for all such projects.
    """
    names: dict[int, str] | None = None
    with path.open("rb") as file:
        if not _skip_mark(file, path, problems):
            return
        try:
            for entry, named in _entries(file):
                if not named:  # the name stands behind the documents: find it first
                    names = _project_names(path) if names is None else names
                    entry = entry._replace(project=names.get(entry.project_number, ""))
                yield entry
        except _NotAnExport:
            problems.add(str(path), None, "projects", 'no list of "projects"', _REMEDY)
        except (ijson.JSONError, UnicodeDecodeError):
            line, column = _find_error(path)
            problems.add(str(path), line, column, "truncated or malformed JSON", _REMEDY)


def _skip_mark(file: BinaryIO, path: Path, problems: Problems) -> bool:
    """Step over a byte order mark; False when nothing can be read behind it."""
    head = file.read(3)
    file.seek(0)
    if head == codecs.BOM_UTF8:
        file.seek(3)
        problems.add(str(path), 1, "BOM", "byte order mark", "none needed", repaired=True)
    elif head[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
        problems.add(str(path), 1, "UTF-16", "unknown encoding", "save the file as UTF-8")
        return False
    elif not head:
        problems.add(str(path), None, "0 bytes", "empty file", _REMEDY)
        return False
    return True


def _entries(file: BinaryIO) -> Iterator[tuple[Entry, bool]]:
    """Each document, and whether its project's name was known when it came.

    Raises `_NotAnExport` at the end of a file without a list of projects, and what ijson raises
    where it is no JSON.
    """
    project = number = depth = 0
    listed = False
    name: str | None = None
    builder: ijson.ObjectBuilder | None = None
    for prefix, event, value in ijson.parse(file, use_float=True):
        # Inside a document every event is its own, until its outermost bracket has closed.
        if builder is not None:
            builder.event(event, value)
            depth += event in ("start_map", "start_array")
            depth -= event in ("end_map", "end_array")
        elif prefix == _DOCUMENT and event != "end_array":
            builder, depth = ijson.ObjectBuilder(), int(event in ("start_map", "start_array"))
            builder.event(event, value)
        elif prefix == "projects.item" and event == "start_map":
            project, number, name = project + 1, 0, None
        elif prefix == "projects.item.name" and event == "string":
            name = value
        elif prefix == "projects" and event == "start_array":
            listed = True
        # Also right after the first event, for a "document" that is a number or a string.
        if builder is not None and depth == 0:
            number += 1
            yield Entry(name or "", project, number, builder.value), name is not None
            builder = None
    if not listed:
        raise _NotAnExport


def _project_names(path: Path) -> dict[int, str]:
    """The names of all projects by number, in one further pass; of a broken file the first ones."""
    names: dict[int, str] = {}
    project = 0
    with path.open("rb") as file:
        file.seek(3 if file.read(3) == codecs.BOM_UTF8 else 0)
        try:
            for prefix, event, value in ijson.parse(file, use_float=True):
                if prefix == "projects.item" and event == "start_map":
                    project += 1
                elif prefix == "projects.item.name" and event == "string":
                    names[project] = value
        except (ijson.JSONError, UnicodeDecodeError):
            return names  # the pass over the documents meets the same error, and notes it
    return names


def _find_error(path: Path) -> tuple[int | None, str]:
    """Line and column of a syntax error; the streaming parser knows neither.

    No line, and "export" for the column, where the file is too large to be read again or does not
    decode: a problem must name something, and the parser's message may not be shown.
    """
    if path.stat().st_size > _SMALL:
        return None, "export"
    try:
        json.loads(path.read_bytes().decode("utf-8-sig"))
    except json.JSONDecodeError as error:
        return error.lineno, f"column {error.colno}"
    except (UnicodeDecodeError, RecursionError):
        pass
    return None, "export"
