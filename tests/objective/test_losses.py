import math

import pytest
import torch
from torch.nn import functional as F

from embedlink.objective.losses import LogitScale, MarginalSoftmax, SampledSoftmax
from embedlink.objective.multi_similarity import MultiSimilarity
from embedlink.objective.negatives import HIDDEN


@pytest.fixture
def problem():
    generator = torch.Generator().manual_seed(0)
    vectors = F.normalize(torch.randn(6, 8, generator=generator), dim=1).requires_grad_()
    targets = F.normalize(torch.randn(40, 8, generator=generator), dim=1)
    positives = torch.zeros(6, 40, dtype=torch.bool)
    positives[torch.arange(6), torch.arange(6)] = True
    positives[0, 10] = True
    return vectors, targets, positives, generator


def test_marginal_is_the_log_of_the_summed_probability(problem):
    vectors, targets, positives, generator = problem
    loss = MarginalSoftmax(scale=20.0)(vectors, targets, positives, generator)
    probability = torch.softmax(20 * vectors @ targets.T, 1)
    expected = -(probability * positives).sum(1).log().mean()
    assert torch.isclose(loss, expected)


def test_marginal_within_a_budget_keeps_positives_and_the_hardest(problem):
    vectors, targets, positives, generator = problem
    whole = MarginalSoftmax(scale=20.0)(vectors, targets, positives, generator)
    part = MarginalSoftmax(scale=20.0, score_budget=4 * 6 * 20)(
        vectors, targets, positives, generator
    )
    assert part <= whole
    assert part > 0.9 * whole


def test_sampled_over_all_negatives_is_cross_entropy(problem):
    vectors, targets, positives, generator = problem
    positives[0, 10] = False  # One positive each, so that nothing is left to chance.
    loss = SampledSoftmax(scale=5.0, k=39, pool_size=40)(vectors, targets, positives, generator)
    expected = F.cross_entropy(5 * vectors @ targets.T, torch.arange(6))
    assert torch.isclose(loss, expected)


@pytest.mark.parametrize("loss", [MarginalSoftmax(), SampledSoftmax(k=5)])
def test_a_step_along_the_gradient_lowers_the_loss(loss, problem):
    vectors, targets, positives, _ = problem
    before = loss(vectors, targets, positives, torch.Generator().manual_seed(3))
    before.backward()
    moved = F.normalize(vectors.detach() - 0.05 * vectors.grad, dim=1)
    after = loss(moved, targets, positives, torch.Generator().manual_seed(3))
    assert after < before


def test_the_scale_learns_only_when_told_and_stays_below_100():
    assert LogitScale(20.0, learnable=True).log_scale.requires_grad
    assert not LogitScale(20.0, learnable=False).log_scale.requires_grad
    scale = LogitScale()
    scale.log_scale.data.fill_(math.log(1000))
    assert scale(torch.tensor(1.0)).item() == pytest.approx(100)


def test_a_hidden_target_neither_attracts_nor_repels(problem):
    vectors, targets, positives, generator = problem
    labels = positives.to(torch.int8)
    labels[0, 10] = HIDDEN
    loss = MarginalSoftmax(scale=20.0)(vectors, targets, labels, generator)
    kept = torch.arange(40) != 10
    first = MarginalSoftmax(scale=20.0)(vectors[:1], targets[kept], labels[:1, kept], generator)
    rest = MarginalSoftmax(scale=20.0)(vectors[1:], targets, labels[1:], generator)
    assert torch.isclose(loss, (first + 5 * rest) / 6)


def test_multi_similarity_is_its_formula(problem):
    vectors, targets, positives, generator = problem
    alpha, beta, base = 2.0, 10.0, 0.5
    loss = MultiSimilarity(alpha, beta, base)(vectors, targets, positives.to(torch.int8), generator)
    cosine = vectors @ targets.T
    near = torch.log1p((torch.exp(-alpha * (cosine - base)) * positives).sum(1)) / alpha
    far = torch.log1p((torch.exp(beta * (cosine - base)) * ~positives).sum(1)) / beta
    assert torch.isclose(loss, (near + far).mean())


def test_multi_similarity_within_a_budget_leaves_out_what_is_far(problem):
    vectors, targets, positives, generator = problem
    labels = positives.to(torch.int8)
    whole = MultiSimilarity()(vectors, targets, labels, generator)
    part = MultiSimilarity(score_budget=4 * 6 * 30)(vectors, targets, labels, generator)
    assert 0.99 * whole < part <= whole
