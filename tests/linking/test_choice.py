from dataclasses import replace

import torch
from torch.nn import functional as F

from embedlink.concepts.names import concept_names
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.choice import Candidates, choose, completed, link
from embedlink.linking.decision import LinkDecision, NameCounts
from embedlink.types import Detection


def detection(name, *candidates):
    return Detection(0, 2, name, candidates)


def table_and_index(cdb):
    names = concept_names(cdb)
    generator = torch.Generator().manual_seed(0)
    vectors = F.normalize(torch.randn(len(names.texts), 16, generator=generator), dim=1)
    return names, ConceptIndex(
        vectors, names.representative, names.concepts_of_name, names.distinct_names_of_concept
    )


def test_a_single_candidate_is_scored_by_its_own_representative(cdb):
    names, index = table_and_index(cdb)
    query = F.normalize(torch.ones(1, 16), dim=1)
    choice = choose(query, Candidates.of([detection("fever", "C3")], names).concepts, index)
    own = index.vectors[names.representative[2]]
    assert choice.concept.tolist() == [2]
    assert torch.isclose(choice.similarity[0], query[0] @ own)
    assert choice.margin[0] == 0


def test_shared_names_leave_the_choice_to_distinct_ones(cdb):
    names, index = table_and_index(cdb)
    query = index.vectors[names.name_row["mitral~stenosis"]][None]
    candidates = Candidates.of([detection("ms", "C1", "C2")], names)
    choice = choose(query, candidates.concepts, index)
    assert names.cuis[choice.concept[0]] == "C2"
    assert torch.isclose(choice.similarity[0], torch.tensor(1.0))
    assert choice.margin[0] > 0


def test_mentions_without_known_candidates_are_not_linked(cdb):
    names, index = table_and_index(cdb)
    candidates = Candidates.of([detection("", "C99"), detection("cold", "C5")], names)
    queries = F.normalize(torch.ones(2, 16), dim=1)
    links = link(queries, candidates, index, LinkDecision(16), NameCounts.empty(len(names.names)))
    assert links.concept.tolist() == [-1, 4]
    assert candidates.name.tolist()[0] == -1
    empty = link(
        queries[:0], Candidates.of([], names), index, LinkDecision(16), NameCounts.empty(0)
    )
    assert len(empty.concept) == 0


def test_mentions_without_candidates_get_the_concept_of_the_nearest_name(cdb):
    names, index = table_and_index(cdb)
    rows = [names.name_row[name] for name in ("pyrexia", "fever", "common~cold")]
    given = Candidates.of(
        [detection(""), detection("fever", "C3", "C5"), detection("", "C99")], names
    ).concepts
    groups, scores = completed(index.vectors[rows], given, index)
    assert [[names.cuis[row] for row in groups[at]] for at in range(3)] == [
        ["C3"], ["C3", "C5"], ["C5"],
    ]  # fmt: skip
    assert torch.allclose(scores[[0, 3]], torch.ones(2))
    inner = index.candidate_scores(index.vectors[rows], given)
    assert torch.equal(scores[1:3], inner)
    assert len(completed(index.vectors[:0], given.select(torch.arange(0)), index)[1]) == 0


def test_frequency_decides_where_similarity_hardly_does(cdb):
    names, index = table_and_index(cdb)
    query = F.normalize(index.vectors[names.name_row["mitral~stenosis"]][None], dim=1)
    candidates = Candidates.of([detection("ms", "C1", "C2")], names).concepts
    plain = choose(query, candidates, index)
    prior = torch.zeros(len(names.cuis))
    prior[names.cui_row["C1"]] = float(plain.margin) + 0.01
    other = choose(query, candidates, replace(index, prior=prior))
    assert [names.cuis[choice.concept[0]] for choice in (plain, other)] == ["C2", "C1"]
    assert other.similarity[0] == index.candidate_scores(query, candidates)[0]  # A cosine still.
    assert torch.isclose(other.margin[0], torch.tensor(0.01), atol=1e-5)
