import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embedlink.linking.calibration import calibration_error, fit_platt


def test_the_error_by_hand():
    probability = torch.tensor([0.1, 0.9, 0.2, 0.8])
    linked = torch.tensor([False, True, True, True])
    # Two bins: (0.1, 0.2) with one of two linked, (0.8, 0.9) with two of two.
    expected = (abs(0.15 - 0.5) + abs(0.85 - 1)) / 2
    assert calibration_error(probability, linked, bins=2) == pytest.approx(expected)
    assert calibration_error(probability[:0], linked[:0]) == 0


def test_equal_probabilities_share_a_bin_whatever_their_order():
    linked = torch.tensor([True] * 30 + [False] * 10)
    assert calibration_error(torch.full((40,), 0.75), linked) == pytest.approx(0)
    assert calibration_error(torch.full((40,), 0.5), linked) == pytest.approx(0.25)


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1))
def test_the_error_is_a_share_and_not_below_that_of_one_bin(detections):
    probability = torch.tensor([p for p, _ in detections])
    linked = torch.tensor([y for _, y in detections])
    error = calibration_error(probability, linked)
    assert calibration_error(probability, linked, bins=1) - 1e-6 <= error <= 1


def evidence(*given):
    return torch.stack([*given, torch.ones_like(given[0])], 1)


def test_a_logit_thrice_too_sure_is_scaled_back():
    generator = torch.Generator().manual_seed(0)
    true = torch.randn(20_000, generator=generator) * 1.5 - 0.5
    linked = torch.rand(20_000, generator=generator) < torch.sigmoid(true)
    logits = 3 * true + 2
    scale, shift = fit_platt(evidence(logits), linked).tolist()
    assert scale == pytest.approx(1 / 3, abs=0.02)
    assert shift == pytest.approx(-2 / 3, abs=0.06)
    raw = calibration_error(torch.sigmoid(logits), linked)
    calibrated = calibration_error(torch.sigmoid(scale * logits + shift), linked)
    assert raw > 0.1
    assert calibrated < 0.02


@pytest.mark.parametrize(
    ("logits", "linked"),
    [([], []), ([1.0, 2.0], [True, True]), ([1.0, 1.0], [True, False])],
)  # fmt: skip
def test_nothing_changes_where_there_is_nothing_to_fit(logits, linked):
    right = torch.tensor(linked, dtype=torch.bool)
    assert fit_platt(evidence(torch.tensor(logits)), right) is None


def test_classes_that_one_line_parts_give_a_finite_fit():
    with torch.inference_mode():  # As Lightning evaluates.
        logits = torch.tensor([-1.0, 1.0])
        scale, shift = fit_platt(evidence(logits), torch.tensor([False, True])).tolist()
    probability = torch.sigmoid(scale * logits + shift)
    assert probability.tolist() == pytest.approx([1 / 3, 2 / 3], abs=1e-3)  # Platt's targets.


def test_two_independent_kinds_are_weighed_as_they_were_made():
    generator = torch.Generator().manual_seed(0)
    logits, tagged = torch.randn(2, 20_000, generator=generator) * 2
    linked = torch.rand(20_000, generator=generator) < torch.sigmoid(logits + 0.5 * tagged - 1)
    weights = fit_platt(evidence(logits, tagged), linked)
    assert weights.tolist() == pytest.approx([1, 0.5, -1], abs=0.06)
