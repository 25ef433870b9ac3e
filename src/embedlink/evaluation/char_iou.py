"""The official metric of the SNOMED CT Entity Linking benchmark: macro character IoU.

For each concept, the characters of its gold mentions are compared with those of its predictions,
over all documents together. The metric is the mean over the concepts that occur in either. If a
concept is only predicted, it counts as 0. Unlike in F1, a span that is partly right counts in part,
and a rare concept counts as much as a frequent one.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class LinkedSpan(NamedTuple):
    """A half-open span of one document, linked to one concept."""

    document: str  # any key that tells documents apart
    start: int  # in characters
    end: int  # in characters
    cui: str


def char_iou_by_concept(
    gold: Iterable[LinkedSpan], predicted: Iterable[LinkedSpan]
) -> dict[str, float]:
    """Intersection over union in [0, 1] of each concept in the gold or the predicted spans."""
    expected, found = _characters(gold), _characters(predicted)
    shares = {}
    for cui in sorted(expected.keys() | found.keys()):
        covered, linked = expected.get(cui, set()), found.get(cui, set())
        shares[cui] = len(covered & linked) / len(covered | linked)
    return shares


def macro_char_iou(gold: Iterable[LinkedSpan], predicted: Iterable[LinkedSpan]) -> float:
    """Mean over the concepts, in [0, 1]. It is 0 if there is no span at all."""
    shares = char_iou_by_concept(gold, predicted)
    return sum(shares.values()) / len(shares) if shares else 0.0


def _characters(spans: Iterable[LinkedSpan]) -> Mapping[str, set[tuple[str, int]]]:
    """The characters of each concept as (document, offset). An empty span covers none."""
    # Sets, because spans of a concept may overlap and a character counts once.
    covered: dict[str, set[tuple[str, int]]] = {}
    for document, start, end, cui in spans:
        if end > start:
            covered.setdefault(cui, set()).update((document, at) for at in range(start, end))
    return covered
