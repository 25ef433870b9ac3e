"""The concept index: vectors of all names and concepts, and search over them.

It knows tensors and rows only. `names.ConceptNames` says what the rows mean. `exact` and
`approximate` find names. Here these become concepts, and here is decided between the concepts of
one name.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar

import torch
from torch import Tensor

from embedlink.device import has_bfloat16
from embedlink.index.approximate import ApproximateSearch
from embedlink.index.compact import Compact, Form
from embedlink.index.exact import Search, paired_scores, search
from embedlink.index.ranking import Hits, first_of_each, order_by, place_in_group, table_of_hits
from embedlink.ragged import Groups

__all__ = ["ConceptIndex", "Hits", "paired_scores"]

PRIOR_DEPTH = 16
"""A prior reorders this many of the nearest concepts. It is too small to lift a later one."""


Made = TypeVar("Made")


def made_once(make: Callable[[Any], Made]) -> Callable[[Any], Made]:
    """A method whose result is kept. If several threads call it at first, one makes it."""
    lock, key = threading.RLock(), f"_{make.__name__}"

    @wraps(make)
    def made(self: object) -> Made:
        kept = self.__dict__
        if key not in kept:
            with lock:
                if key not in kept:
                    kept[key] = make(self)
        result: Made = kept[key]
        return result

    return made


@dataclass(frozen=True)
class ConceptIndex:
    """Unit vectors of every text, and which texts are names of which concept.

    The first texts are names, and the others are representative names only. A name that several
    concepts share is not one of their distinct names. If a shared name scores best, the distinct
    names decide between its concepts.

    Search is exact unless `search_by` is `approximate`. What it needs is made on first use.
    """

    vectors: Tensor  # (texts, dim) of unit length
    representative: Tensor  # (concepts,) row of the text that represents each concept
    concepts_of_name: Groups  # concept rows of each name
    distinct_names_of_concept: Groups  # rows of the names that tell each concept apart
    prior: Tensor | None = None  # (concepts,) added to cosines if concepts are ranked
    search_by: Search = "auto"

    @property
    def name_vectors(self) -> Tensor:
        """Vectors of the names. Shape: (names, dim)."""
        return self.vectors[: len(self.concepts_of_name)]

    @made_once
    def searched(self) -> Tensor:
        """Put the names' vectors on the device of search, a GPU if possible.

        Shape: -> (names, dim).
        """
        return self.name_vectors.to("cuda" if torch.cuda.is_available() else "cpu")

    @made_once
    def compact(self) -> Compact:
        """Make what the first pass of an exact search reads of the names."""
        vectors = self.searched()
        return Compact.of(vectors, self._form(vectors.device))

    def _form(self, device: torch.device) -> Form:
        """The form that `search_by` means on this device."""
        if self.search_by in ("float32", "bfloat16"):
            return self.search_by
        # Products of bytes need more than 16 queries on a GPU, and a document has few.
        if self.search_by == "int8" and device.type == "cpu":
            return "int8"
        return "bfloat16" if has_bfloat16(device) else "float32"

    @made_once
    def approximate(self) -> ApproximateSearch:
        """Sort the names into cells. Among millions of names that takes minutes."""
        return ApproximateSearch.build(self.name_vectors)

    @property
    def concept_vectors(self) -> Tensor:
        """Vectors of the representative names. Shape: (concepts, dim)."""
        return self.vectors[self.representative]

    def search_names(self, queries: Tensor, k: int, allowed: Tensor | None = None) -> Hits:
        """The k best names of each query, as `exact.search` returns them.

        Shape: queries (queries, dim), allowed (names,) bool.
        """
        if self.search_by == "approximate" and len(self.concepts_of_name):
            return self.approximate().search(queries, k, allowed)
        return search(queries, self.searched(), k, allowed, self.compact())

    def search_concepts(self, queries: Tensor, k: int, allowed: Tensor | None = None) -> Hits:
        """The k best concepts, each by its best name.

        Concepts that share this name rank by their best distinct name. Names are searched deeper
        until every query has k concepts or no name is left. A prior reorders the first
        `PRIOR_DEPTH` concepts, and the scores stay cosines. `allowed` leaves names out. If there
        are fewer than k concepts, there are fewer columns.

        Shape: queries (queries, dim), allowed (names,) bool -> (queries, k).
        """
        if self.prior is None:
            return self._nearest_concepts(queries, k, allowed)
        near = self._nearest_concepts(queries, max(k, PRIOR_DEPTH), allowed)
        # The same depth for every k, so that the first of many concepts is the one found alone.
        first = near.rows[:, :PRIOR_DEPTH]
        ranked = near.scores[:, :PRIOR_DEPTH] + self.prior[first.clamp(min=0)]
        ranked[first < 0] = -torch.inf
        hits = near.reordered(ranked)
        return Hits(hits.scores[:, :k], hits.rows[:, :k])

    def _nearest_concepts(self, queries: Tensor, k: int, allowed: Tensor | None) -> Hits:
        """The k best concepts without a prior. Shape: queries (queries, dim)."""
        k = min(k, len(self.representative))
        scores = torch.full((len(queries), k), -torch.inf)
        rows = torch.full((len(queries), k), -1, dtype=torch.int64)
        # A concept has several names, so k concepts take more than k names.
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
        names = hits.rows[query, column]
        entry, concepts = self.concepts_of_name.expand(names)
        query, score = query[entry], hits.scores[query, column][entry]  # (entries,) each
        tie = score.clone()
        shared = self.concepts_of_name.sizes[names][entry] > 1
        tie[shared] = self._distinct_scores(queries, query[shared], concepts[shared])
        # The hits come by the row of the name, which decides last.
        order = order_by(query, -score, -tie)
        # A concept may come by several names, and the first one counts.
        pair = query * len(self.representative) + concepts
        order = order[first_of_each(pair[order])]
        return table_of_hits(query[order], score[order], concepts[order], queries=len(queries), k=k)

    def candidate_scores(self, queries: Tensor, candidates: Groups) -> Tensor:
        """Score of every candidate concept of every query.

        A query's only candidate is scored by its representative name. One of several candidates is
        scored by the best of its distinct names. Only the rows needed are read.

        Shape: queries (queries, dim), candidates concept rows of each query -> (members,).
        """
        query = torch.repeat_interleave(torch.arange(len(candidates)), candidates.sizes)
        scores = torch.empty(len(candidates.rows))
        alone = candidates.sizes[query] == 1
        own = self.representative[candidates.rows[alone]]
        scores[alone] = paired_scores(queries, query[alone], vectors=self.vectors, rows=own).cpu()
        several = candidates.rows[~alone]
        scores[~alone] = self._distinct_scores(queries, query[~alone], several)
        return scores

    def nearest_names(self, queries: Tensor, query: Tensor, concepts: Tensor) -> Tensor:
        """The best distinct name of each concept, or its representative name if it has none.

        Shape: queries (queries, dim), query and concepts (pairs,) -> (pairs,) rows of `vectors`.
        """
        pair, names = self.distinct_names_of_concept.expand(concepts)
        scores = paired_scores(queries, query[pair], vectors=self.vectors, rows=names).cpu()
        order = order_by(pair, -scores)
        first = order[place_in_group(pair[order]) == 0]
        nearest = self.representative[concepts].clone()
        nearest[pair[first]] = names[first]
        return nearest

    def _distinct_scores(self, queries: Tensor, query: Tensor, concepts: Tensor) -> Tensor:
        """Score of the best distinct name of each concept, or of its representative name.

        Shape: queries (queries, dim), query and concepts (pairs,) -> (pairs,).
        """
        pair, names = self.distinct_names_of_concept.expand(concepts)
        scores = paired_scores(queries, query[pair], vectors=self.vectors, rows=names).cpu()
        own = paired_scores(
            queries, query, vectors=self.vectors, rows=self.representative[concepts]
        ).cpu()
        has_names = self.distinct_names_of_concept.sizes[concepts] > 0
        best = torch.where(has_names, -torch.inf, own)
        return best.scatter_reduce(0, pair, scores, "amax")
