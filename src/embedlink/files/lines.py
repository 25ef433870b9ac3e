"""Lines of text files, decoded one by one so that errors name their line.

Memory stays small for files of any size, and a line that cannot be decoded costs that line only.
Lines end at LF or CRLF and nowhere else. `str.splitlines` would also cut at characters that occur
inside notes. `shown` says what of a value may appear in a message.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from embedlink.files.decoding import note_undecodable, opened, step_over_mark
from embedlink.files.paths import resolve
from embedlink.identifiers import says_no_concept
from embedlink.problems import EmbedLinkError, Problems

_SHOWN = re.compile(r"[\w.:+|,;/#-]{1,64}", re.ASCII)
_NAMED = 24  # characters of the longest word for "no concept" that is shown


class Line(NamedTuple):
    """One line of a file. `number` counts from 1."""

    number: int
    text: str


def shown(value: object) -> str:
    """The value if it can only be an id, an offset or a code, else its length or type alone.

    If columns are shuffled, note text stands where a code belongs, and no text may reach a log. A
    value is shown if it is one word of at most 64 ASCII characters with a digit in it, or a word
    for "no concept".
    """
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value) if abs(value) < 10**20 else "<a long number>"
    if not isinstance(value, str | float | None):
        return f"<{type(value).__name__}>"
    text = str(value).strip()
    word = len(text) <= _NAMED and says_no_concept(text)
    harmless = word or (_SHOWN.fullmatch(text) and any(map(str.isdigit, text)))
    return text if harmless else f"<{len(text)} characters>"


def require_file(path: str | Path, remedy: str) -> Path:
    """The resolved path. Raises an error with the path and the remedy if no file is there."""
    if not resolve(path).is_file():
        raise EmbedLinkError(f"{path}: no such file; {remedy}")
    return resolve(path)


def require_folder(path: str | Path, remedy: str) -> Path:
    """The resolved path. Raises an error with the path and the remedy if no folder is there."""
    if not resolve(path).is_dir():
        raise EmbedLinkError(f"{path}: no such folder; {remedy}")
    return resolve(path)


def read_lines(path: Path, problems: Problems, keep: bool = False) -> Iterator[Line]:
    """Yield the lines of a UTF-8 file, and note what is wrong with it.

    A byte order mark, CRLF and undecodable lines are noted. With `keep`, undecodable lines come
    too, with their bytes as lone surrogates, and every line keeps its end. A table needs both,
    because its cells may span lines. CRLF and an empty file are noted after the last line. A file
    in UTF-16 gives no lines.
    """
    with opened(path) as file:
        if not step_over_mark(file, path, problems):
            return
        crlf = number = 0
        for number, raw in enumerate(file, 1):
            crlf += raw.endswith(b"\r\n")
            # Only LF or CRLF is a line end. A CR anywhere else is text.
            kept = raw if keep else raw.removesuffix(b"\n").removesuffix(b"\r")
            try:
                yield Line(number, kept.decode())
            except UnicodeDecodeError as error:
                note_undecodable(path, number, byte=error.start + 1, problems=problems)
                if keep:
                    yield Line(number, kept.decode(errors="surrogateescape"))
    if crlf:
        problems.add(str(path), None, f"{crlf} lines", "CRLF", "none needed", repaired=True)
    if not number:
        problems.add(str(path), None, "0 bytes", "empty file", "supply the file again")


def read_text(path: Path, problems: Problems) -> str | None:
    """The whole text of a small file with its line ends, or None if it cannot be decoded.

    An empty file is noted as rejected, and its text is "".
    """
    before = len(problems.found)
    with opened(path) as file:
        if not step_over_mark(file, path, problems):
            return "" if problems.found[before].reason == "empty file" else None
        raw = file.read()
    if not raw:
        problems.add(str(path), None, "0 bytes", "empty file", "supply the file again")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        byte = error.start - raw.rfind(b"\n", 0, error.start)
        note_undecodable(path, line, byte=byte, problems=problems)
        return None
