from pathlib import Path

import pytest

from embedlink.concepts.rows import MOST_NAME, ConceptRow, clean_name, table_rows
from embedlink.problems import Problems
from tests.written import write


def read(tmp_path: Path, text: str) -> tuple[list[ConceptRow], Problems]:
    problems = Problems()
    return list(table_rows(write(tmp_path / "c.csv", text), 2, problems)), problems


@pytest.mark.parametrize(
    ("cui", "reason"),
    [
        ("7.3E+17", "the identifier has lost digits: a power of ten"),
        ('"7,3E+17"', "the identifier has lost digits: a power of ten"),
        ("73211009.0", "the identifier has decimals"),
        ('"73,211,009"', "the identifier has thousands separators"),
        ("731999011000000000", "the identifier has lost its last digits"),
        ("nan", "a word for no concept in place of an identifier"),
        ("-", "a word for no concept in place of an identifier"),
        ("A1|B2", "several identifiers in one cell"),
        ('"A1,B2"', "several identifiers in one cell"),
        ("", "empty cui"),
    ],
)
def test_identifiers_that_are_none(tmp_path: Path, cui: str, reason: str) -> None:
    found, problems = read(tmp_path, f"cui,name\nC1,gout\n{cui},asthma\nC2,copd\n")
    assert [row.cui for row in found] == ["C1", "C2"]
    assert [(p.line, p.reason) for p in problems.rejected] == [(3, reason)]


def test_lost_zeros_never_merge_concepts(tmp_path: Path) -> None:
    found, problems = read(tmp_path, "cui,name\n12,gout\n0012,asthma\n01234,copd\n")
    assert [row.cui for row in found] == ["0012", "01234"]
    assert [problem.line for problem in problems.rejected] == [2]


def test_case_that_medcat_forgets_is_told(tmp_path: Path) -> None:
    found, problems = read(tmp_path, "cui,name\nd1,gout\nD1,asthma\nD2,copd\n")
    assert len(found) == 3
    assert [(p.line, p.reason, p.repaired) for p in problems.found] == [
        (3, "identifiers that differ in case alone", True)
    ]


def test_names_are_cleaned_of_what_nobody_sees(tmp_path: Path) -> None:
    assert clean_name("\ufeffu\u0301lcera\u00ad \x00gástrica\u200b") == "úlcera  gástrica"
    found, problems = read(tmp_path, "cui,name\nC1,u\u0301lcera\nC2,as\u00adthma\n")
    assert [row.name for row in found] == ["úlcera", "asthma"]
    assert [(p.value, p.repaired) for p in problems.found] == [("2 names", True)]


def test_huge_names_are_rejected(tmp_path: Path) -> None:
    found, problems = read(tmp_path, f"cui,name\nC1,{'gout ' * MOST_NAME}\nC2,copd\n")
    assert [row.cui for row in found] == ["C2"]
    assert [problem.line for problem in problems.rejected] == [2]


def test_excels_text_formula_is_read(tmp_path: Path) -> None:
    found, _ = read(tmp_path, 'cui,name\n"=""0012""",gout\n')
    assert [row.cui for row in found] == ["0012"]
