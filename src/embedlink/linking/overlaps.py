"""Which of overlapping links stay: the same rule in evaluation and in MedCAT's component."""

from collections.abc import Sequence

from embedlink.types import Detection


def keep_best(detections: Sequence[Detection], probabilities: Sequence[float]) -> list[int]:
    """Positions of the detections that stay, in order of start; a character belongs to one only.

    The most probable links come first and, of equal ones, the longest, as MedCAT prefers. (Its
    own filter looks at tokens, and at none of them where the regex tokenizer made an entity of
    one token.)
    """
    # Greedy: a link falls to a more probable one, even where that leaves fewer links.
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
