"""Every way in which the configuration lets candidates be found, compared and returned."""

from dataclasses import replace

import pytest
import torch

from embedlink.encoder.windows import WindowCutter
from embedlink.plugin import TRAINABLE
from tests.medcat.conftest import TEXT, entities, linking_of

MS = "Known MS today."


@pytest.fixture
def strip(monkeypatch):
    """Take all candidates away from what detection proposes, or give it others."""

    def apply(cat, candidates=()):
        component = linking_of(cat)
        inner = component.predict_entities

        def predict(doc, ents=None):
            for entity in doc.ner_ents:
                entity.link_candidates = list(candidates)
            return inner(doc, ents)

        monkeypatch.setattr(component, "predict_entities", predict)

    return apply


def nearest(cat, text, span, window):
    """The name that is nearest to a span and its score, by brute force."""
    linking = linking_of(cat)
    cutter = WindowCutter(linking.linker.tokenizer, window, 32)
    vector = linking.linker.encoder.encode(cutter([(text, [span])]))
    scores = (vector @ linking.current_index().name_vectors.T)[0]
    return linking.current_names().names[int(scores.argmax())], float(scores.max())


def concepts_of(cat, name):
    return set(cat.cdb.name2info[name]["per_cui_status"])


def test_spans_without_candidates_get_them_from_the_index(make_cat, strip):
    cat = make_cat()
    strip(cat)
    text = "High fever today."
    name, _ = nearest(cat, text, (5, 10), 0)
    ((start, end, cui, _),) = entities(cat, text)
    assert (start, end) == (5, 10)
    assert name == "fever"
    assert cui in concepts_of(cat, name)


def test_spans_without_candidates_are_dropped_when_none_is_near_enough(make_cat, strip):
    cat = make_cat(short_similarity_threshold=1.0)
    strip(cat)
    assert entities(cat, "A murmur.") == []
    text = "High fever today."
    cat.config.components.linking.short_similarity_threshold = 0.999
    assert len(entities(cat, text)) == 1  # The very words of a name.


def test_without_pre_inference_a_span_without_candidates_meets_every_name(make_cat, strip):
    cat = make_cat(use_pre_inference=False)
    strip(cat)
    text = "High fever today."
    name, score = nearest(cat, text, (5, 10), 14)
    ((*_, cui, similarity),) = entities(cat, text)
    assert cui in concepts_of(cat, name)
    assert similarity == pytest.approx(score, abs=1e-4)


def test_detections_candidates_are_ignored_when_told_so(make_cat, strip):
    cat = make_cat(use_ner_link_candidates=False)
    strip(cat, ["C5"])
    ((*_, cui, _),) = entities(cat, "High fever today.")
    assert cui == "C3"
    cat.config.components.linking.use_ner_link_candidates = True
    ((*_, cui, _),) = entities(cat, "High fever today.")
    assert cui == "C5"


def test_generated_candidates_are_appended_when_told_so(make_cat, strip):
    cat = make_cat(
        append_to_ner_link_candidates=True, multiple_predictions_per_detected_entity=True
    )
    strip(cat, ["C5"])
    assert {cui for *_, cui, _ in entities(cat, "High fever today.")} == {"C5", "C3"}


@pytest.mark.parametrize(
    ("k", "least", "count"), [(1, 0.0, 1), (3, 0.0, 3), (0, 0.0, 1), (0, -1.0, 10)]
)
def test_pre_inference_takes_the_names_it_is_told_to(make_cat, strip, k, least, count):
    cat = make_cat(
        use_ner_link_candidates=False,
        pre_inference_top_k_sampling=k,
        short_similarity_threshold=least,
        multiple_predictions_per_detected_entity=True,
    )
    linking = linking_of(cat)
    text = "High fever today."
    vector = linking.linker.encoder.encode(
        WindowCutter(linking.linker.tokenizer, 0, 32)([(text, [(5, 10)])])
    )
    ranked = (vector @ linking.current_index().name_vectors.T)[0].argsort(descending=True)[:count]
    expected = set().union(
        *(concepts_of(cat, linking.current_names().names[row]) for row in ranked)
    )
    assert {cui for *_, cui, _ in entities(cat, text)} == expected


def test_a_span_compared_with_every_name_keeps_as_many_as_told(make_cat, strip):
    cat = make_cat(use_pre_inference=False, use_ner_link_candidates=False)
    linking = cat.config.components.linking
    linking.multiple_predictions_per_detected_entity = True
    assert len(entities(cat, "High fever today.")) <= 2
    linking.inference_top_k_sampling = 20
    found = entities(cat, "High fever today.")
    assert {cui for *_, cui, _ in found} == {"C1", "C2", "C3", "C4", "C5"}
    assert [s for *_, s in found] == sorted((s for *_, s in found), reverse=True)


def test_several_predictions_of_a_span(make_cat):
    cat = make_cat(multiple_predictions_per_detected_entity=True)
    found = cat.get_entities(MS)["entities"]
    assert len(found) == 2  # MedCAT's output is keyed by id: each prediction has its own.
    assert {e["cui"] for e in found.values()} == {"C1", "C2"}
    assert len({(e["start"], e["end"]) for e in found.values()}) == 1
    similarities = [e["context_similarity"] for e in found.values()]
    assert similarities == sorted(similarities, reverse=True)
    cat.config.components.linking.multiple_predictions_per_detected_entity = False
    (one,) = cat.get_entities(MS)["entities"].values()
    assert one["context_similarity"] == max(similarities)


def test_similarity_threshold(cat):
    linking = cat.config.components.linking
    every = entities(cat)
    between = sorted(s for *_, s in every)[len(every) // 2] - 1e-4
    linking.long_similarity_threshold = between
    assert entities(cat) == [e for e in every if e[3] >= between] != every
    linking.use_similarity_threshold = False
    assert entities(cat) == every


def test_a_single_candidate_can_be_taken_unseen(make_cat, monkeypatch):
    cat = make_cat(always_calculate_similarity=False)
    found = entities(cat)
    alone = [(cui, s) for s_, e, cui, s in found if TEXT[s_:e] != "MS"]
    assert {s for _, s in alone} == {1.0}
    monkeypatch.setattr(linking_of(cat).linker.encoder, "forward", None)
    assert entities(cat, "fever")[0][3] == 1.0
    cat.config.components.linking.use_pre_inference = False  # It is what takes them unseen.
    monkeypatch.undo()
    assert entities(cat, "High fever today.")[0][3] < 1.0


@pytest.mark.parametrize("field", ["cuis", "cuis_exclude"])
@pytest.mark.parametrize("before", [False, True])
def test_filters(cat, field, before):
    linking = cat.config.components.linking
    linking.filter_before_disamb = before
    every = entities(cat)
    setattr(linking.filters, field, {"C3", "C4"})
    kept = [e for e in every if (e[2] in ("C3", "C4")) == (field == "cuis")]
    assert entities(cat) == kept
    setattr(linking.filters, field, set())
    assert entities(cat) == every


def test_an_excluded_concept_is_not_linked_even_if_it_is_included(cat):
    filters = cat.config.components.linking.filters
    filters.cuis, filters.cuis_exclude = {"C3", "C4"}, {"C3"}
    assert {cui for *_, cui, _ in entities(cat)} == {"C4"}


def test_filtering_before_disambiguation_lets_the_other_candidate_win(cat):
    linking = cat.config.components.linking
    ((*_, chosen, _),) = entities(cat, MS)
    linking.filters.cuis_exclude = {chosen}
    assert entities(cat, MS) == []
    linking.filter_before_disamb = True
    ((*_, other, _),) = entities(cat, MS)
    assert {chosen, other} == {"C1", "C2"}
    linking.filters.cuis_exclude = {"C1", "C2"}
    assert entities(cat, MS) == []


@pytest.mark.parametrize(
    "fields",
    [
        {"use_pre_inference": False},
        {"use_pre_inference": False, "inference_top_k_sampling": 4},
        {"use_pre_inference": True},
        {"use_ner_link_candidates": False, "pre_inference_top_k_sampling": 3},
        {"append_to_ner_link_candidates": True},
        {"multiple_predictions_per_detected_entity": True},
        {"always_calculate_similarity": False},
    ],
    ids=str,
)
@pytest.mark.parametrize("bare", [False, True])
def test_filters_only_take_links_away(make_cat, strip, fields, bare):
    cat = make_cat(**fields)
    if bare:
        strip(cat)
    text = "A common cold illness with murmurs. " + TEXT
    every = entities(cat, text)
    filters = cat.config.components.linking.filters
    for cui in ("C1", "C2", "C3", "C4", "C5", "no such concept"):
        filters.cuis = {cui}
        assert entities(cat, text) == [found for found in every if found[2] == cui]
        filters.cuis, filters.cuis_exclude = set(), {cui}
        assert entities(cat, text) == [found for found in every if found[2] != cui]
        filters.cuis_exclude = set()


def test_a_filter_does_not_uncover_the_links_inside_a_better_one(cat):
    cat.trainer.add_and_train_concept("C6", "common cold illness", do_add_concept=True)
    text = "She has a common cold illness."
    (whole,) = entities(cat, text)
    assert whole[2] == "C6"
    cat.config.components.linking.filters.cuis_exclude = {"C6"}
    assert entities(cat, text) == []


def test_among_candidates_concepts_can_be_compared_by_their_representative(make_cat):
    cat = make_cat(disambiguate_by="concepts", multiple_predictions_per_detected_entity=True)
    linking = linking_of(cat)
    vector = linking.linker.encoder.encode(linking.linker.cutter([(MS, [(6, 8)])]))
    scores = (vector @ linking.current_index().concept_vectors.T)[0]
    for *_, cui, similarity in entities(cat, MS):
        expected = float(scores[linking.current_names().cui_row[cui]])
        assert similarity == pytest.approx(expected, abs=1e-4)


def test_the_link_decision_drops_what_is_improbable(make_cat):
    cat = make_cat(TRAINABLE)
    component = linking_of(cat)
    every = entities(cat)
    with torch.no_grad():
        # Small, so that no probability is rounded to 1.
        generator = torch.Generator().manual_seed(0)
        component.linker.decision.head.weight.normal_(0, 0.3, generator=generator)
    doc = cat(TEXT)
    probabilities = sorted(entity.confidence for entity in doc.linked_ents)
    middle = probabilities[len(probabilities) // 2]
    component.linker.decision.threshold.fill_(middle)
    kept = cat(TEXT).linked_ents
    assert 0 < len(kept) < len(every)
    assert min(entity.confidence for entity in kept) >= middle
    cat.config.components.linking.link_threshold = 0.0  # Overrides the trained one.
    assert entities(cat) == every
    cat.config.components.linking.link_threshold = 1.0
    assert entities(cat) == []


def test_unlinked_entities_carry_no_concept(cat):
    cat.config.components.linking.long_similarity_threshold = 1.0
    doc = cat(TEXT)
    assert doc.linked_ents == []
    assert [entity.cui for entity in doc.ner_ents] == [""] * len(doc.ner_ents)


def test_the_first_of_several_is_the_one_that_is_linked_alone(make_cat):
    cat = make_cat(frequency_weight=0.5, multiple_predictions_per_detected_entity=True)
    component = linking_of(cat)
    alike = [e["cui"] for e in cat.get_entities(MS)["entities"].values()]
    component.live.use(replace(component.linker, frequencies={alike[1]: 1000}))
    found = list(cat.get_entities(MS)["entities"].values())
    assert [e["cui"] for e in found] == alike[::-1]
    cat.config.components.linking.multiple_predictions_per_detected_entity = False
    (one,) = cat.get_entities(MS)["entities"].values()
    assert one["cui"] == alike[1]
    assert one["context_similarity"] == found[0]["context_similarity"]
