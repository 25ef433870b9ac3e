import pytest

from embedlink.corpora.spans import Place, UniqueIds, original_id, read_code, read_mention
from embedlink.problems import Problems
from embedlink.types import Mention

TEXT = "He has  asthma, and asthma runs in the family."
PLACE = Place("notes.tsv", 7)


def read(start: object, end: object, surface: str | None = None) -> tuple[Mention | None, Problems]:
    problems = Problems()
    return read_mention(TEXT, start, end, "A1", PLACE, problems, surface), problems


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (5, 5, "end before start"),
        ("9", "8", "end before start"),
        (0, 1000, "offsets outside the text"),
        (-1, 3, "offsets outside the text"),
        ("x", "3", "offset is not a number"),
        ("1_0", "12", "offset is not a number"),
        (1.5, 3, "offset is not a number"),
        (True, 3, "offset is not a number"),
        (None, 3, "offset is not a number"),
    ],
)
def test_bad_offsets(start: object, end: object, reason: str) -> None:
    mention, problems = read(start, end)
    assert mention is None
    assert [(p.file, p.line, p.reason) for p in problems.rejected] == [("notes.tsv", 7, reason)]


def test_right_offsets_need_no_problem() -> None:
    mention, problems = read("8", " 14", "asthma")
    assert mention == Mention(8, 14, "A1")
    assert not problems.found


@pytest.mark.parametrize(
    ("start", "end", "surface", "found"),
    [
        (7, 13, "asthma", (8, 14)),  # one to the left
        (19, 25, "asthma", (20, 26)),  # the nearer of two
        (3, 14, "has asthma", (3, 14)),  # spacing differs
        (8, 14, "ASTHMA", (8, 14)),  # case differs
    ],
)
def test_a_span_slightly_off_is_moved(
    start: int, end: int, surface: str, found: tuple[int, int]
) -> None:
    mention, problems = read(start, end, surface)
    assert mention == Mention(*found, "A1")
    assert [problem.repaired for problem in problems.found] == [True]


def test_a_span_that_could_be_two_is_rejected() -> None:
    mention, problems = read(14, 20, "asthma")
    assert mention is None
    assert problems.rejected[0].reason == "span text differs from the text at its offsets"
    assert "asthma" not in str(problems.rejected[0])


def test_a_span_whose_text_is_nowhere_is_rejected() -> None:
    assert read(8, 14, "migraine")[0] is None
    assert read(8, 14, "")[0] is None


def test_code_form() -> None:
    problems = Problems()
    assert read_code(" D1", (), PLACE, problems) == "D1"
    assert read_code("MESH:C5|MESH:C6", ("MESH:",), PLACE, problems) == "C5|C6"
    assert read_code("A + B", (), PLACE, problems) == "A+B"
    assert len(problems.found) == 3
    assert read_code("OMIM:1", ("MESH:",), PLACE, problems) == "OMIM:1"
    assert len(problems.found) == 3


def test_repeated_ids_get_their_own_form() -> None:
    ids, problems = UniqueIds(), Problems()
    claimed = [ids.claim(id_, PLACE, problems) for id_ in ("a", "b", "a", "a", "a#duplicate2")]
    assert len(set(claimed)) == 5
    assert [original_id(id_) for id_ in claimed[:4]] == ["a", "b", "a", "a"]
    assert [p.reason for p in problems.found] == ["duplicate id"] * 3
