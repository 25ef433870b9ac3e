"""The documents of a MedCATtrainer export as a stream, with errors that quote no note text.

At most one document is in memory at a time. If a file breaks off, the documents before that place
are read as if it were whole.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from embedlink.files.decoding import note_undecodable, opened, step_over_mark
from embedlink.files.json_values import JSONFault, JSONValues
from embedlink.problems import Problems

_REMEDY = "export the project from MedCATtrainer again"
# This finds keys only: inside a note's text the quotes have a backslash before them.
_PADDED = re.compile(rb'"cui"\s*:\s*"([^"\\]{0,200})"')
_BLOCK = 1 << 20  # bytes


class Entry(NamedTuple):
    """One document as the file has it, with its project. Numbers count from 1.

    `project` is the project's name, or "" if it has none. `document_number` counts within the
    project. `document` is any JSON value, and the reader decides whether it is a document at all.
    """

    project: str
    project_number: int
    document_number: int
    document: object


def read_export(path: Path, problems: Problems) -> Iterator[Entry]:
    """Yield every document of every project. Note the place where the file stops being an export.

    Bad content is noted in `problems`, not raised. If a project's name stands behind its documents,
    the file is read once more. This happens once for all such projects.
    """
    names: dict[int, str] | None = None
    with opened(path) as file:
        if not step_over_mark(file, path, problems):
            return
        values = JSONValues(file)
        try:
            for entry, named in _entries(values):
                if not named:  # the name stands behind the documents, so find it first
                    names = _project_names(path) if names is None else names
                    entry = entry._replace(project=names.get(entry.project_number, ""))
                yield entry
        except _NotAnExport:
            problems.add(str(path), None, "projects", 'no list of "projects"', _REMEDY)
        except JSONFault as fault:
            value, remedy = f"column {fault.column}", f"{fault.reason}: {_REMEDY}"
            problems.add(str(path), fault.line, value, "truncated or malformed JSON", remedy)
        except UnicodeDecodeError:
            note_undecodable(path, *_undecodable(path), problems)


def codes_of(path: Path) -> Iterator[str]:
    """The codes of all annotations, found by a quick search that reads nothing else.

    A code that is not a text, or that has an escape in it, is not among them.
    """
    with opened(path) as file:
        rest = b""
        while block := file.read(_BLOCK):
            block = rest + block
            end = 0
            for match in _PADDED.finditer(block):
                yield match[1].decode(errors="replace")
                end = match.end()
            rest = block[max(end, len(block) - 300) :]


class _NotAnExport(Exception):
    """JSON of another kind."""


def _entries(values: JSONValues) -> Iterator[tuple[Entry, bool]]:
    """Each document, and whether the name of its project was known when it came.

    Raises `_NotAnExport` if the file has no list of projects, and the errors of `JSONValues`.
    """
    listed = False
    for key in _members_or_skip(values):
        if key != "projects" or values.peek() != "[":
            values.skip()
            continue
        listed = True
        for number in values.items():
            yield from _project(values, number)
    values.end()
    if not listed:
        raise _NotAnExport


def _project(values: JSONValues, number: int) -> Iterator[tuple[Entry, bool]]:
    """The documents of one project, and whether the project's name was known by then."""
    name: str | None = None
    for key in _members_or_skip(values):
        if key == "documents" and values.peek() == "[":
            for position in values.items():
                document = values.value()
                yield (
                    Entry(name or "", number, document_number=position, document=document),
                    name is not None,
                )
        elif key == "name" and values.peek() == '"':
            name = str(values.value())
        else:
            values.skip()


def _members_or_skip(values: JSONValues) -> Iterator[str]:
    """The keys of an object. A value that is not an object is passed over and has no keys."""
    if values.peek() == "{":
        yield from values.members()
    else:
        values.skip()


def _project_names(path: Path) -> dict[int, str]:
    """The names of all projects by number, in one more pass. A broken file gives the first ones."""
    names: dict[int, str] = {}
    with opened(path) as file:
        if not step_over_mark(file, path, Problems()):
            return names
        values = JSONValues(file)
        try:
            for key in values.members():
                if key != "projects" or values.peek() != "[":
                    values.skip()
                    continue
                for number in values.items():
                    for member in _members_or_skip(values):
                        if member == "name" and values.peek() == '"':
                            names[number] = str(values.value())
                        elif member == "documents" and values.peek() == "[":
                            for _ in values.items():
                                values.skip()
                        else:
                            values.skip()
        except (JSONFault, UnicodeDecodeError):
            return names  # the pass over the documents meets the same error, and notes it
    return names


def _undecodable(path: Path) -> tuple[int, int]:
    """Line and byte, both from 1, of the first bytes that are not UTF-8."""
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                line.decode()
            except UnicodeDecodeError as error:
                return number, error.start + 1
    return 1, 1
