import pytest

from embedlink.corpora.places import Place
from embedlink.corpora.spans import DIFFERS, Annotation, read_mentions
from embedlink.problems import Problems
from embedlink.types import Mention

TEXT = "He has  asthma, and asthma runs in the family."
PLACE = Place("notes.tsv", 7)
SHIFTED = "offsets of another version of the text"


def annotation(start: object, end: object, surface: str | None = None) -> Annotation:
    return Annotation(start, end, "A1", PLACE, surface)


def read(
    *annotations: Annotation, text: str = TEXT
) -> tuple[list[Mention | None] | None, Problems]:
    problems = Problems()
    return read_mentions(text, annotations, Place("notes.tsv", 1, "n1"), problems), problems


@pytest.mark.parametrize(
    ("start", "end", "reason"),
    [
        (5, 5, "end before start"),
        ("9", "8", "end before start"),
        (0, 1000, "offsets outside the text"),
        (-1, 3, "offsets outside the text"),
        ("x", "3", "offset is not a number"),
        ("1_0", "12", "offset is not a number"),
        ("9" * 5000, "12", "offset is not a number"),
        (0, 10**30, "offset is not a number"),
        ([[[]]], 3, "offset is not a number"),
        (1.5, 3, "offset is not a number"),
        (float("inf"), 3, "offset is not a number"),
        (True, 3, "offset is not a number"),
        (None, 3, "offset is not a number"),
    ],
)
def test_bad_offsets_cost_their_annotation(start: object, end: object, reason: str) -> None:
    mentions, problems = read(annotation(start, end), annotation("8", " 14", "asthma"))
    assert mentions == [None, Mention(8, 14, "A1")]
    assert [(p.file, p.line, p.reason) for p in problems.rejected] == [("notes.tsv", 7, reason)]


@pytest.mark.parametrize(
    ("start", "end", "surface"),
    [(3, 14, "has asthma"), (8, 14, "ASTHMA"), (6, 14, "asthma"), (8, 14, "asth\u00adma")],
)
def test_spacing_and_case_may_differ(start: int, end: int, surface: str) -> None:
    mentions, problems = read(annotation(start, end, surface))
    assert mentions == [Mention(start, end, "A1")]
    assert [(p.reason, p.repaired) for p in problems.found] == [(DIFFERS, True)]


def test_right_offsets_need_no_problem() -> None:
    mentions, problems = read(annotation("8", " 14", "asthma"))
    assert mentions == [Mention(8, 14, "A1")]
    assert not problems.found


@pytest.mark.parametrize("shift", [-5, -1, 1, 3])
def test_one_shift_of_the_document_is_undone(shift: int) -> None:
    spans = [(8, 14, "asthma"), (20, 26, "asthma"), (39, 45, "family")]
    mentions, problems = read(*(annotation(a + shift, b + shift, s) for a, b, s in spans))
    assert mentions == [Mention(a, b, "A1") for a, b, _ in spans]
    assert [(p.reason, p.value, p.repaired) for p in problems.found] == [
        (SHIFTED, "n1 3 annotations", True)
    ]


@pytest.mark.parametrize(
    "spans",
    [
        [(14, 20, "asthma")],  # between two
        [(17, 23, "asthma")],  # nearer to one
        [(8, 14, "migraine")],
        [(8, 14, "")],
        [(8, 14, "asthma"), (22, 28, "asthma")],  # one of two is off
        [(8, 14, "asthma"), (22, 28, "asthma"), (39, 45, "family")],
        [(9, 15, "asthma"), (22, 28, "asthma")],  # each is off by another number
    ],
)
def test_a_document_that_no_shift_explains_is_left_out(spans: list[tuple[int, int, str]]) -> None:
    mentions, problems = read(*(annotation(*span) for span in spans))
    assert mentions is None
    assert [(p.reason, p.line) for p in problems.rejected] == [(DIFFERS, 7)]
    assert "asthma" not in str(problems.rejected[0])


def test_two_shifts_that_explain_everything_explain_nothing() -> None:
    text = "cough and flu. cough and flu. cough and flu."
    mentions, problems = read(annotation(5, 10, "cough"), annotation(15, 18, "flu"), text=text)
    assert mentions is None
    assert len(problems.rejected) == 1


def test_annotations_without_a_surface_move_with_the_others() -> None:
    text = "Fever.\r\nAsthma,\r\ncough."
    mentions, _ = read(annotation(7, 13, "Asthma"), annotation(15, 20), text=text)
    assert mentions is not None
    assert [text[m.start : m.end] for m in mentions if m] == ["Asthma", "cough"]
