"""Checks the rows of concept tables: a row without a concept, or with a wrong one, is noted."""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from embedlink.files.decoding import suffix_of
from embedlink.files.lines import shown
from embedlink.files.rows import Row, read_rows
from embedlink.identifiers import Form, clean_code, damage, says_no_concept, split_code
from embedlink.problems import Problems

MOST_NAME = 1000
"""Characters of the longest name. MedCAT's work grows with the square of a name's words."""
_STATUSES = frozenset({"A", "P", "N", ""})
_UNSEEN = re.compile("[\u00ad\u200b-\u200f\u2060\ufeff]")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class ConceptRow(NamedTuple):
    """One name of a concept, in the columns of MedCAT's CDB maker."""

    cui: str
    name: str
    ontologies: str = ""
    name_status: str = ""
    type_ids: str = ""
    description: str = ""


COLUMNS = ConceptRow._fields
"""Only the first two must be in a table."""


def table_rows(path: Path, letters: int, problems: Problems) -> Iterator[ConceptRow]:
    """Yield the good rows of a comma-separated (or `.tsv`) concept table, and note the others.

    Names with fewer than `letters` letters are counted, because MedCAT leaves them out. The file is
    read twice, because only all identifiers together show what they look like.
    """
    form = Form.of(row.cells["cui"] for row in _read(path, Problems()))
    checks = _Checks(path, letters, form=form, problems=problems)
    for row in _read(path, problems):
        checked = checks.row(row)
        if checked is not None:
            yield checked
    checks.note_counts()


def clean_name(name: str) -> str:
    """A name with composed accents and without invisible or control characters."""
    composed = unicodedata.normalize("NFC", _UNSEEN.sub("", name))
    return _CONTROL.sub(" ", composed).strip()


def _read(path: Path, problems: Problems) -> Iterator[Row]:
    plain = suffix_of(path) == ".tsv"
    delimiter = "\t" if plain else ","
    return read_rows(path, COLUMNS[:2], problems, delimiter=delimiter, quoted=not plain)


class _Checks:
    """Checks rows one by one, and counts the faults that many rows have."""

    def __init__(self, path: Path, letters: int, form: Form, problems: Problems) -> None:
        self._path, self._letters, self._form, self._problems = path, letters, form, problems
        self._counts: Counter[str] = Counter()
        self._first: dict[str, int] = {}
        self._spelling: dict[str, str] = {}

    def row(self, row: Row) -> ConceptRow | None:
        """The row with a clean identifier and name, or None if it is noted or counted instead."""
        found = ConceptRow(*(row.cells.get(column, "").strip() for column in COLUMNS))
        fault = self._fault(found)
        if fault:
            self._problems.add(str(self._path), row.line, shown(found.cui), *fault)
            return None
        cui, name = clean_code(found.cui, ()), clean_name(found.name)
        if self._letters and len(re.sub("[^A-Za-z]", "", name)) < self._letters:
            self._count("short", row.line)  # MedCAT leaves them out, with a log line each
            return None
        if name != found.name:
            self._count("unseen", row.line)
        if self._spelling.setdefault(cui.upper(), cui) != cui:
            self._count("case", row.line)
        if found.name_status.upper() not in _STATUSES:
            reason, remedy = "unknown name_status", "read as A, as MedCAT does"
            value = shown(found.cui)
            self._problems.add(str(self._path), row.line, value, reason, remedy, repaired=True)
        return found._replace(cui=cui, name=name)

    def _fault(self, row: ConceptRow) -> tuple[str, str] | None:
        """Reason and remedy of a row that cannot be read."""
        if not row.cui or not clean_name(row.name):
            return f"empty {'cui' if not row.cui else 'name'}", "fill it in"
        if says_no_concept(row.cui):
            return "a word for no concept in place of an identifier", "write the identifier"
        if self._form.is_word(row.cui):
            return "a word where other identifiers have digits", "write the identifier"
        if len(split_code(row.cui)) > 1:
            found = damage(row.cui)
            return found or ("several identifiers in one cell", "write a row for each of them")
        if len(row.name) > MOST_NAME:
            return f"a name of more than {MOST_NAME} characters", "check the quotes and columns"
        return damage(row.cui, self._form)

    def _count(self, what: str, line: int) -> None:
        self._counts[what] += 1
        self._first.setdefault(what, line)

    def note_counts(self) -> None:
        """Add one problem for each kind that was counted, at its first row."""
        for what, (reason, remedy, counted) in {
            "short": (
                f"names with fewer than {self._letters} letters", "MedCAT leaves them out", True
            ),
            "unseen": (
                "names with invisible characters or accents apart", "read without, composed", False
            ),
            "case": ("identifiers that differ in case alone", "read as one concept", False),
        }.items():  # fmt: skip
            if what in self._counts:
                value, line = f"{self._counts[what]} names", self._first[what]
                self._problems.add(
                    str(self._path), line, value, reason, remedy, not counted, counted
                )
