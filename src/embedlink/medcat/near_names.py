"""Concepts found by their names' similarity alone, as candidates of spans that lack them.

Filters have no say here: they take links away, and never give a span another concept.
"""

from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.index.concept_index import ConceptIndex, Hits
from embedlink.ragged import Groups


class NearNames:
    """Searches the names of an index; both are those it was made with."""

    def __init__(self, names: ConceptNames, index: ConceptIndex) -> None:
        self.names, self.index = names, index

    def concepts(self, vectors: Tensor, k: int, least: float) -> list[dict[int, float]]:
        """The concepts of each vector's k best names with their name's score, best first.

        k = 0 takes every name that scores `least`, or the best one if that is 0 too. Concepts
        that share a name rank by their best distinct name. Keys are concept rows, scores cosines
        in [-1, 1]; empty if nothing scores `least`. Shape: vectors (mentions, dim) -> one for each
        mention.
        """
        hits = self._hits(vectors, k, least)
        found: list[dict[int, float]] = []
        for scores, rows in zip(hits.scores.tolist(), hits.rows.tolist(), strict=True):
            best: dict[int, float] = {}
            for score, name in zip(scores, rows, strict=True):
                if name < 0 or (least and score < least):
                    break
                for concept in self.names.concepts_of_name[name].tolist():
                    best.setdefault(concept, score)  # Its best name comes first, and stays.
            found.append(best)
        return self._ranked(vectors, found)

    def _hits(self, vectors: Tensor, k: int, least: float) -> Hits:
        """The names that `concepts` is to look at; some may score less than `least`."""
        if k or not least:
            return self.index.search_names(vectors, k or 1)
        depth = 64
        while True:
            hits = self.index.search_names(vectors, depth)
            # Hits come best first: if the last one scores `least`, more may lie behind it.
            if depth >= len(self.names.names) or not bool((hits.scores[:, -1] >= least).any()):
                return hits
            depth *= 4

    def _ranked(self, vectors: Tensor, found: list[dict[int, float]]) -> list[dict[int, float]]:
        """Order concepts of equal score by their best distinct name."""
        groups = Groups.of([list(best) for best in found])
        # A concept that stands alone gets its representative's score, but has nothing to tie with.
        distinct = iter(self.index.candidate_scores(vectors, groups).tolist())
        ranked = []
        for best in found:
            tie = {concept: next(distinct) for concept in best}
            ranked.append(dict(sorted(best.items(), key=lambda item: (-item[1], -tie[item[0]]))))
        return ranked
