"""One surface, one meaning within a note, unless its context differs clearly."""

import pytest
import torch
from torch.nn import functional as F

from embedlink.linking.consistency import drawn_together, surfaces_of

TEXT = "MS for years. Asthma. Ms Hale: asthma, MS."


def test_a_surface_is_told_by_its_document_and_its_capitals():
    spans = [(0, 2), (14, 20), (22, 24), (31, 37), (39, 41)]
    ms, asthma, miss, again, last = surfaces_of([(TEXT, spans)]).tolist()
    assert ms == last
    assert asthma == again
    assert len({ms, asthma, miss}) == 3


def test_documents_share_no_surface():
    first, second = surfaces_of([("MS", [(0, 2)]), ("MS", [(0, 2)])]).tolist()
    assert first != second


def unit(*rows):
    return F.normalize(torch.tensor(rows, dtype=torch.float32), dim=1)


def test_vectors_of_one_surface_come_nearer_to_each_other_alone():
    vectors, surface = unit((1, 0), (0, 1), (-1, 1)), torch.tensor([0, 0, 1])
    drawn = drawn_together(vectors, surface, 0.5)
    assert drawn[0] @ drawn[1] > vectors[0] @ vectors[1]
    assert drawn.norm(dim=1) == pytest.approx(1)
    assert torch.equal(drawn[2], vectors[2])


def test_the_weight_goes_from_each_for_itself_to_all_the_same():
    vectors, surface = unit((1, 0), (0, 1)), torch.tensor([0, 0])
    assert torch.equal(drawn_together(vectors, surface, 0.0), vectors)
    one, other = drawn_together(vectors, surface, 1.0)
    assert torch.allclose(one, other)


def test_a_clear_context_still_decides_for_itself():
    """Three places say one thing and a fourth says clearly another: it keeps its own."""
    concepts = unit((1, 0), (0, 1))
    vectors = unit((1, 0.1), (1, 0.2), (1, 0), (0, 1))
    drawn = drawn_together(vectors, torch.zeros(4, dtype=torch.int64), 0.5)
    assert (drawn @ concepts.T).argmax(1).tolist() == [0, 0, 0, 1]


def test_an_unsure_context_follows_the_others():
    concepts = unit((1, 0), (0, 1))
    vectors = unit((1, 0.1), (1, 0.2), (1, 1.2))
    drawn = drawn_together(vectors, torch.zeros(3, dtype=torch.int64), 0.5)
    assert (vectors @ concepts.T).argmax(1).tolist() == [0, 0, 1]
    assert (drawn @ concepts.T).argmax(1).tolist() == [0, 0, 0]
