"""Lines and table rows of text files, decoded one by one so that errors name their line.

Decoding line by line keeps memory flat on files of any size, and one undecodable line costs
that line only. Lines end at LF or CRLF and nowhere else: `str.splitlines` would also cut at
characters that occur inside notes. `read_rows` makes table rows of `read_lines`; `shown` is what
fits a cell for a message.
"""

import codecs
import csv
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from embedlink.files.paths import resolve
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import NO_CONCEPT

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_TO_UTF8 = "save the file as UTF-8"
_UNDECODED = re.compile("[\udc80-\udcff]")
_SHOWN = re.compile(r"[\w.:+|,/#-]{1,64}", re.ASCII)


class Line(NamedTuple):
    """One line; `number` counts from 1."""

    number: int
    text: str


class Row(NamedTuple):
    """One table row by column name; `line` is where it ends in the file, from 1."""

    line: int
    cells: dict[str, str]


def shown(value: object) -> str:
    """The value where it can only be an id, an offset or a code, else its length alone.

    Shuffled columns put note text where a code belongs, and no text may reach a log. Shown is one
    word of at most 64 ASCII characters with a digit in it, or a code of `NO_CONCEPT`.
    """
    text = str(value).strip()
    harmless = text in NO_CONCEPT or (_SHOWN.fullmatch(text) and any(map(str.isdigit, text)))
    return text if harmless else f"<{len(text)} characters>"


def require_file(path: str | Path, remedy: str) -> Path:
    """The path, resolved, or an error that names it and the remedy when no file is there."""
    if not resolve(path).is_file():
        raise EmbedLinkError(f"{path}: no such file; {remedy}")
    return resolve(path)


def require_folder(path: str | Path, remedy: str) -> Path:
    """The path, resolved, or an error that names it and the remedy when no folder is there."""
    if not resolve(path).is_dir():
        raise EmbedLinkError(f"{path}: no such folder; {remedy}")
    return resolve(path)


def read_lines(path: Path, problems: Problems, keep: bool = False) -> Iterator[Line]:
    """Yield the lines of a UTF-8 file; note a byte order mark, CRLF and undecodable lines.

    `keep` yields the undecodable ones as well, their bytes as lone surrogates, and every line
    with its end: a table needs both, because its cells may span lines. CRLF and an empty file are
    noted when the last line has been taken; a file in UTF-16 has no lines.
    """
    with path.open("rb") as file:
        # Much of it decodes as UTF-8, with a NUL beside each letter, and would pass for text.
        if file.read(2) in _UTF16:
            problems.add(str(path), 1, "UTF-16", "unknown encoding", _TO_UTF8)
            return
        file.seek(0)
        crlf = number = 0
        for number, raw in enumerate(file, 1):
            if number == 1 and raw.startswith(codecs.BOM_UTF8):
                raw = raw.removeprefix(codecs.BOM_UTF8)
                problems.add(str(path), 1, "BOM", "byte order mark", "none needed", repaired=True)
            crlf += raw.endswith(b"\r\n")
            # The end as a whole, LF or CRLF; a CR anywhere else is text.
            kept = raw if keep else raw.removesuffix(b"\n").removesuffix(b"\r")
            try:
                yield Line(number, kept.decode())
            except UnicodeDecodeError as error:
                byte = f"byte {error.start + 1}"
                problems.add(str(path), number, byte, "unknown encoding", _TO_UTF8)
                if keep:
                    yield Line(number, kept.decode(errors="surrogateescape"))
    if crlf:
        problems.add(str(path), None, f"{crlf} lines", "CRLF", "none needed", repaired=True)
    if not number:
        problems.add(str(path), None, "0 bytes", "empty file", "supply the file again")


def read_text(path: Path, problems: Problems) -> str | None:
    """The whole text of a small file as it stands (line ends kept), or None when undecodable.

    An empty file is noted as rejected, and its text is "".
    """
    raw = path.read_bytes()
    if raw.startswith(codecs.BOM_UTF8):
        raw = raw.removeprefix(codecs.BOM_UTF8)
        problems.add(str(path), 1, "BOM", "byte order mark", "none needed", repaired=True)
    if not raw:
        problems.add(str(path), None, "0 bytes", "empty file", "supply the file again")
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.add(str(path), line, f"byte {error.start + 1}", "unknown encoding", _TO_UTF8)
        return None


def read_rows(
    path: Path,
    columns: Sequence[str],
    problems: Problems,
    *,
    delimiter: str,
    quoted: bool,
    strict: bool = True,
) -> Iterator[Row]:
    """Yield the rows of a table whose header holds at least `columns`, in any order and case.

    A quoted cell may span lines. Rows with another number of cells than the header, and cells
    that the CSV rules do not allow, are noted and left out; `strict=False` takes a quote inside
    a cell as it stands, which is how pandas reads. Blank lines are left out without a note. Cells
    come as they are, not stripped, under the spelling of `columns`; further columns come along
    under their own. A header that lacks a column is noted, and no row is read.
    """
    header: list[str] | None = None
    lines = read_lines(path, problems, keep=True)
    split = _split_quoted(path, lines, delimiter, strict, problems) if quoted else None
    for number, cells in split or _split_plain(lines, delimiter):
        if header is None:
            known = {column.lower(): column for column in columns}
            header = [known.get(cell.strip().lower(), cell.strip()) for cell in cells]
            if not _check_header(path, header, columns, delimiter, problems):
                return
        elif len(cells) != len(header):
            if any(cells):
                found = f"{len(cells)} cells"
                remedy = f"write {len(header)} cells, as in the header"
                problems.add(str(path), number, found, "wrong number of cells", remedy)
        elif not any(map(_UNDECODED.search, cells)):  # those are noted already
            yield Row(number, dict(zip(header, cells, strict=True)))


def _split_plain(lines: Iterator[Line], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of every line of a table without quoting."""
    for number, text in lines:
        yield number, text.removesuffix("\n").removesuffix("\r").split(delimiter)


def _split_quoted(
    path: Path, lines: Iterator[Line], delimiter: str, strict: bool, problems: Problems
) -> Iterator[tuple[int, list[str]]]:
    """The cells of every row of a table with quoting, and the line that the row ends at."""
    # A cell may be a whole note; by default csv refuses more than 131,072 characters.
    csv.field_size_limit(sys.maxsize)
    rows = csv.reader((line.text for line in lines), delimiter=delimiter, strict=strict)
    # By `next`, as a `for` would end at the first error: the reader goes on with the next line.
    while True:
        try:
            cells = next(rows)
        except StopIteration:
            return
        except csv.Error:
            remedy = 'write a quote in a cell as "", and quote cells with line ends'
            problems.add(str(path), rows.line_num, "quotes", "malformed quoting", remedy)
        else:
            yield rows.line_num, cells


def _check_header(
    path: Path, header: list[str], columns: Sequence[str], delimiter: str, problems: Problems
) -> bool:
    """Whether all columns are there; otherwise note what is missing, and a likely delimiter."""
    missing = [column for column in columns if column not in header]
    if not missing:
        return True
    name = {"\t": "TAB", ",": "comma"}.get(delimiter, delimiter)
    others = {"TAB": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}
    # One cell that holds another sign: the table is delimited by that.
    used = [key for key, sign in others.items() if len(header) == 1 and sign in header[0]]
    reason = "wrong delimiter" if used else "wrong header"
    value = f"delimited by {used[0]}" if used else "missing " + ",".join(missing)
    remedy = f"the first line must name the columns {','.join(columns)}, separated by {name}"
    problems.add(str(path), 1, value, reason, remedy)
    return False
