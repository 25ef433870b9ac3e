"""Exact nearest vectors by inner product, reading few bytes of each.

A first pass scores every vector in a compact form and keeps what could still be among the best, by
how far off a compact score can be. Only those few are scored exactly. The result is that of sorting
all exact scores, whatever the form, the chunks and the batch.

`search` takes queries a chunk at a time, so memory does not grow with them. It reads the vectors in
ranges whose scores stay in a processor's cache.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from embedlink.index.compact import Compact
from embedlink.index.ranking import Hits, order_by, place_in_group, table_of_hits

SCORE_BUDGET = 64 * 2**20
"""Bytes of scores and of gathered vectors that search holds at a time."""
CACHE = 8 * 2**20
"""Bytes of scores that a processor's cache holds together with the vectors that they are of."""
QUERIES, BLOCK = 512, 64
"""Queries in a chunk, and vectors in a block. Only the best score of a block is looked at first."""

Search = Literal["auto", "float32", "bfloat16", "int8", "approximate"]
"""How an index searches: exactly in one of the forms, or approximately, which may miss names.

`auto` is bfloat16 if the device multiplies it, and float32 if not.
"""


def search(
    queries: Tensor,
    vectors: Tensor,
    k: int,
    allowed: Tensor | None = None,
    compact: Compact | None = None,
) -> Hits:
    """The k vectors of highest inner product with each query. Equal scores rank by row.

    `allowed` leaves rows out. `compact` holds the same vectors in the form of the first pass, which
    otherwise reads the vectors unchanged. Search runs on the vectors' device. If there are fewer
    than k vectors, there are fewer columns. If `allowed` leaves fewer than k, rows are -1.

    Shape: queries (queries, dim), vectors (vectors, dim), allowed (vectors,) bool ->
    (queries, k) on the CPU.
    """
    k = min(k, len(vectors))
    compact = Compact.of(vectors) if compact is None and k else compact
    hits = [
        _search_chunk(
            part.to(vectors.device).float(), vectors, k=k, allowed=allowed, compact=compact
        )
        for part in queries.split(_query_chunk(k))
        if k and compact is not None and len(part)
    ]
    if not hits:
        return Hits(torch.empty(len(queries), k), torch.empty(len(queries), k, dtype=torch.int64))
    return Hits(torch.cat([hit.scores for hit in hits]), torch.cat([hit.rows for hit in hits]))


def _query_chunk(k: int) -> int:
    """Queries at a time. Their scores of 16 k vectors stay within the budget."""
    return max(1, min(QUERIES, SCORE_BUDGET // (64 * max(1, k))))


class _Survivors(NamedTuple):
    """Pairs of a query and a row that could be among the best."""

    query: Tensor  # (pairs,)
    row: Tensor  # (pairs,)
    score: Tensor  # (pairs,)

    def join(self, other: "_Survivors") -> "_Survivors":
        return _Survivors(*(torch.cat(pair) for pair in zip(self, other, strict=True)))

    def keep(self, mask: Tensor) -> "_Survivors":
        return _Survivors(*(tensor[mask] for tensor in self))


def _search_chunk(
    queries: Tensor, vectors: Tensor, k: int, allowed: Tensor | None, compact: Compact
) -> Hits:
    """Search with so few queries that their scores of a range of vectors fit."""
    coded = compact.code_queries(queries)
    # The scores of a range fill the cache, but a range has at least 16 k vectors, if there are so
    # many. Blocks are so small that a range has more than k of them. With fewer nothing would be
    # ruled out before the exact scores.
    columns = min(len(compact), max(16 * k, CACHE // (4 * max(len(queries), 32))))
    block = max(1, min(BLOCK, columns // (2 * k)))
    best = torch.full((len(queries), k), -torch.inf, device=queries.device)
    nothing = torch.empty(0, dtype=torch.int64, device=queries.device)
    found = _Survivors(nothing, nothing, nothing.float())
    for low in range(0, len(compact), columns):
        high = min(low + columns, len(compact))
        product = compact.scores(coded, low, high)
        if allowed is not None:
            product = product.masked_fill_(~allowed[low:high].to(product.device), -torch.inf)
        blocks = F.pad(product, (0, -product.shape[1] % block), value=-torch.inf)
        blocks = blocks.unflatten(1, (block, -1))  # (queries, block, blocks): columns far apart
        highest = blocks.amax(1).float()
        # The k-th best of k different blocks: at least k vectors score as much, less the error.
        best = torch.cat([best, highest], 1).topk(k, dim=1).values
        # Twice the error: that of the k-th best, and that of the vector compared with it.
        floor = best[:, -1] - 2 * coded.error
        found = found.join(_survivors(blocks, highest, floor=floor, low=low))
        if len(found.row) > max(SCORE_BUDGET // 64, 2 * k * len(queries)):
            # Too many to hold, and k of each query are enough once they are scored exactly. Later
            # floors are compact scores. With the error added, none of them drops these too early.
            found = _exact(
                found.keep(found.score >= floor[found.query]), queries, vectors=vectors, k=k
            )
            found = found._replace(score=found.score + coded.error[found.query])
    exact = _exact(found.keep(found.score >= floor[found.query]), queries, vectors=vectors, k=k)
    return table_of_hits(
        exact.query.cpu(), exact.score.cpu(), exact.row.cpu(), queries=len(queries), k=k
    )


def _survivors(blocks: Tensor, highest: Tensor, floor: Tensor, low: int) -> _Survivors:
    """Pairs with a score that reaches the floor.

    Shape: blocks (queries, block, blocks), highest (queries, blocks), floor (queries,).
    """
    reached = (highest >= floor[:, None]) & (highest > -torch.inf)
    query, at = reached.nonzero(as_tuple=True)
    scores = blocks[query, :, at].float()  # (reached, block)
    inside = (scores >= floor[query, None]) & (scores > -torch.inf)
    pair, member = inside.nonzero(as_tuple=True)
    row = member * blocks.shape[2] + at[pair] + low  # As `unflatten` laid the columns out.
    return _Survivors(query[pair], row, scores[pair, member])


def _exact(found: _Survivors, queries: Tensor, vectors: Tensor, k: int) -> _Survivors:
    """The k best pairs of each query by exact score, in order. Equal scores rank by row."""
    scores = paired_scores(queries, found.query, vectors=vectors, rows=found.row)
    order = order_by(found.query, -scores, found.row)
    order = order[place_in_group(found.query[order]) < k]
    return _Survivors(found.query[order], found.row[order], scores[order])


def paired_scores(queries: Tensor, query: Tensor, vectors: Tensor, rows: Tensor) -> Tensor:
    """Inner products of chosen pairs of a query and a row, in chunks.

    Shape: queries (queries, dim), query (pairs,), vectors (vectors, dim), rows (pairs,) ->
    (pairs,) float32 on the vectors' device.
    """
    device = vectors.device
    queries, query, rows = queries.to(device), query.to(device), rows.to(device)
    scores = torch.empty(len(rows), device=device)
    for low, high in _chunks(len(rows), max(1, SCORE_BUDGET // (16 * queries.shape[1]))):
        # Row by row, because the rounding of a matrix product may depend on what else is in it.
        left = queries[query[low:high]].float()
        scores[low:high] = (left * vectors[rows[low:high]].float()).sum(1)
    return scores


def _chunks(total: int, size: int) -> Iterator[tuple[int, int]]:
    return ((low, min(low + size, total)) for low in range(0, total, size))
