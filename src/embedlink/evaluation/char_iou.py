"""The official metric of the SNOMED CT Entity Linking benchmark: macro character IoU.

For each concept, the characters that the gold mentions of the concept cover are compared with
those of its predictions, over all documents together; the metric is the mean over the concepts
that occur in either. A concept that is only predicted counts as 0. Unlike F1 it gives a span that
is partly right its share, and a rare concept the weight of a frequent one.
"""

from collections.abc import Iterable, Mapping
from typing import NamedTuple


class LinkedSpan(NamedTuple):
    """A half-open span of one document, linked to one concept.

    `document` is any key that tells documents apart; offsets are characters.
    """

    document: str
    start: int
    end: int
    cui: str


def char_iou_by_concept(
    gold: Iterable[LinkedSpan], predicted: Iterable[LinkedSpan]
) -> dict[str, float]:
    """Intersection over union in [0, 1] of each concept in the gold or the predicted spans."""
    expected, found = _characters(gold), _characters(predicted)
    metrics = {}
    for cui in sorted(expected.keys() | found.keys()):
        covered, linked = expected.get(cui, set()), found.get(cui, set())
        metrics[cui] = len(covered & linked) / len(covered | linked)
    return metrics


def macro_char_iou(gold: Iterable[LinkedSpan], predicted: Iterable[LinkedSpan]) -> float:
    """Mean over the concepts in [0, 1]; 0 when there is no span at all."""
    metrics = char_iou_by_concept(gold, predicted)
    return sum(metrics.values()) / len(metrics) if metrics else 0.0


def _characters(spans: Iterable[LinkedSpan]) -> Mapping[str, set[tuple[str, int]]]:
    """The characters of each concept as (document, offset); empty spans cover none."""
    # Sets, as spans of a concept may overlap: a character counts once.
    covered: dict[str, set[tuple[str, int]]] = {}
    for document, start, end, cui in spans:
        if end > start:
            covered.setdefault(cui, set()).update((document, at) for at in range(start, end))
    return covered
