import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedlink.evaluation.counts import Counts
from embedlink.evaluation.operating_point import OperatingPoint
from embedlink.problems import EmbedLinkError

# Precision 0.5, 0.75, 0.9; recall 1, 0.75, 0.45; F1 0.667, 0.75, 0.6.
OPTIONS = [Counts(20, 20, 0), Counts(15, 5, 5), Counts(9, 1, 11)]


@pytest.mark.parametrize(
    ("value", "taken"),
    [
        ("f1", 1),
        ({"precision": 0.4}, 0),
        ({"precision": 0.7}, 1),
        ({"precision": 0.8}, 2),
        ({"precision": 0.99}, 2),
        ({"recall": 0.4}, 2),
        ({"recall": 0.7}, 1),
        ({"recall": 0.9}, 0),
    ],
)
def test_the_cheapest_that_reaches_it_is_taken_else_the_nearest(value, taken):
    assert OperatingPoint.of(value).best(OPTIONS) == taken


def test_what_was_not_reached_is_known():
    assert not OperatingPoint.of({"precision": 0.99}).reached(OPTIONS[2])
    assert OperatingPoint.of({"precision": 0.9}).reached(OPTIONS[2])
    assert OperatingPoint.of("f1").reached(Counts())


@pytest.mark.parametrize(
    "value", ["precision", 0.8, {"f1": 0.5}, {"precision": True}, {"recall": 1.0}, {}, None,
              {"precision": 0.5, "recall": 0.5}],
)  # fmt: skip
def test_anything_else_is_an_error_with_key_and_value(value):
    with pytest.raises(EmbedLinkError, match="operating_point=") as caught:
        OperatingPoint.of(value)
    assert repr(value) in str(caught.value)


COUNTS = st.builds(Counts, *[st.integers(0, 20)] * 3)


@given(
    st.lists(COUNTS, min_size=1), st.sampled_from(["precision", "recall"]), st.floats(0.01, 0.99)
)
def test_what_can_be_reached_is_reached(options, metric, least):
    point = OperatingPoint(metric, least)
    best = options[point.best(options)]
    assert point.reached(best) == any(point.reached(option) for option in options)
