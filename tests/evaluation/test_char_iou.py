import pytest

from embedlink.evaluation.char_iou import LinkedSpan, char_iou_by_concept, macro_char_iou


def test_hand_computed_case() -> None:
    gold = [
        LinkedSpan("n1", 0, 10, "A"),
        LinkedSpan("n2", 0, 4, "A"),
        LinkedSpan("n1", 20, 25, "B"),
    ]
    predicted = [
        LinkedSpan("n1", 5, 10, "A"),  # 5 of 10
        LinkedSpan("n2", 0, 6, "A"),  # 4 of 4, 2 too many: A = 9 / 16
        LinkedSpan("n1", 20, 25, "C"),  # right span, wrong concept: B = C = 0
    ]
    assert char_iou_by_concept(gold, predicted) == {"A": pytest.approx(9 / 16), "B": 0.0, "C": 0.0}
    assert macro_char_iou(gold, predicted) == pytest.approx(9 / 48)


def test_overlapping_mentions_of_one_concept_count_once() -> None:
    gold = [LinkedSpan("n1", 0, 6, "A"), LinkedSpan("n1", 3, 9, "A")]
    assert macro_char_iou(gold, [LinkedSpan("n1", 0, 9, "A")]) == 1.0


def test_same_offsets_in_another_document_do_not_count() -> None:
    assert macro_char_iou([LinkedSpan("n1", 0, 6, "A")], [LinkedSpan("n2", 0, 6, "A")]) == 0.0


def test_nothing_at_all() -> None:
    assert macro_char_iou([], []) == 0.0
    assert char_iou_by_concept([LinkedSpan("n1", 3, 3, "A")], []) == {}
