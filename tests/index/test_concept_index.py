"""Concepts ranked by their names."""

import random
from dataclasses import replace

import pytest
import torch
from torch.nn import functional as F

from embedlink.index.concept_index import ConceptIndex
from embedlink.ragged import Groups


def random_index(seed, names=120, cuis=40, extra=5, dim=8):
    generator = random.Random(seed)
    torch.manual_seed(seed)
    owners = [sorted({generator.randrange(cuis) for _ in range(generator.choice([1, 1, 2, 3]))})
              for _ in range(names)]  # fmt: skip
    vectors = F.normalize(torch.randn(names + extra, dim), dim=1)
    vectors[10:20] = vectors[:10]  # Names whose vectors are equal.
    members = [[n for n in range(names) if c in owners[n]] for c in range(cuis)]
    distinct = [[n for n in rows if len(owners[n]) == 1] or rows for rows in members]
    representative = torch.tensor([generator.randrange(names + extra) for _ in range(cuis)])
    return ConceptIndex(vectors, representative, Groups.of(owners), Groups.of(distinct)), owners


def rank_slowly(index, owners, query, k, allowed):
    scores = (index.vectors * query).sum(1)
    best = {}
    for name, cuis in enumerate(owners):
        if allowed is not None and not allowed[name]:
            continue
        for cui in cuis:
            tie = float(scores[name])
            if len(cuis) > 1:
                tie = float(scores[index.distinct_names_of_concept[cui]].max())
            key = (-float(scores[name]), -tie, name, cui)
            best[cui] = min(best.get(cui, key), key)
    ranked = sorted(best.items(), key=lambda item: item[1])[:k]
    return [cui for cui, _ in ranked], [-key[0] for _, key in ranked]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("k", [1, 5, 64])
@pytest.mark.parametrize("share", [None, 0.2])
def test_concepts_rank_by_their_best_name(seed, k, share):
    index, owners = random_index(seed)
    queries = F.normalize(torch.randn(20, 8), dim=1)
    queries[:5] = index.vectors[:5]
    allowed = None if share is None else torch.rand(len(owners)) < share
    hits = index.search_concepts(queries, k, allowed)
    for row, query in enumerate(queries):
        cuis, scores = rank_slowly(index, owners, query, k, allowed)
        found = hits.rows[row]
        assert found[found >= 0].tolist() == cuis
        torch.testing.assert_close(hits.scores[row, : len(cuis)], torch.tensor(scores))


def test_one_candidate_is_scored_by_its_own_row():
    index, _ = random_index(0)
    query = F.normalize(torch.randn(1, 8), dim=1)
    score = index.candidate_scores(query, Groups.of([[7]]))
    expected = (query * index.vectors[index.representative[7]]).sum(1)
    torch.testing.assert_close(score, expected)


def test_several_candidates_are_scored_by_their_distinct_names():
    index, _ = random_index(0)
    query = F.normalize(torch.randn(1, 8), dim=1)
    scores = index.candidate_scores(query, Groups.of([[7, 9]]))
    for score, cui in zip(scores, (7, 9), strict=True):
        rows = index.distinct_names_of_concept[cui]
        own = index.vectors[rows] if len(rows) else index.vectors[index.representative[cui]][None]
        torch.testing.assert_close(score, (own @ query[0]).max())


@pytest.mark.parametrize("seed", range(3))
def test_the_nearest_name_of_a_concept_is_its_best_distinct_one(seed):
    index, _ = random_index(seed)
    queries = F.normalize(torch.randn(6, 8), dim=1)
    query, cuis = torch.randint(6, (50,)), torch.randint(40, (50,))
    found = index.nearest_names(queries, query, cuis).tolist()
    for at, (row, cui) in enumerate(zip(query.tolist(), cuis.tolist(), strict=True)):
        names = index.distinct_names_of_concept[cui].tolist()
        scores = {name: float(queries[row] @ index.vectors[name]) for name in names}
        best = [name for name in names if scores[name] > max(scores.values()) - 1e-6]
        assert found[at] in (best or [int(index.representative[cui])])


def test_no_queries():
    index, _ = random_index(0)
    assert index.search_concepts(torch.empty(0, 8), 5).rows.shape == (0, 5)


@pytest.mark.parametrize("way", ["float32", "bfloat16", "int8"])
def test_every_exact_way_finds_the_same(way):
    index, _ = random_index(1)
    queries = F.normalize(torch.randn(9, 8), dim=1)
    expected = index.search_concepts(queries, 5)
    hits = replace(index, search_by=way).search_concepts(queries, 5)
    assert torch.equal(hits.rows, expected.rows)
    assert torch.equal(hits.scores, expected.scores)


def test_the_approximate_way_finds_most_of_it(monkeypatch):
    pytest.importorskip("faiss")
    index, _ = random_index(1)
    queries = index.name_vectors[20:30]
    approximate = replace(index, search_by="approximate")
    assert torch.equal(
        approximate.search_names(queries, 1).rows, index.search_names(queries, 1).rows
    )
    best = index.search_concepts(queries, 1).rows
    monkeypatch.setattr("embedlink.index.concept_index.search", None)  # It is not the exact search.
    assert torch.equal(approximate.search_concepts(queries, 1).rows, best)


def test_no_names_to_search_approximately():
    vectors, none = torch.eye(2), Groups.of([])
    index = ConceptIndex(vectors, torch.tensor([1]), none, Groups.of([[]]), search_by="approximate")
    assert index.search_names(torch.eye(2), 3).rows.shape == (2, 0)


def test_a_prior_reorders_the_nearest_concepts():
    index, _ = random_index(0)
    queries = F.normalize(torch.randn(3, 8), dim=1)
    plain = index.search_concepts(queries, 5)
    prior = torch.zeros(len(index.representative))
    winner = plain.rows[0, 3]
    prior[winner] = 10.0
    found = replace(index, prior=prior).search_concepts(queries, 5)
    assert found.rows[0].tolist() == [winner, *(r for r in plain.rows[0].tolist() if r != winner)]
    assert found.scores[0, 0] == plain.scores[0, 3]
    assert replace(index, prior=prior).search_concepts(queries, 1).rows[0, 0] == winner
    nothing = replace(index, prior=torch.zeros(len(prior))).search_concepts(queries, 5)
    assert torch.equal(nothing.rows, plain.rows)
