"""Search equals a full sort of exact scores, whatever the form, the chunks and the filters."""

import pytest
import torch
from torch.nn import functional as F

import embedlink.index.exact as search_module
from embedlink.index.compact import Compact
from embedlink.index.exact import paired_scores, search


def unit(count, seed, dim=48):
    return F.normalize(
        torch.randn(count, dim, generator=torch.Generator().manual_seed(seed)), dim=1
    )


def by_sorting(queries, vectors, k, allowed=None):
    scores = (queries[:, None].float() * vectors[None].float()).sum(2)
    if allowed is not None:
        scores = scores.masked_fill(~allowed, -torch.inf)
    ranked = scores.sort(dim=1, descending=True, stable=True)
    rows = ranked.indices[:, :k].masked_fill(ranked.values[:, :k] == -torch.inf, -1)
    return ranked.values[:, :k], rows


@pytest.fixture(params=[2**26, 2**16])
def budget(request, monkeypatch):
    monkeypatch.setattr(search_module, "SCORE_BUDGET", request.param)
    monkeypatch.setattr(search_module, "CACHE", request.param // 8)


@pytest.mark.usefixtures("budget")
@pytest.mark.parametrize("form", ["float32", "bfloat16", "int8"])
@pytest.mark.parametrize("allow", ["all", "some", "none"])
@pytest.mark.parametrize(("size", "k"), [(1, 1), (5, 10), (1000, 10), (3000, 200), (700, 700)])
def test_search_is_a_full_sort(form, allow, size, k):
    vectors, queries = unit(size, 0), unit(7, 1)
    vectors[size // 2 : size // 2 + size // 5] = vectors[: size // 5]  # Equal scores rank by row.
    queries[0] = vectors[0]
    share = {"all": 2.0, "some": 0.3, "none": -1.0}[allow]
    allowed = torch.rand(size, generator=torch.Generator().manual_seed(2)) < share
    mask = None if allow == "all" else allowed
    hits = search(queries, vectors, k, mask, Compact.of(vectors, form))
    scores, rows = by_sorting(queries, vectors, k, mask)
    assert torch.equal(hits.rows, rows)
    assert torch.equal(hits.scores, scores)


def test_crowds_of_near_duplicates_stay_exact():
    vectors = F.normalize(unit(1, 0) + 1e-3 * unit(5000, 1), dim=1)
    queries = vectors[:3].clone()
    for form in ("bfloat16", "int8"):
        hits = search(queries, vectors, 20, None, Compact.of(vectors, form))
        assert torch.equal(hits.rows, by_sorting(queries, vectors, 20)[1])


def test_lengths_other_than_one_are_fine():
    vectors, queries = 30 * unit(2000, 0), 0.01 * unit(5, 1)
    hits = search(queries, vectors, 5, None, Compact.of(vectors, "bfloat16"))
    assert torch.equal(hits.rows, by_sorting(queries, vectors, 5)[1])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_vectors_are_scored_in_float32(dtype):
    vectors, queries = unit(2000, 0).to(dtype), unit(5, 1)
    hits = search(queries, vectors, 5)
    scores, rows = by_sorting(queries, vectors, 5)
    assert torch.equal(hits.rows, rows)
    assert torch.equal(hits.scores, scores)


def test_the_result_does_not_depend_on_the_batch():
    vectors, queries = unit(3000, 0), unit(40, 1)
    together = search(queries, vectors, 8, None, Compact.of(vectors, "bfloat16"))
    alone = [search(query[None], vectors, 8) for query in queries]
    assert torch.equal(together.rows, torch.cat([hits.rows for hits in alone]))
    assert torch.equal(together.scores, torch.cat([hits.scores for hits in alone]))


@pytest.mark.parametrize(("queries", "size", "k"), [(0, 10, 3), (3, 0, 3), (3, 10, 0)])
def test_nothing_to_find(queries, size, k):
    vectors = unit(size, 1)
    for compact in (None, Compact.of(vectors, "bfloat16")):
        hits = search(unit(queries, 0), vectors, k, None, compact)
        assert hits.rows.shape == hits.scores.shape == (queries, min(k, size))


def test_paired_scores_in_chunks(monkeypatch):
    monkeypatch.setattr(search_module, "SCORE_BUDGET", 1)
    queries, vectors = unit(4, 0), unit(6, 1)
    query, rows = torch.tensor([0, 3, 3]), torch.tensor([5, 0, 2])
    expected = (queries @ vectors.T)[query, rows]
    torch.testing.assert_close(paired_scores(queries, query, vectors, rows), expected)


@pytest.mark.parametrize(("size", "k"), [(1600, 64), (20_000, 64), (300, 16)])
def test_few_vectors_are_scored_exactly(size, k, monkeypatch):
    scored = []
    exact = search_module.paired_scores
    monkeypatch.setattr(
        search_module, "paired_scores",
        lambda queries, query, **rest: scored.append(len(query)) or exact(queries, query, **rest),
    )  # fmt: skip
    queries = unit(50, 1)
    search(queries, unit(size, 0), k)
    assert sum(scored) <= 2 * k * len(queries)
