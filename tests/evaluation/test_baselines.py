import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedlink.concepts.database import load_cdb
from embedlink.concepts.enrichment import enrich_cdb
from embedlink.concepts.names import concept_names
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.detection.pipeline import detection_config
from embedlink.evaluation.baselines import BASELINES, Dictionary, check_baseline
from embedlink.problems import EmbedLinkError, Problems


@pytest.fixture
def enriched(cdb, documents):
    added = enrich_cdb(cdb, documents)
    return concept_names(cdb), TrainingMentions.of(documents), added


@pytest.fixture(scope="module")
def names_of_table(concept_table):
    return concept_names(load_cdb(concept_table, Problems(), detection_config(min_name_len=2)))


def test_the_dictionary_has_names_and_no_span_of_training(enriched):
    names, training, added = enriched
    assert added == [("temperature", "C3")]
    plain = BASELINES["dictionary"](names, training, added)
    scores = plain.scores(["MS", "Disseminated  sclerosis", "temperature"])
    # C1 to C5.
    assert scores.tolist() == [[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


def test_spans_count_before_names_and_as_often_as_annotated(enriched):
    names, training, added = enriched
    spans = BASELINES["dictionary_spans"](names, training, added)
    assert spans.scores(["temperature", "cold", "ms"]).tolist() == [
        [0, 0, 2, 0, 0], [0, 0, 0, 0, 3], [3, 3, 0, 0, 0],
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["tfidf", "bm25"])
def test_search_finds_near_names_and_nothing_for_nothing(enriched, name):
    names, training, added = enriched
    search = BASELINES[name](names, training, added)
    scores = search.scores(["Multiple-sclerosis", "sclerosis", "of the heart failure", "", "%"])
    assert scores.shape == (5, 5)
    assert scores[0].argmax() == 0
    assert scores[1].argmax() == 0
    assert scores[2].argmax() == 3
    assert not scores[3:].any()
    assert scores[0, 0] == pytest.approx(1, abs=1e-5) or name == "bm25"


def test_a_concept_without_names_is_never_found(cdb):
    cdb.cui2info["C2"]["names"].clear()
    for name in ("mitral~stenosis", "ms"):
        cdb.name2info[name]["per_cui_status"].pop("C2")
    names = concept_names(cdb)
    for build in BASELINES.values():
        scores = build(names, TrainingMentions({}, {}), ()).scores(["mitral stenosis", "ms"])
        assert scores[:, 1].tolist() == [0, 0]


@given(st.lists(st.text(max_size=15), max_size=5))
def test_scores_of_any_surfaces_are_finite_and_at_least_0(names_of_table, surfaces):
    dictionary = Dictionary.of_names(names_of_table)
    scores = dictionary.scores(surfaces)
    assert scores.shape == (len(surfaces), 5)
    assert np.isfinite(scores).all()
    assert (scores >= 0).all()


def test_an_unknown_baseline_is_an_error():
    with pytest.raises(EmbedLinkError, match="baseline='bm26' is not allowed"):
        check_baseline("baseline", "bm26")
