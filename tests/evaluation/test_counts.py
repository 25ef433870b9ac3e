import pytest
import torch

from embedlink.evaluation.counts import (
    Counts,
    count,
    gold_mentions,
    mention_recall,
    rank_metrics,
    ranks_of_gold,
    skipped_starts,
)
from embedlink.types import Document, Mention, Prediction


def prediction(start, cui):
    return Prediction(start, start + 3, cui, 1.0)


def test_counts_as_medcat_does():
    mentions = (Mention(0, 3, "A"), Mention(0, 3, "A"), Mention(9, 12, "B"))
    document = Document("d", "x" * 50, mentions)
    gold = gold_mentions(document, "first")
    counts = count([prediction(0, "A"), prediction(0, "A"), prediction(9, "A")], gold)
    assert counts == Counts(tp=2, fp=1, fn=1)
    assert counts.precision == pytest.approx(2 / 3)
    assert counts.f1 == pytest.approx(2 / 3)
    assert mention_recall(counts, len(gold)) == pytest.approx(2 / 3)


def test_no_prediction_gives_zeros():
    assert Counts(0, 0, 5).precision == Counts(0, 0, 5).recall == Counts(0, 0, 5).f1 == 0


@pytest.mark.parametrize(
    ("rule", "cui", "expected"),
    [
        ("first", "A", Counts(1, 0, 0)),
        ("first", "B", Counts(0, 1, 1)),
        ("any", "B", Counts(1, 0, 0)),
        ("any", "C", Counts(0, 1, 1)),
        ("skip", "A", Counts(0, 0, 0)),
        ("skip", "C", Counts(0, 0, 0)),
    ],
)
def test_composites_by_rule(rule, cui, expected):
    document = Document("d", "xxx", (Mention(0, 3, "A+B"),))
    gold = gold_mentions(document, rule)
    assert count([prediction(0, cui)], gold, skipped_starts(document, rule)) == expected


@pytest.mark.parametrize("code", ["NOMAP", "NO_CODE", "-1", ""])
def test_a_mention_without_concept_is_not_gold(code):
    document = Document("d", "xxx", (Mention(0, 3, code),))
    assert gold_mentions(document, "first") == []
    assert count([prediction(0, "A")], []) == Counts(0, 1, 0)


def test_ranks_by_hand():
    ranked = torch.tensor([[3, 1, 2], [1, 3, 2], [1, 2, 0]])
    ranks = ranks_of_gold(ranked, torch.tensor([3, 3, 3]))
    assert ranks.tolist() == [1, 2, torch.inf]
    metrics = rank_metrics(ranks)
    assert metrics["accuracy_at_1"] == pytest.approx(1 / 3)
    assert metrics["accuracy_at_5"] == metrics["recall_at_64"] == pytest.approx(2 / 3)
    assert metrics["mrr"] == pytest.approx((1 + 1 / 2) / 3)


def test_without_mentions_or_concepts_nothing_is_found():
    assert set(rank_metrics(torch.empty(0)).values()) == {0.0}
    nothing = torch.empty((2, 0), dtype=torch.int64)
    assert ranks_of_gold(nothing, torch.tensor([1, 2])).tolist() == [torch.inf, torch.inf]
