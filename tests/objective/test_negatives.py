import pytest
import torch

from embedlink.objective.negatives import (
    HIDDEN,
    POSITIVE,
    choose_targets,
    hardest,
    sample_negatives,
    sample_positives,
    worth_scoring,
)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def drawn(scores, positives, k, pool_size, temperature, generator=None):
    """Negatives of mentions whose cosines with the targets are `scores`."""
    pool = hardest(scores, torch.eye(scores.shape[1]), positives, pool_size)
    return sample_negatives(pool, k, temperature, generator)


def test_negatives_are_distinct_and_never_positive():
    scores = torch.randn(8, 50, generator=generator())
    positives = torch.rand(8, 50, generator=generator(1)) < 0.3
    rows = drawn(scores, positives, 10, 50, 0.1, generator())
    assert rows.shape == (8, 10)
    assert not positives.gather(1, rows).any()
    assert all(len(set(row)) == 10 for row in rows.tolist())


def test_only_the_pool_is_drawn_from():
    scores = torch.arange(20.0).repeat(4, 1)
    positives = torch.zeros(4, 20, dtype=torch.bool)
    rows = drawn(scores, positives, 5, 5, 1.0, generator())
    assert rows.min() >= 15


def test_low_temperature_prefers_the_hardest_and_high_does_not():
    scores = torch.linspace(0, 1, 100).repeat(200, 1)
    positives = torch.zeros(200, 100, dtype=torch.bool)
    sharp = drawn(scores, positives, 1, 100, 0.02, generator()).float().mean()
    flat = drawn(scores, positives, 1, 100, 100.0, generator()).float().mean()
    assert sharp > 90
    assert 40 < flat < 60


def test_the_row_with_the_fewest_negatives_decides_how_many():
    positives = torch.tensor([[True, True, False], [True, False, False]])
    rows = drawn(torch.zeros(2, 3), positives, 10, 3, 0.1, generator())
    assert rows.shape == (2, 1)
    none = drawn(torch.zeros(1, 2), torch.ones(1, 2, dtype=torch.bool), 3, 2, 0.1)
    assert none.shape == (1, 0)


def test_the_seed_decides():
    scores = torch.randn(4, 30, generator=generator())
    positives = torch.zeros(4, 30, dtype=torch.bool)
    draws = [drawn(scores, positives, 5, 30, 0.5, generator(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_chosen_targets_are_a_positive_and_the_hardest_negatives_of_each():
    labels = torch.zeros(2, 8, dtype=torch.int8)
    labels[0, :2] = POSITIVE
    labels[1, 2] = POSITIVE
    labels[1, 7] = HIDDEN
    scores = torch.tensor([[0.0, 0.1, 0.2, 0.9, 0.3, 0.4, 0.0, 0.1],
                           [0.0, 0.1, 0.9, 0.2, 0.3, 0.8, 0.4, 0.95]])  # fmt: skip
    seen = set()
    for seed in range(20):
        pool = hardest(scores, torch.eye(scores.shape[1]), labels, 1)
        chosen = choose_targets(pool, labels, generator(seed)).tolist()
        assert chosen == sorted(chosen)
        assert {2, 3, 5} <= set(chosen)
        seen |= set(chosen)
    assert seen == {0, 1, 2, 3, 5}
    nothing = hardest(scores, torch.eye(scores.shape[1]), labels, 0)
    none = choose_targets(nothing, labels, generator()).tolist()
    assert len(none) == 2


@pytest.mark.parametrize("budget", [1, 4 * 6 * 7, 2**20])
def test_the_pool_does_not_depend_on_the_budget(budget):
    vectors, targets = torch.randn(56, 8, generator=generator()).split([6, 50])
    labels = torch.randint(-1, 2, (6, 50), dtype=torch.int8, generator=generator(1))
    pool = hardest(vectors, targets, labels, 5, budget)
    scores = (vectors @ targets.T).masked_fill(labels != 0, -torch.inf)
    expected = scores.topk(5, dim=1)
    assert torch.equal(pool.rows, expected.indices)
    torch.testing.assert_close(pool.scores, expected.values)


def test_every_positive_is_as_likely():
    labels = torch.zeros(3000, 9, dtype=torch.int8)
    labels[:, [1, 4, 8]] = POSITIVE
    labels[:, 0] = HIDDEN
    counts = torch.bincount(sample_positives(labels, generator()), minlength=9)
    assert counts[[0, 2, 3, 5, 6, 7]].sum() == 0
    assert counts[[1, 4, 8]].min() > 900


def test_no_budget_is_too_small_for_the_positives():
    vectors, targets = torch.randn(56, 8, generator=generator()).split([6, 50])
    labels = torch.zeros(6, 50, dtype=torch.int8)
    labels[:, 10:13] = POSITIVE
    assert worth_scoring(vectors, targets, labels, 4 * 6 * 50) is None
    assert worth_scoring(vectors, targets, labels, 1).tolist() == [10, 11, 12]
    assert len(worth_scoring(vectors, targets, labels, 4 * 6 * 20)) == 20
