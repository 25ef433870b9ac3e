import pytest

from embedlink.corpora.places import Codes, Place, UniqueIds, original_id
from embedlink.problems import Problems

PLACE = Place("notes.tsv", 7)


def test_code_form() -> None:
    problems = Problems()
    assert Codes().read(" D1", PLACE, problems) == "D1"
    assert Codes(("MESH:",)).read("MESH:C5|MESH:C6", PLACE, problems) == "C5|C6"
    assert Codes().read("A + B", PLACE, problems) == "A+B"
    assert [(p.reason, p.repaired) for p in problems.found] == [("code form", True)] * 3
    assert Codes(("MESH:",)).read("OMIM:1", PLACE, problems) == "OMIM:1"
    assert len(problems.found) == 3


@pytest.mark.parametrize("raw", ["7.32E+17", "195967001.0", "1,234,567", "12"])
def test_damaged_codes_are_rejected_with_the_remedy(raw: str) -> None:
    problems = Problems()
    assert Codes.of(["0012", raw]).read(raw, PLACE, problems) is None
    (problem,) = problems.rejected
    assert (problem.line, problem.value) == (7, raw)
    assert "as text" in problem.remedy


def test_repeated_ids_get_their_own_form() -> None:
    ids, problems = UniqueIds(), Problems()
    claimed = [ids.claim(id_, PLACE, problems) for id_ in ("a", "b", "a", "a", "a#duplicate2")]
    assert len(set(claimed)) == 5
    assert [original_id(id_) for id_ in claimed[:4]] == ["a", "b", "a", "a"]
    assert [p.reason for p in problems.found] == ["duplicate id"] * 3
