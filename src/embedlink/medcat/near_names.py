"""Concepts found by their names' similarity alone, within MedCAT's filters.

For spans without candidates, as the tagger finds them, and for all where detection's candidates
are not to be used or not to be all. A name is searched where it has a concept that the filters
let through; its other concepts are left out of what is found.
"""

from collections.abc import Callable
from itertools import islice

import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.index.concept_index import PRIOR_DEPTH, ConceptIndex, Hits
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.ragged import Groups


class NearNames:
    """Searches the names that have a concept which the filters let through.

    Filters are read at each search; names and index are those it was made with.
    """

    def __init__(self, names: ConceptNames, index: ConceptIndex, config: EmbedLinkLinking) -> None:
        self.names, self.index, self.config = names, index, config
        self._allowed_by: tuple[list[set[str]], Tensor | None] | None = None

    def concepts(self, vectors: Tensor, k: int, least: float) -> list[dict[int, float]]:
        """The concepts of each vector's k best names with their name's score, best first.

        k = 0 takes every name that scores `least`, or the best one where that is 0 too. Concepts
        that share a name rank by their best distinct name. Keys are concept rows, scores cosines
        in [-1, 1]; empty where nothing is let through or scores `least`. Shape: vectors
        (mentions, dim) -> one for each mention.
        """
        hits = self._hits(vectors, k, least)
        found: list[dict[int, float]] = []
        for scores, rows in zip(hits.scores.tolist(), hits.rows.tolist(), strict=True):
            best: dict[int, float] = {}
            for score, name in zip(scores, rows, strict=True):
                if name < 0 or (least and score < least):
                    break
                for cui in self.names.concepts_of_name[name].tolist():
                    # A concept's best name comes first, and its score stays.
                    if self.config.filters.check_filters(self.names.cuis[cui]):
                        best.setdefault(cui, score)
            found.append(best)
        return self._ranked(vectors, found)

    def best(
        self, vectors: Tensor, k: int = 1, reordered: Callable[[Hits], Hits] | None = None
    ) -> list[dict[int, float]]:
        """The one concept of all that fits best, with its name's score, if any is let through.

        As `linking.completed` chooses; of the k nearest, which `reordered` puts in another order.
        Shape: vectors (mentions, dim) -> one for each mention, of one concept row or none.
        """
        allowed = self._allowed_names()
        # A name that is let through may be nearest by a concept that is not, which comes first.
        depth = k if allowed is None else max(k, PRIOR_DEPTH)
        hits = self.index.search_concepts(vectors, depth, allowed)
        hits = reordered(hits) if reordered else hits
        check = self.config.filters.check_filters
        found: list[dict[int, float]] = []
        for scores, rows in zip(hits.scores.tolist(), hits.rows.tolist(), strict=True):
            ranked = zip(rows, scores, strict=True)
            let = (
                (cui, score) for cui, score in ranked if cui >= 0 and check(self.names.cuis[cui])
            )
            found.append(dict(islice(let, 1)))
        return found

    def _hits(self, vectors: Tensor, k: int, least: float) -> Hits:
        """The names that `concepts` is to look at; some may score less than `least`."""
        allowed, total = self._allowed_names(), len(self.names.names)
        if k or not least:
            return self.index.search_names(vectors, k or 1, allowed)
        depth = 64
        while True:
            hits = self.index.search_names(vectors, depth, allowed)
            # Hits come best first: where the last one scores `least`, more may lie behind it.
            if depth >= total or not bool((hits.scores[:, -1] >= least).any()):
                return hits
            depth *= 4

    def _ranked(self, vectors: Tensor, found: list[dict[int, float]]) -> list[dict[int, float]]:
        """Order concepts of equal score by their best distinct name."""
        groups = Groups.of([list(best) for best in found])
        # A concept that stands alone gets its representative's score, but has nothing to tie with.
        distinct = iter(self.index.candidate_scores(vectors, groups).tolist())
        ranked = []
        for best in found:
            tie = {cui: next(distinct) for cui in best}
            ranked.append(dict(sorted(best.items(), key=lambda item: (-item[1], -tie[item[0]]))))
        return ranked

    def _allowed_names(self) -> Tensor | None:
        """Names to search, None for all. Shape: (names,) bool; kept until the filters change."""
        filters, kept = self.config.filters, self._allowed_by
        if kept is None or kept[0] != [filters.cuis, filters.cuis_exclude]:
            # Copies, since MedCAT and its users change these sets in place, too. They and the
            # mask are kept as one: another thread may be reading them.
            sets = [set(filters.cuis), set(filters.cuis_exclude)]
            allowed = torch.tensor([filters.check_filters(cui) for cui in self.names.cuis])
            every = torch.arange(len(self.names.names))
            name, cui = self.names.concepts_of_name.expand(every)
            mask = torch.zeros(len(every), dtype=torch.bool)
            mask[name[allowed[cui]]] = True
            kept = self._allowed_by = (sets, None if bool(allowed.all()) else mask)
        return kept[1]
