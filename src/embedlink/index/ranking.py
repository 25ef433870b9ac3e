"""Order among scored entries. Equal scores always rank alike, on every device and in any batch."""

from typing import NamedTuple

import torch
from torch import Tensor


class Hits(NamedTuple):
    """What a search found for each query, best first."""

    scores: Tensor  # (queries, k) float32 cosine in [-1, 1], -inf behind the last hit
    rows: Tensor  # (queries, k) int64, -1 behind the last hit

    def reordered(self, scores: Tensor) -> "Hits":
        """Rank the first hits of each query by other scores. Their own scores stay beside them.

        Hits with equal scores keep their order, and so do the hits behind the first ones.

        Shape: scores (queries, first) for the first hits of each query.
        """
        order = torch.arange(self.rows.shape[1]).repeat(len(self.rows), 1)
        order[:, : scores.shape[1]] = scores.argsort(dim=1, descending=True, stable=True)
        return Hits(self.scores.gather(1, order), self.rows.gather(1, order))


def order_by(*keys: Tensor) -> Tensor:
    """The order of entries by the first key, then by the next one, and so on, all ascending.

    Entries that are equal in all keys keep their order. Negate scores to have the best first.

    Shape: keys (entries,) each -> (entries,).
    """
    *others, last = keys
    order = last.argsort(stable=True)
    # Stable sorts, so the key that counts most comes last.
    for key in reversed(others):
        order = order[key[order].argsort(stable=True)]
    return order


def place_in_group(group: Tensor) -> Tensor:
    """How many entries of the same group stand before each. Shape: group (n,) sorted -> (n,)."""
    _, sizes = torch.unique_consecutive(group, return_counts=True)
    first = torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    return torch.arange(len(group), device=group.device) - first


def first_of_each(key: Tensor) -> Tensor:
    """The first entry of each distinct key, in their order. Shape: key (n,) -> (first,)."""
    order = order_by(key)
    return order[place_in_group(key[order]) == 0].sort().values


def table_of_hits(query: Tensor, score: Tensor, row: Tensor, *, queries: int, k: int) -> Hits:
    """The first k entries of each query as a table.

    Entries are sorted by query and ranked. A query may have fewer than k, or none.

    Shape: query, score and row (entries,) each.
    """
    place = place_in_group(query)
    kept = place < k
    hits = Hits(
        torch.full((queries, k), -torch.inf), torch.full((queries, k), -1, dtype=torch.int64)
    )
    hits.scores[query[kept], place[kept]] = score[kept]
    hits.rows[query[kept], place[kept]] = row[kept]
    return hits
