"""The concept index: vectors of all names and concepts, and search over them.

It knows tensors and rows only; what the rows mean is in `names.ConceptNames`. A search finds names
(`search`, `approximate`); what makes concepts of them, and what decides between concepts of one
name, is here.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from embedlink.device import has_bfloat16
from embedlink.index.approximate import ApproximateSearch
from embedlink.index.exact import (
    Compact,
    Form,
    Hits,
    Search,
    paired_scores,
    place_in_group,
    search,
    table_of_hits,
)
from embedlink.ragged import Groups

__all__ = ["ConceptIndex", "Hits", "paired_scores"]

PRIOR_DEPTH = 16
"""So many of the nearest concepts a prior reorders: it is small beside what parts them."""


@dataclass(frozen=True)
class ConceptIndex:
    """Unit vectors of every text, and which texts are names of which concept.

    `distinct_names_of_concept` leaves out names shared by several concepts: where a shared name
    scores best, they decide between its concepts. Shape: vectors (texts, dim), the first
    `len(concepts_of_name)` of them names; representative (concepts,) rows of `vectors`; prior
    (concepts,) what counts beside a concept's cosine when concepts are ranked. Search is
    exact unless `search_by` is `approximate`; what it needs is made when first needed.
    """

    vectors: Tensor
    representative: Tensor
    concepts_of_name: Groups
    distinct_names_of_concept: Groups
    prior: Tensor | None = None
    search_by: Search = "auto"

    @property
    def name_vectors(self) -> Tensor:
        """Shape: (names, dim)."""
        return self.vectors[: len(self.concepts_of_name)]

    @cached_property
    def searched(self) -> Tensor:
        """The names' vectors where search runs: on the GPU where there is one. (names, dim)."""
        return self.name_vectors.to("cuda" if torch.cuda.is_available() else "cpu")

    @cached_property
    def compact(self) -> Compact:
        """What the first pass of an exact search reads of the names."""
        return Compact.of(self.searched, self._form(self.searched.device))

    def _form(self, device: torch.device) -> Form:
        """What `search_by` comes to on this device."""
        if self.search_by in ("float32", "bfloat16"):
            return self.search_by
        # Products of bytes want more than 16 queries on a GPU, where a document has few.
        if self.search_by == "int8" and device.type == "cpu":
            return "int8"
        return "bfloat16" if has_bfloat16(device) else "float32"

    @cached_property
    def approximate(self) -> ApproximateSearch:
        """The names sorted into cells."""
        return ApproximateSearch.build(self.name_vectors)

    @property
    def concept_vectors(self) -> Tensor:
        """Vectors of the representative names. Shape: (concepts, dim)."""
        return self.vectors[self.representative]

    def search_names(self, queries: Tensor, k: int, allowed: Tensor | None = None) -> Hits:
        """The k best names of each query; see `search`. Shape: queries (queries, dim)."""
        if self.search_by == "approximate" and len(self.concepts_of_name):
            return self.approximate.search(queries, k, allowed)
        return search(queries, self.searched, k, allowed, self.compact)

    def search_concepts(self, queries: Tensor, k: int, allowed: Tensor | None = None) -> Hits:
        """The k best concepts, each by its best name. Shape: queries (queries, dim).

        Concepts that share that name rank by their best distinct name. Names are searched
        deeper until every query has k concepts, or the names run out. A prior reorders the
        first `PRIOR_DEPTH` concepts; the scores stay cosines. `allowed` (names,) bool
        leaves names out. Returns (queries, k), of fewer columns where there are fewer concepts.
        """
        if self.prior is None:
            return self._nearest_concepts(queries, k, allowed)
        near = self._nearest_concepts(queries, max(k, PRIOR_DEPTH), allowed)
        # As deep for every k: the first of many concepts is the one that is found alone.
        first = near.rows[:, :PRIOR_DEPTH]
        ranked = near.scores[:, :PRIOR_DEPTH] + self.prior[first.clamp(min=0)]
        ranked[first < 0] = -torch.inf
        order = torch.arange(near.rows.shape[1]).repeat(len(queries), 1)
        order[:, : first.shape[1]] = ranked.argsort(dim=1, descending=True, stable=True)
        order = order[:, :k]
        return Hits(near.scores.gather(1, order), near.rows.gather(1, order))

    def _nearest_concepts(self, queries: Tensor, k: int, allowed: Tensor | None) -> Hits:
        """The k best concepts without a prior. Shape: queries (queries, dim)."""
        k = min(k, len(self.representative))
        scores = torch.full((len(queries), k), -torch.inf)
        rows = torch.full((len(queries), k), -1, dtype=torch.int64)
        # Concepts have several names each: k of them take more than k names.
        waiting, depth = torch.arange(len(queries)), 4 * k
        while len(waiting):
            hits = self.search_names(queries[waiting], depth, allowed)
            ranked = self._rank_concepts(queries[waiting], hits, k)
            scores[waiting], rows[waiting] = ranked
            exhausted = (hits.rows < 0).any(1) | (depth >= len(self.concepts_of_name))
            waiting = waiting[(ranked.rows < 0).any(1) & ~exhausted]
            depth *= 4
        return Hits(scores, rows)

    def _rank_concepts(self, queries: Tensor, hits: Hits, k: int) -> Hits:
        """Turn ranked names into the first k distinct concepts."""
        query, column = torch.nonzero(hits.rows >= 0, as_tuple=True)
        entry, cuis = self.concepts_of_name.expand(hits.rows[query, column])
        query, score = query[entry], hits.scores[query, column][entry]
        tie = score.clone()  # (entries,)
        shared = self.concepts_of_name.sizes[hits.rows[hits.rows >= 0]][entry] > 1
        tie[shared] = self._distinct_scores(queries, query[shared], cuis[shared])
        # Stable sorts, the last key first: by query, then score, then tie, then row of the name.
        order = tie.argsort(descending=True, stable=True)
        order = order[score[order].argsort(descending=True, stable=True)]
        order = order[query[order].argsort(stable=True)]
        # Of the entries of one query and one concept, the first in this order counts.
        by_pair = (query * len(self.representative) + cuis)[order].argsort(stable=True)
        pair = (query * len(self.representative) + cuis)[order][by_pair]
        order = order[by_pair[place_in_group(pair) == 0].sort().values]
        return table_of_hits(query[order], score[order], cuis[order], len(queries), k)

    def candidate_scores(self, queries: Tensor, candidates: Groups) -> Tensor:
        """Score of every candidate concept of every query.

        A query's only candidate is scored by the concept's own row (its representative name);
        one of several by the best of its distinct names. Only the rows needed are read.
        Shape: queries (queries, dim), candidates concept rows by query -> (members,).
        """
        query = torch.repeat_interleave(torch.arange(len(candidates)), candidates.sizes)
        scores = torch.empty(len(candidates.rows))
        alone = candidates.sizes[query] == 1
        own = self.representative[candidates.rows[alone]]
        scores[alone] = paired_scores(queries, query[alone], self.vectors, own).cpu()
        several = candidates.rows[~alone]
        scores[~alone] = self._distinct_scores(queries, query[~alone], several)
        return scores

    def nearest_names(self, queries: Tensor, query: Tensor, cuis: Tensor) -> Tensor:
        """The best distinct name of each concept; its representative name where it has none.

        Shape: queries (queries, dim), query (pairs,), cuis (pairs,) -> (pairs,) rows of `vectors`.
        """
        position, names = self.distinct_names_of_concept.expand(cuis)
        scores = paired_scores(queries, query[position], self.vectors, names).cpu()
        # The names of each pair together, the best in front.
        order = scores.argsort(descending=True, stable=True)
        order = order[position[order].argsort(stable=True)]
        first = order[place_in_group(position[order]) == 0]
        nearest = self.representative[cuis].clone()
        nearest[position[first]] = names[first]
        return nearest

    def _distinct_scores(self, queries: Tensor, query: Tensor, cuis: Tensor) -> Tensor:
        """Best distinct name of each concept. Shape: query (pairs,), cuis (pairs,) -> (pairs,)."""
        position, names = self.distinct_names_of_concept.expand(cuis)
        scores = paired_scores(queries, query[position], self.vectors, names).cpu()
        own = paired_scores(queries, query, self.vectors, self.representative[cuis]).cpu()
        has_names = self.distinct_names_of_concept.sizes[cuis] > 0
        best = torch.where(has_names, -torch.inf, own)  # A concept without names has only that.
        return best.scatter_reduce(0, position, scores, "amax")
