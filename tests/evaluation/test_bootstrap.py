import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from embedlink.evaluation.bootstrap import (
    METRICS,
    differences,
    intervals,
    metrics_of_sums,
    share_with_interval,
)
from embedlink.evaluation.counts import Counts

COUNTS = arrays(np.int64, st.tuples(st.integers(2, 12), st.just(5)), elements=st.integers(0, 9))


def test_metrics_by_hand():
    metrics = metrics_of_sums(np.array([6, 2, 4, 8, 6]))
    assert metrics == pytest.approx([6 / 8, 6 / 10, 2 * 0.75 * 0.6 / 1.35, 6 / 8])
    assert metrics_of_sums(np.array([0, 0, 5, 0, 0])).tolist() == [0, 0, 0, 0]


@given(st.tuples(*[st.integers(0, 50)] * 3))
def test_they_are_the_metrics_of_the_whole_split(counts):
    whole = Counts(*counts)
    metrics = metrics_of_sums(np.array([*counts, 1, 1]))
    assert metrics[:3] == pytest.approx([whole.precision, whole.recall, whole.f1])


def test_an_interval_is_that_of_independent_documents():
    rng = np.random.default_rng(0)
    hits = rng.binomial(1, 0.7, 400)
    counts = np.stack([hits, 1 - hits, 1 - hits, np.ones_like(hits), hits], 1)
    found = intervals(counts)
    half = 1.96 * (hits.mean() * (1 - hits.mean()) / 400) ** 0.5  # The normal approximation.
    for metric in METRICS:
        assert found[f"{metric}_low"] == pytest.approx(hits.mean() - half, abs=0.012)
        assert found[f"{metric}_high"] == pytest.approx(hits.mean() + half, abs=0.012)


def test_equal_documents_leave_no_doubt_and_one_document_says_nothing():
    counts = np.tile([3, 1, 1, 4, 2], (20, 1))
    found = intervals(counts)
    assert found["precision_low"] == found["precision_high"] == 0.75
    assert intervals(counts[:1]) == {}


@settings(deadline=None, max_examples=25)
@given(COUNTS)
def test_intervals_are_ordered_repeatable_and_inside_the_unit(counts):
    counts[:, 4] = counts[:, 4].clip(max=counts[:, 3])  # No more hits than gold mentions.
    found = intervals(counts)
    assert found == intervals(counts)
    for metric in METRICS:
        assert 0 <= found[f"{metric}_low"] <= found[f"{metric}_high"] <= 1


def test_accuracy_is_not_compared_with_a_run_that_knows_no_ranks():
    ranked = np.random.default_rng(1).integers(1, 9, (30, 5))
    unranked = ranked * np.array([1, 1, 1, 0, 0])
    assert [row.metric for row in differences(ranked, ranked)] == list(METRICS)
    for pair in ((ranked, unranked), (unranked, ranked)):
        assert [row.metric for row in differences(*pair)] == ["precision", "recall", "f1"]


def test_a_run_does_not_differ_from_itself():
    counts = np.random.default_rng(1).integers(0, 9, (30, 5))
    for row in differences(counts, counts):
        assert (row.difference, row.low, row.high, row.p) == (0, 0, 0, 1)


def test_p_values_of_few_documents_are_those_of_all_exchanges():
    # Four documents, one right of one each; B is right in all, A in none: of 16 exchanges two
    # (none, all) differ as much, so p is 1/8.
    right, wrong = np.array([1, 0, 0, 1, 1]), np.array([0, 1, 1, 1, 0])
    rows = differences(np.tile(wrong, (4, 1)), np.tile(right, (4, 1)))
    for row in rows:
        assert (row.first, row.second, row.difference) == (0, 1, 1)
        assert row.p == pytest.approx(1 / 8, abs=0.015)


def test_a_clear_difference_is_found_and_turns_with_the_order():
    rng = np.random.default_rng(2)
    one, other = rng.binomial(1, 0.5, 300), rng.binomial(1, 0.75, 300)
    first, second = (np.stack([h, 1 - h, 1 - h, np.ones_like(h), h], 1) for h in (one, other))
    there, back = differences(first, second), differences(second, first)
    for row, turned in zip(there, back, strict=True):
        assert row.low > 0
        assert row.p < 0.001
        assert turned.difference == -row.difference
        assert (turned.low, turned.high) == pytest.approx((-row.high, -row.low))


def test_a_share_has_an_interval_by_document():
    assert share_with_interval([3, 3], [4, 4]) == "0.750 [0.750, 0.750]"
    share, low, high = share_with_interval([1, 4, 0], [4, 4, 0]).translate(
        str.maketrans("", "", "[],")
    ).split()  # fmt: skip
    assert float(low) < float(share) == 0.625 < float(high)
