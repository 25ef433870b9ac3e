from pathlib import Path

import pytest

from embedlink.concepts.database import load_cdb
from embedlink.corpora.report import build_report, digest, format_report
from embedlink.problems import Problems
from embedlink.types import Document, Mention
from tests.written import write_snomed_table

TEXT = "Secret asthma, diabetes."
MENTIONS = (
    Mention(7, 13, "195967001"),
    Mention(15, 23, "73211009"),
    Mention(15, 23, "A|B"),
    Mention(15, 23, "NOMAP"),
    Mention(15, 23, ""),
)
DOCUMENTS = [
    Document("1", TEXT, MENTIONS, "mine", "train", (Mention(0, 6, "X"),)),
    Document("2", TEXT + " ", (Mention(7, 13, "44054006"),), "mine", "test"),
    Document("3", "other", (), "yours"),
]


@pytest.fixture
def problems() -> Problems:
    found = Problems()
    found.add("f", 1, "1-2", "end before start", "swap them")
    found.add("f", 2, "BOM", "byte order mark", "none", repaired=True)
    found.add("f", 3, "C1", "code absent", "none", counted=True)
    return found


def test_metrics(tmp_path: Path, problems: Problems) -> None:
    cdb = load_cdb(write_snomed_table(tmp_path / "c.csv"), Problems())
    report = build_report(DOCUMENTS, problems, cdb)
    row = report.corpora["mine"]
    assert (row.documents, row.train, row.validation, row.test) == (2, 1, 0, 1)
    assert (row.mentions, row.coded, row.single, row.composite, row.no_concept) == (6, 5, 3, 1, 1)
    assert (row.concepts, row.in_database, row.concepts_in_database) == (5, 2, 2)
    assert (row.ambiguous, row.rejected_mentions) == (2, 1)
    assert report.database == {"concepts": 5, "names": 9, "ambiguous_names": 0}
    metrics = report.metrics()
    assert metrics["data/mine/mentions"] == 6.0
    assert metrics["data/concepts/names"] == 9.0
    assert [metrics[f"data/problems/{k}"] for k in ("repaired", "counted", "rejected")] == [1.0] * 3


def test_text_report_holds_no_note_text(problems: Problems) -> None:
    for number in range(30):
        problems.add("g", number, "1", "end before start", "swap them")
    text = format_report(build_report(DOCUMENTS, problems, None))
    assert "Secret" not in text
    assert "rows rejected: 31" in text
    assert "… and 11 more" in text
    assert "f:1: end before start: '1-2'; swap them" in text
    assert "1 times: byte order mark, first: f:2" in text


def test_digest_sees_every_change() -> None:
    one = Document("1", "a b", (Mention(0, 1, "X"),), "c", "train")
    variants = [
        one,
        Document("2", "a b", (Mention(0, 1, "X"),), "c", "train"),
        Document("1", "a  b", (Mention(0, 1, "X"),), "c", "train"),
        Document("1", "a b", (Mention(0, 1, "Y"),), "c", "train"),
        Document("1", "a b", (), "c", "train", (Mention(0, 1, "X"),)),
        Document("1", "a b", (Mention(0, 1, "X"),), "c", "test"),
    ]
    assert len({digest([variant]) for variant in variants}) == len(variants)
    assert digest([one]) == digest([one])
    assert len(digest([])) == 32
