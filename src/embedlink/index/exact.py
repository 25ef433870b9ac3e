"""Exact nearest vectors by inner product, reading few bytes of each.

A first pass scores every vector in a compact form and keeps what could still be among the best,
given how far a compact score can be from the true one; only those few are scored exactly. The
result is that of sorting all exact scores, whatever the form, the chunks and the batch.

`search` takes queries a chunk at a time, so that memory does not grow with them, and goes through
the vectors in ranges whose scores stay in a cache. `Compact` holds the vectors' compact form: an
index keeps it from one search to the next.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

SCORE_BUDGET = 64 * 2**20
"""Bytes of scores and of gathered vectors that search holds at a time."""
CACHE = 8 * 2**20
"""Bytes of scores that a processor's cache holds beside the vectors they are of."""
QUERIES, BLOCK = 512, 64
"""Queries in a chunk, and vectors of which only the best score is looked at first."""
STRETCH = 65536
"""Vectors converted at a time."""

Form = Literal["float32", "bfloat16", "int8"]
"""How the first pass reads vectors: 4, 2 or 1 bytes a number."""
Search = Literal["auto", "float32", "bfloat16", "int8", "approximate"]
"""How an index searches: exactly in one of the forms (`auto`: bfloat16 where the device multiplies
it, else float32), or approximately, which may miss names."""


class Hits(NamedTuple):
    """Rows found for each query, best first. Rows of -1 fill up where fewer exist.

    Shape: scores (queries, k) float32, cosine in [-1, 1]; rows (queries, k) int64.
    """

    scores: Tensor
    rows: Tensor


@dataclass(frozen=True)
class Compact:
    """Vectors in the form that the first pass reads; vectors of any length, not unit ones alone.

    Shape: codes (vectors, dim); scale (vectors,) float32 for int8, else None. `error` is the
    largest distance of a vector from its codes, `length` the largest length of any.
    """

    codes: Tensor
    scale: Tensor | None
    error: float
    length: float

    @classmethod
    def of(cls, vectors: Tensor, form: Form = "float32") -> "Compact":
        """Convert vectors, a stretch at a time. Shape: vectors (vectors, dim).

        Vectors that have the form already are taken over, not copied.
        """
        # float32 is as they are: what is kept in half precision is read so.
        dtype = {"float32": vectors.dtype, "bfloat16": torch.bfloat16, "int8": torch.int8}[form]
        if dtype == vectors.dtype:
            return cls(vectors, None, 0.0, _longest(vectors))
        codes = torch.empty(vectors.shape, dtype=dtype, device=vectors.device)
        scale = torch.ones(len(vectors), device=vectors.device)
        error = 0.0
        for low in range(0, len(vectors), STRETCH):
            part = vectors[low : low + STRETCH].float()
            coded, factor = _code(part, dtype)
            codes[low : low + STRETCH], scale[low : low + STRETCH] = coded, factor
            error = max(error, _longest(part - coded.float() * factor[:, None]))
        return cls(codes, scale if form == "int8" else None, error, _longest(vectors) + error)

    def __len__(self) -> int:
        return len(self.codes)

    def code_queries(self, queries: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Queries in the same form, their scale, and how far off their scores can be.

        Shape: queries (queries, dim) float32 -> coded (queries, dim), (queries,), (queries,).
        """
        coded, factor = _code(queries, self.codes.dtype)
        known = coded.float() * factor[:, None]
        length = known.norm(dim=1)
        dtype = torch.float32 if self.scale is not None else self.codes.dtype
        # Rounding of the product itself, and of sums of `dim` terms in float32 (twice: here
        # and where the survivors are scored). A GPU may also round partial sums.
        unit = torch.finfo(dtype).eps / (1 if queries.is_cuda else 2)
        rounding = unit + 2 * queries.shape[1] * torch.finfo(torch.float32).eps
        error = (queries - known).norm(dim=1) * self.length + length * self.error
        return coded, factor, error + rounding * length * self.length

    def scores(self, coded: Tensor, factor: Tensor, low: int, high: int) -> Tensor:
        """Compact scores of a range of vectors. Shape: coded (queries, dim) -> (queries, range)."""
        part = self.codes[low:high].T
        if self.scale is None:
            return coded @ part
        product = torch._int_mm(coded, part)
        return product.float().mul_(factor[:, None]).mul_(self.scale[low:high])


def _longest(vectors: Tensor) -> float:
    """Greatest length. Shape: (n, dim)."""
    stretches = vectors.split(STRETCH) if len(vectors) else ()
    return max((float(part.float().norm(dim=1).max()) for part in stretches), default=0.0)


def _code(vectors: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Vectors in another form and the factor of each. Shape: (n, dim) -> (n, dim), (n,)."""
    if dtype != torch.int8:
        return vectors.to(dtype), torch.ones(len(vectors), device=vectors.device)
    # Clamped: a vector of zeros is not divided by 0.
    factor = vectors.abs().amax(1).clamp(min=1e-30) / 127
    return (vectors / factor[:, None]).round().to(torch.int8), factor


def search(
    queries: Tensor,
    vectors: Tensor,
    k: int,
    allowed: Tensor | None = None,
    compact: Compact | None = None,
) -> Hits:
    """The k vectors of highest inner product with each query; equal scores rank by row.

    `allowed` (vectors,) bool leaves rows out. `compact` holds the same vectors in the form of
    the first pass; without it that reads the vectors as they are. Runs where the vectors are. k is
    at most the number of vectors; rows are -1 where `allowed` leaves fewer. Shape: queries
    (queries, dim), vectors (vectors, dim) -> (queries, k) on the CPU.
    """
    k = min(k, len(vectors))
    compact = Compact.of(vectors) if compact is None and k else compact
    hits = [
        _search_chunk(part.to(vectors.device).float(), vectors, k, allowed, compact)
        for part in queries.split(_query_chunk(k))
        if k and compact is not None and len(part)
    ]
    if not hits:
        return Hits(torch.empty(len(queries), k), torch.empty(len(queries), k, dtype=torch.int64))
    return Hits(torch.cat([hit.scores for hit in hits]), torch.cat([hit.rows for hit in hits]))


def _query_chunk(k: int) -> int:
    """Queries at a time: so few that their scores of 16 k vectors stay within the budget."""
    return max(1, min(QUERIES, SCORE_BUDGET // (64 * max(1, k))))


class _Survivors(NamedTuple):
    """Pairs of a query and a row that could be among the best. Shape: (pairs,) each."""

    query: Tensor
    row: Tensor
    score: Tensor

    def join(self, other: "_Survivors") -> "_Survivors":
        return _Survivors(*(torch.cat(pair) for pair in zip(self, other, strict=True)))

    def keep(self, mask: Tensor) -> "_Survivors":
        return _Survivors(*(tensor[mask] for tensor in self))


def _search_chunk(
    queries: Tensor, vectors: Tensor, k: int, allowed: Tensor | None, compact: Compact
) -> Hits:
    """Search with few enough queries to hold their scores of a range of vectors."""
    coded, factor, error = compact.code_queries(queries)
    # The scores of a range fill the cache, but it has at least 16 k vectors; and blocks are so
    # small that it has more than k of them.
    columns = max(16 * k, CACHE // (4 * max(len(queries), 32)))
    block = max(1, min(BLOCK, columns // (2 * k)))
    best = torch.full((len(queries), k), -torch.inf, device=queries.device)
    nothing = torch.empty(0, dtype=torch.int64, device=queries.device)
    found = _Survivors(nothing, nothing, nothing.float())
    for low in range(0, len(compact), columns):
        high = min(low + columns, len(compact))
        product = compact.scores(coded, factor, low, high)
        if allowed is not None:
            product = product.masked_fill_(~allowed[low:high].to(product.device), -torch.inf)
        blocks = F.pad(product, (0, -product.shape[1] % block), value=-torch.inf)
        blocks = blocks.unflatten(1, (block, -1))  # (queries, block, blocks): columns far apart
        highest = blocks.amax(1).float()
        # The k-th best of k different blocks: at least k vectors score as much, less the error.
        best = torch.cat([best, highest], 1).topk(k, dim=1).values
        # Twice the error: that of the k-th best, and that of the vector compared with it.
        floor = best[:, -1] - 2 * error
        found = found.join(_survivors(blocks, highest, floor, low))
        if len(found.row) > max(SCORE_BUDGET // 64, 2 * k * len(queries)):
            # Too many to hold: k of each query are enough once they are scored exactly. With the
            # error added, later floors, which are compact scores, drop none of them too early.
            found = _exact(found.keep(found.score >= floor[found.query]), queries, vectors, k)
            found = found._replace(score=found.score + error[found.query])
    exact = _exact(found.keep(found.score >= floor[found.query]), queries, vectors, k)
    return _as_hits(exact, len(queries), k)


def _survivors(blocks: Tensor, highest: Tensor, floor: Tensor, low: int) -> _Survivors:
    """Pairs whose score reaches the floor.

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
    """The k best pairs of each query by exact score, in order; equal scores rank by row."""
    scores = paired_scores(queries, found.query, vectors, found.row)
    # Stable sorts, the last key first.
    order = found.row.argsort(stable=True)
    order = order[scores[order].argsort(descending=True, stable=True)]
    order = order[found.query[order].argsort(stable=True)]
    query = found.query[order]
    order = order[place_in_group(query) < k]
    return _Survivors(found.query[order], found.row[order], scores[order])


def place_in_group(group: Tensor) -> Tensor:
    """How many entries of the same group stand before each. Shape: group (n,) sorted -> (n,)."""
    _, sizes = torch.unique_consecutive(group, return_counts=True)
    first = torch.repeat_interleave(sizes.cumsum(0) - sizes, sizes)
    return torch.arange(len(group), device=group.device) - first


def _as_hits(found: _Survivors, queries: int, k: int) -> Hits:
    return table_of_hits(found.query.cpu(), found.score.cpu(), found.row.cpu(), queries, k)


def table_of_hits(query: Tensor, score: Tensor, row: Tensor, queries: int, k: int) -> Hits:
    """Ranked entries, sorted by query, as a table of the k first. Shape: (entries,) each.

    -1 and -inf fill up the rows of queries with fewer entries, or with none.
    """
    place = place_in_group(query)
    kept = place < k
    hits = Hits(
        torch.full((queries, k), -torch.inf), torch.full((queries, k), -1, dtype=torch.int64)
    )
    hits.scores[query[kept], place[kept]] = score[kept]
    hits.rows[query[kept], place[kept]] = row[kept]
    return hits


def paired_scores(queries: Tensor, query: Tensor, vectors: Tensor, rows: Tensor) -> Tensor:
    """Inner products of chosen pairs of a query and a row, in chunks.

    Shape: queries (queries, dim), query (pairs,), vectors (vectors, dim), rows (pairs,) ->
    (pairs,) float32 where the vectors are.
    """
    device = vectors.device
    queries, query, rows = queries.to(device), query.to(device), rows.to(device)
    scores = torch.empty(len(rows), device=device)
    for low, high in _chunks(len(rows), max(1, SCORE_BUDGET // (16 * queries.shape[1]))):
        # Row by row: how a matrix product rounds may depend on what else is in it.
        left = queries[query[low:high]].float()
        scores[low:high] = (left * vectors[rows[low:high]].float()).sum(1)
    return scores


def _chunks(total: int, size: int) -> Iterator[tuple[int, int]]:
    return ((low, min(low + size, total)) for low in range(0, total, size))
