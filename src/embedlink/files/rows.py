"""Rows of comma- and TAB-separated tables, each with the line that it ends at.

A wrong row costs that row alone. A quote that is never closed would swallow all rows behind it. So
its row is given up, and reading goes on with the next line.
"""

import csv
import re
import sys
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from embedlink.files.lines import Line, read_lines, shown
from embedlink.problems import Problems

MOST_CELL = 1 << 24
"""Characters of the longest cell that is read. It is many times the longest note."""
MOST_LINES = 20_000
"""Lines of the longest row that is read."""
_UNDECODED = re.compile("[\udc80-\udcff]")
_UNIX = "save the table with the line ends of Unix or Windows"
_SIGNS = {"TAB": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


class Row(NamedTuple):
    """One table row by column name. `line` is where the row ends in the file, from 1."""

    line: int
    cells: dict[str, str]


def read_rows(
    path: Path,
    columns: Sequence[str],
    problems: Problems,
    *,
    delimiter: str,
    quoted: bool,
    strict: bool = True,
    notes: bool = False,
) -> Iterator[Row]:
    """Yield the rows of a table with a header that holds at least `columns`, in any order and case.

    A quoted cell may span lines. `notes` says that cells hold whole notes, and lines of a note may
    look like rows. A row with another number of cells than the header is noted and left out. So is
    a cell that breaks the rules of CSV. With `strict=False` a quote inside a cell is kept as it
    stands, as pandas does. Blank lines are left out without a note.

    Cells are not stripped. Their names are spelt as in `columns`. Further columns keep the names
    that the header gives them. If the header lacks a column or holds a name twice, this is noted
    and no row is read.
    """
    header: list[str] | None = None
    first: list[str] = []  # the header as written
    lines = _Lines(read_lines(path, problems, keep=True))
    split = (
        _Quoted(path, lines, delimiter=delimiter, strict=strict, problems=problems)
        if quoted
        else None
    )
    for number, cells in split or _split_plain(lines, delimiter):
        if header is None:
            if _names_the_delimiter(cells) or not any(map(str.strip, cells)):
                continue
            first = cells
            known = {column.lower(): column for column in columns}
            header = [known.get(cell.strip().lower(), cell.strip()) for cell in cells]
            if not _check_header(
                path, header, columns=columns, delimiter=delimiter, problems=problems
            ):
                return
            if split and not notes:
                split.width = len(header)
        elif len(cells) != len(header):
            if any(cells) and not (split and split.gave_back(number)):
                found = f"{len(cells)} cells"
                remedy = f"write {len(header)} cells, as in the header"
                problems.add(str(path), number, found, "wrong number of cells", remedy)
        elif max(map(len, cells)) > MOST_CELL:
            reason = f"a cell of more than {MOST_CELL} characters"
            problems.add(str(path), number, "cell", reason, "divide it, or check the quotes")
        elif cells == first:
            reason, remedy = "the header once more", "none needed"
            problems.add(str(path), number, "header", reason, remedy, repaired=True)
        elif not any(map(_UNDECODED.search, cells)):  # `read_lines` has noted those.
            yield Row(number, dict(zip(header, cells, strict=True)))


class _Lines(Iterator[str]):
    """The lines of a file. Those of the last row can be given back, except its first."""

    def __init__(self, lines: Iterator[Line]) -> None:
        self._lines = lines
        self._given_back: deque[Line] = deque()
        self.taken: list[Line] = []

    def __next__(self) -> str:
        # A row must end somewhere. csv then says that it has no end, or takes it as it is.
        if len(self.taken) >= MOST_LINES:
            raise StopIteration
        line = self._given_back.popleft() if self._given_back else next(self._lines)
        self.taken.append(line)
        return line.text

    def give_back(self) -> None:
        """Let all lines of this row but the first be read again, each by itself."""
        self._given_back.extendleft(reversed(self.taken[1:]))
        del self.taken[1:]


def _split_plain(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The cells of every line of a table without quoting."""
    for text in lines:
        number = lines.taken.pop().number
        yield number, text.removesuffix("\n").removesuffix("\r").split(delimiter)


class _Quoted(Iterator[tuple[int, list[str]]]):
    """The cells of every row of a table with quoting, and the line that the row ends at.

    `width` is the number of cells of the header, or None if lines inside a cell may look like rows.
    If it is known, a cell that holds a line with so many cells has swallowed a row.
    """

    width: int | None = None

    def __init__(
        self, path: Path, lines: _Lines, delimiter: str, strict: bool, problems: Problems
    ) -> None:
        # A cell may be a whole note, and by default csv refuses more than 131,072 characters.
        csv.field_size_limit(sys.maxsize)
        self._path, self._lines, self._problems = path, lines, problems
        self._delimiter = delimiter
        self._rows = csv.reader(lines, delimiter=delimiter, strict=strict)

    def __next__(self) -> tuple[int, list[str]]:
        # A `for` would end at the first error. With `next` the reader goes on with the next line.
        while True:
            self._lines.taken.clear()
            try:
                cells = next(self._rows)
            except csv.Error:
                self._give_up()
            else:
                if self._swallows(cells):
                    self._give_up()
                    continue
                return self._lines.taken[-1].number, cells

    def gave_back(self, line: int) -> bool:
        """Give up a row of several lines that has too few or too many cells. False for one line."""
        if len(self._lines.taken) < 2:
            return False
        self._give_up()
        return True

    def _swallows(self, cells: list[str]) -> bool:
        """Whether the row has too many lines, or a cell holds a line that is a row itself."""
        if len(self._lines.taken) < 2:
            return False
        inner = (line for cell in cells for line in cell.split("\n")[1:])
        signs = self.width - 1 if self.width and self.width > 1 else sys.maxsize
        return len(self._lines.taken) >= MOST_LINES or any(
            line.count(self._delimiter) >= signs for line in inner
        )

    def _give_up(self) -> None:
        """Report quotes that cannot be read, at the line where they begin."""
        self._lines.give_back()
        number, text = self._lines.taken[-1]
        value, reason = "quotes", "malformed quoting"
        remedy = 'write a quote in a cell as "", and quote cells with line ends'
        if '"' not in text and "\r" in text.rstrip("\r\n"):
            value, reason, remedy = "CR", "lines end in CR alone", _UNIX
        self._problems.add(str(self._path), number, value, reason, remedy)


def _names_the_delimiter(cells: list[str]) -> bool:
    """Whether this is the line `sep=;` that tells Excel how a table is delimited."""
    return len(cells) <= 2 and cells[:1] != [] and cells[0].lower().startswith("sep=")


def _check_header(
    path: Path, header: list[str], columns: Sequence[str], delimiter: str, problems: Problems
) -> bool:
    """Whether every column is there once. If not, note what is wrong, and a likely delimiter."""
    missing = [column for column in columns if column not in header]
    # pandas calls a second column `name` `name.1`.
    names = (re.sub(r"\.\d+$", "", name) if name not in columns else name for name in header)
    counts = Counter(map(str.lower, names))
    twice = [name for name, count in counts.items() if name and count > 1]
    sign = {value: key for key, value in _SIGNS.items()}.get(delimiter, delimiter)
    if not missing and not twice:
        return True
    remedy = f"the first line must name the columns {','.join(columns)} once, separated by {sign}"
    # One cell that holds another sign: the table is delimited by that.
    used = [key for key, other in _SIGNS.items() if len(header) == 1 and other in header[0]]
    if missing and any("\r" in name for name in header):
        value, reason = "CR", "lines end in CR alone"
        remedy = _UNIX
    elif missing and used:
        value, reason = f"delimited by {used[0]}", "wrong delimiter"
    elif missing:
        value, reason = "missing " + ",".join(missing), "wrong header"
    else:
        value, reason = (
            ",".join(n if n in columns else shown(n) for n in twice),
            "two columns of one name",
        )
        remedy = "name each column once; write a second name of a concept in a row of its own"
    problems.add(str(path), 1, value, reason, remedy)
    return False
