from embedlink.linking.overlaps import keep_best
from embedlink.types import Detection

DETECTIONS = [
    Detection(10, 14, "cold", ()),
    Detection(3, 14, "common cold", ()),
    Detection(0, 2, "ms", ()),
]


def test_the_most_probable_of_overlapping_links_stays():
    assert keep_best(DETECTIONS, [0.9, 0.8, 0.1]) == [2, 0]


def test_of_equally_probable_ones_the_longest_stays_in_order_of_start():
    assert keep_best(DETECTIONS, [0.5, 0.5, 0.5]) == [2, 1]
    assert keep_best([], []) == []
