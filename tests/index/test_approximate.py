"""The approximate index answers as the exact one does, but for what it misses."""

import pickle

import pytest
import torch

import embedlink.index.approximate as approximate
from embedlink.index.approximate import ApproximateSearch
from embedlink.index.exact import search
from embedlink.problems import EmbedLinkError
from tests.index.test_exact import unit


@pytest.fixture
def vectors():
    pytest.importorskip("faiss")
    return unit(3000, 0)


def test_with_every_cell_probed_it_is_exact(vectors):
    index = ApproximateSearch.build(vectors, cells=10, probes=10)
    queries = vectors[:20] + 0.01
    found, true = index.search(queries, 7), search(queries, vectors, 7)
    assert torch.equal(found.rows, true.rows)
    assert torch.equal(found.scores, true.scores)
    assert index.recall(queries, 7) == 1.0


def test_fewer_cells_miss_some_but_not_the_nearest(vectors):
    index = ApproximateSearch.build(vectors, cells=40, probes=4)
    assert index.search(vectors[:50], 1).rows.squeeze(1).tolist() == list(range(50))
    assert 0.1 < index.recall(unit(50, 3), 10) < 1.0


def test_filters_hold(vectors):
    index = ApproximateSearch.build(vectors, cells=10, probes=10)
    allowed = torch.zeros(3000, dtype=torch.bool)
    allowed[[5, 2000]] = True
    hits = index.search(vectors[:4], 3, allowed)
    assert {row for rows in hits.rows.tolist() for row in rows} == {5, 2000, -1}


def test_what_is_missing_is_named(monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(approximate.importlib, "import_module", missing)
    with pytest.raises(EmbedLinkError, match="pip install faiss-cpu"):
        ApproximateSearch.build(unit(10, 0))


def test_it_travels_to_other_processes(vectors):
    index = ApproximateSearch.build(vectors, cells=10, probes=2)
    copied = pickle.loads(pickle.dumps(index))
    assert torch.equal(copied.search(vectors[:9], 5).rows, index.search(vectors[:9], 5).rows)
    assert index.nbytes > vectors.nbytes / 2  # Half-precision numbers.
