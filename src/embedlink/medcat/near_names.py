"""Finds candidates for spans that lack them, by the similarity of names alone.

Filters are not applied here. They take links away and never give a span another concept.
"""

from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.index.concept_index import ConceptIndex, Hits
from embedlink.ragged import Groups


class NearNames:
    """Searches the names of an index. `names` and `index` share their rows."""

    def __init__(self, names: ConceptNames, index: ConceptIndex) -> None:
        self.names, self.index = names, index

    def concepts(self, vectors: Tensor, k: int, least: float) -> list[dict[int, float]]:
        """The concepts of the k nearest names of each mention, with the score of the name.

        The best concept comes first. Keys are concept rows, and scores are cosines in [-1, 1]. If
        k is 0, every name that scores at least `least` counts. If `least` is 0 too, only the best
        name counts. If concepts share a name, their best distinct names decide the order. A mention
        has no concepts if no name scores `least`.

        Shape: vectors (mentions, dim) of length 1
        """
        hits = self._hits(vectors, k, least)
        found: list[dict[int, float]] = []
        for scores, rows in zip(hits.scores.tolist(), hits.rows.tolist(), strict=True):
            best: dict[int, float] = {}
            for score, name in zip(scores, rows, strict=True):
                if name < 0 or (least and score < least):
                    break
                for concept in self.names.concepts_of_name[name].tolist():
                    best.setdefault(concept, score)  # The best name of a concept comes first.
            found.append(best)
        return self._ranked(vectors, found)

    def _hits(self, vectors: Tensor, k: int, least: float) -> Hits:
        """The names that `concepts` looks at. Some may score less than `least`."""
        if k or not least:
            return self.index.search_names(vectors, k or 1)
        depth = 64
        while True:
            hits = self.index.search_names(vectors, depth)
            # Hits come best first. If the last one still scores `least`, more may follow.
            if depth >= len(self.names.names) or not bool((hits.scores[:, -1] >= least).any()):
                return hits
            depth *= 4

    def _ranked(self, vectors: Tensor, found: list[dict[int, float]]) -> list[dict[int, float]]:
        """Sort concepts by score, and concepts of equal score by their best distinct name."""
        groups = Groups.of([list(best) for best in found])
        # A lone concept gets the score of its representative name, but it has no tie to break.
        distinct = iter(self.index.candidate_scores(vectors, groups).tolist())
        ranked = []
        for best in found:
            tie = {concept: next(distinct) for concept in best}
            ranked.append(dict(sorted(best.items(), key=lambda item: (-item[1], -tie[item[0]]))))
        return ranked
