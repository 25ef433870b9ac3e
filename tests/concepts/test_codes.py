from pathlib import Path

import pytest
from medcat.cdb import CDB

from embedlink.concepts.codes import align_codes, check_overlap, note_absent_codes
from embedlink.concepts.database import load_cdb
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document, Mention
from tests.concepts.conftest import DOCUMENT
from tests.written import write


def test_codes_are_spelt_as_the_database_spells_them(tmp_path: Path) -> None:
    cdb = load_cdb(write(tmp_path / "c.csv", "cui,name\nd1,asthma\nD2,copd\n"), Problems())
    mentions = tuple(Mention(0, 1, code) for code in ("d1", "D1", "d1|d2+d3", "x", "", "NOMAP"))
    (document,) = align_codes([Document("n", "a", mentions, rejected=mentions[:1])], cdb)
    assert [m.code for m in document.mentions] == ["D1", "D1", "D1|D2+d3", "x", "", "NOMAP"]
    assert document.rejected[0].code == "D1"


def test_overlap_names_codes_of_both_sides(snomed_cdb: CDB) -> None:
    check_overlap([DOCUMENT], snomed_cdb)
    check_overlap([Document("n", "a", (Mention(0, 1, ""),), "mine")], snomed_cdb)
    stranger = Document("n", "a", (Mention(0, 1, "D001249"),), "other")
    with pytest.raises(
        EmbedLinkError, match=r"corpus other: none of its 1 codes .*D001249.*195967001"
    ):
        check_overlap([DOCUMENT, stranger], snomed_cdb)


def test_absent_codes_are_counted(snomed_cdb: CDB) -> None:
    problems = Problems()
    note_absent_codes([DOCUMENT, DOCUMENT], snomed_cdb, problems)
    assert [(p.file, p.value, p.counted) for p in problems.found] == [
        ("mine", "<1 characters> (2 mentions)", True)
    ] * 2
