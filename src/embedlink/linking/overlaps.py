"""Which of overlapping links stay: the same rule in evaluation and in MedCAT's component."""

from collections.abc import Sequence

from embedlink.types import Detection


def keep_best(detections: Sequence[Detection], probabilities: Sequence[float]) -> list[int]:
    """Positions of the detections that stay, in order of start. Each character has one link only.

    The most probable link stays. If links are equally probable, the longest stays, as in MedCAT.
    MedCAT's own filter compares tokens. It finds no token, and so no overlap, in an entity that the
    regex tokenizer made from one token.
    """
    # Greedy: a link gives way to a more probable one, even if fewer links remain.
    taken: set[int] = set()
    kept = []
    best_first = sorted(
        range(len(detections)),
        key=lambda at: (-probabilities[at], detections[at].start - detections[at].end),
    )
    for at in best_first:
        characters = range(detections[at].start, detections[at].end)
        if taken.isdisjoint(characters):
            taken.update(characters)
            kept.append(at)
    return sorted(kept, key=lambda at: detections[at].start)
