from pathlib import Path

import pytest

from embedlink.corpora.cometa import Cometa, locate_term
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document
from tests.written import COMETA_HEADER, cometa_row, write_cometa, write_csv

PARTS = [
    "random",
    "stratified_general",
    "stratified_specific",
    "zeroshot_general",
    "zeroshot_specific",
]


def read(folder: Path, **options: str) -> tuple[list[Document], Problems]:
    problems = Problems()
    return list(Cometa("cometa", str(folder), **options).read(problems)), problems  # type: ignore[arg-type]


def surfaces(documents: list[Document]) -> list[list[str]]:
    return [[d.text[m.start : m.end] for m in d.mentions] for d in documents]


@pytest.mark.parametrize("part", PARTS)
def test_every_named_split(tmp_path: Path, part: str) -> None:
    documents, problems = read(write_cometa(tmp_path), part=part)
    assert [document.split for document in documents] == ["train"] * 4 + ["validation", "test"]
    assert surfaces(documents) == [
        ["asthma"],
        ["Type  2 diabetes"],
        ["can ' t sleep", "can't sleep"],
        [],
        ["asthma"],
        ["diabetes"],
    ]
    assert [(p.line, p.reason, p.value) for p in problems.found] == [
        (4, "term occurs several times", "3"),
        (5, "term absent from its example", "4"),
    ]
    assert not problems.rejected


def test_one_file_with_every_row(tmp_path: Path) -> None:
    documents, _ = read(write_cometa(tmp_path), part="chv")
    assert [document.split for document in documents] == [""] * 6


def test_first_occurrence_and_specific_ids(tmp_path: Path) -> None:
    documents, _ = read(write_cometa(tmp_path), occurrences="first", ids="specific")
    assert surfaces(documents)[2] == ["can ' t sleep"]
    assert documents[0].mentions[0].code == "195967002"


def test_rows_of_one_example_become_one_document(tmp_path: Path) -> None:
    folder = write_cometa(tmp_path)
    rows = [
        cometa_row(n, term, "asthma and flu", n)
        for n, term in ((1, "flu"), (2, "asthma"), (2, "asthma"))
    ]
    write_csv(folder / "chv.csv", COMETA_HEADER, rows, "\t")
    (document,), _ = read(folder, part="chv")
    assert [m.code for m in document.mentions] == ["2", "1"]
    assert document.id == "1"


def test_of_the_codes_of_one_span_the_first_row_comes_first(tmp_path: Path) -> None:
    folder = write_cometa(tmp_path)
    codes = [9, 3, 7, 1, 8]
    rows = [cometa_row(n, "flu", "the flu", code) for n, code in enumerate(codes)]
    write_csv(folder / "chv.csv", COMETA_HEADER, rows, "\t")
    (document,), _ = read(folder, part="chv")
    assert [m.code for m in document.mentions] == [str(code) for code in codes]


def test_quotes_are_read_as_published(tmp_path: Path) -> None:
    folder = write_cometa(tmp_path)
    row = cometa_row(1, "flu", 'she said "flu" and\nleft', 6142004)
    write_csv(folder / "chv.csv", COMETA_HEADER, [row], "\t")
    (document,), problems = read(folder, part="chv")
    assert document.text == 'she said "flu" and\nleft'
    assert not problems.found


@pytest.mark.parametrize(
    ("term", "example", "found"),
    [
        ("flu", "Influenza or FLU", ["FLU"]),
        ("head ache", "headache", ["headache"]),
        ("ache", "headaches", []),
        ("ra", "the drama, era and RA", ["RA"]),
        ("ra", "ra\u0301pido, ra_1, ra\u00ads", []),  # an accent, a sign and a soft hyphen join
        ("café", "cafe\u0301 au lait", ["cafe\u0301"]),
        ("crohn's", "Crohn’s and crohn ' s", ["Crohn’s", "crohn ' s"]),
        ("hyper\u00adtension", "hypertension", ["hypertension"]),
        ("t.b.", "T . B . again", ["T . B ."]),
        ("flu", "cold", []),
        ("", "cold", []),
        ("  ", "cold", []),
    ],
)
def test_locate_term(term: str, example: str, found: list[str]) -> None:
    assert [example[start:end] for start, end in locate_term(term, example)] == found


def test_missing_files(tmp_path: Path) -> None:
    with pytest.raises(EmbedLinkError, match=r"no such folder; ask for the corpus at https://"):
        read(tmp_path / "nowhere")
    with pytest.raises(EmbedLinkError, match=r"train\.csv.*dev\.csv.*ask for the corpus"):
        read(tmp_path)


def test_wrong_header_and_delimiter(tmp_path: Path) -> None:
    folder = write_cometa(tmp_path)
    write_csv(folder / "chv.csv", COMETA_HEADER, [], ",")
    assert [p.reason for p in read(folder, part="chv")[1].rejected] == ["wrong delimiter"]
    write_csv(folder / "chv.csv", ["ID", "Term"], [], "\t")
    assert [p.reason for p in read(folder, part="chv")[1].rejected] == ["wrong header"]


def test_what_nobody_sees_does_not_hide_a_term() -> None:
    assert [tuple(span) for span in locate_term("asthma", "my as\u00adth\u200bma")] == [(3, 11)]
    assert locate_term("ms", "m\u00adsx") == []
