"""What MedCAT and MedCATtrainer do with a component beside linking and saving it."""

import logging

import pytest
import torch
from medcat.cat import CAT

from embedlink.detection.config import EmbedLinkNer
from embedlink.medcat.samples import OpenDocument
from embedlink.medcat.similarity import cosine_of
from embedlink.plugin import STATIC, TRAINABLE
from embedlink.problems import EmbedLinkError
from tests.medcat.conftest import entities, export, linking_of

NOTE = "Cold hands; seen with heart failure and a fever."


def train(cat, nepochs=3):
    data = export(("Known MS with a fever.", [("MS", "C1"), ("fever", "C3")]))
    cat.trainer.train_supervised_raw(data, nepochs=nepochs, disable_progress=True)


def submit(cat, text, surface, cui):
    """What MedCATtrainer calls for an annotation: its whole name, and its first token."""
    doc = cat(text)
    first = [token for token in doc if token.base.char_index == text.index(surface)]
    cat.trainer.add_and_train_concept(cui=cui, name=surface, mut_doc=doc, mut_entity=first)


def test_a_pipeline_that_is_made_anew_keeps_the_linker(trainable):
    train(trainable)
    before, found = linking_of(trainable), entities(trainable, NOTE)
    state = before.get_hash()
    trainable.config.components.linking.context_window_size += 1
    trainable.config.components.linking.context_window_size -= 1
    trainable._recreate_pipe()
    after = linking_of(trainable)
    assert after is not before
    assert after.linker is before.linker
    assert after.get_hash() == state
    assert entities(trainable, NOTE) == found
    train(trainable)
    assert linking_of(trainable).get_hash() != state


def test_a_loaded_pack_is_made_anew_with_what_it_learned(trainable, tmp_path):
    train(trainable)
    found = entities(trainable, NOTE)
    saved = trainable.save_model_pack(str(tmp_path), "pack", add_hash_to_pack_name=False)
    loaded = CAT.load_model_pack(saved)
    loaded._recreate_pipe()
    assert entities(loaded, NOTE) == found
    loaded.config.components.linking.comp_name = STATIC
    loaded._recreate_pipe()
    assert type(linking_of(loaded)).name == STATIC
    assert entities(loaded, NOTE) == found


def test_what_waits_is_trained_on_before_the_pipeline_is_made_anew(trainable):
    trainable.config.components.linking.training_batch_size = 1000
    before = linking_of(trainable).linker.digest()
    train(trainable, nepochs=1)
    trainable._recreate_pipe()
    assert linking_of(trainable).linker.digest() != before


def test_another_configuration_starts_anew(make_cat, cdb):
    one = make_cat(TRAINABLE, top_n_layers_to_unfreeze=1, training_batch_size=2)
    train(one)
    two = make_cat(TRAINABLE, database=cdb)
    assert linking_of(two).linker is not linking_of(one).linker


def test_a_span_of_several_words_is_trained_on_whole(trainable):
    submit(trainable, NOTE, "heart failure", "C4")
    gold = linking_of(trainable)._document.gold
    assert [NOTE[start:end] for start, end in gold] == ["heart failure"]


def test_a_longer_word_is_not_cut(trainable):
    trainable.cdb.cui2info["C4"]["original_names"] = {"heart fail"}
    submit(trainable, NOTE, "heart", "C4")
    gold = linking_of(trainable)._document.gold
    assert [NOTE[start:end] for start, end in gold] == ["heart"]


def test_submissions_in_a_row_do_not_embed_all_names(trainable, monkeypatch):
    component, builds = linking_of(trainable), []
    inner = type(component.linker).build_index
    monkeypatch.setattr(
        type(component.linker), "build_index",
        lambda *given, **options: builds.append(1) or inner(*given, **options),
    )  # fmt: skip
    trainable.config.components.linking.training_batch_size = 8
    before = component.linker.digest()
    for number in range(6):
        submit(trainable, f"Note {number}: {NOTE}", "fever", "C3")
    assert len(builds) == 1
    assert component.linker.digest() == before
    component.get_hash()
    assert component.linker.digest() != before


def test_training_counts(trainable):
    info = trainable.cdb.cui2info
    train(trainable, nepochs=2)
    assert (info["C1"]["count_train"], info["C3"]["count_train"]) == (2, 2)
    assert info["C5"]["count_train"] == 0


def test_the_log_says_what_trains(trainable, caplog):
    with caplog.at_level(logging.INFO, "embedlink"):
        train(trainable)
        entities(trainable)
    assert "the link decision and the top 1 layers of the encoder" in caplog.text


@pytest.mark.parametrize("filtered", [False, True])
def test_what_a_filter_may_hide_is_not_left_alone(trainable, filtered):
    filters = trainable.config.components.linking.filters
    document = OpenDocument(trainable(NOTE), True, filters.model_copy(deep=True))
    from embedlink.types import Detection

    if filtered:
        document.filters.cuis = {"C3"}
    shown = [
        document.shows(Detection(0, 4, "cold", ("C5",))),
        document.shows(Detection(40, 45, "fever", ("C3",))),
        document.shows(Detection(5, 10, "", ())),
    ]
    assert shown == ([False, True, False] if filtered else [True, True, True])


def test_acc_is_the_probability_and_context_similarity_the_cosine(trainable, tmp_path):
    train(trainable)
    with torch.no_grad():
        linking_of(trainable).linker.decision.head.weight.normal_()
    saved = trainable.save_model_pack(str(tmp_path), "pack", add_hash_to_pack_name=False)
    for cat in (trainable, CAT.load_model_pack(saved)):
        linked = cat(NOTE).linked_ents
        shown = cat.get_entities(NOTE)["entities"].values()
        assert [e["acc"] for e in shown] == [entity.context_similarity for entity in linked]
        assert [e["context_similarity"] for e in shown] == list(map(cosine_of, linked))
        assert [e["acc"] for e in shown] != [e["context_similarity"] for e in shown]
        assert all(0 <= e["acc"] <= 1 for e in shown)


def test_similarity_threshold_is_a_probability(trainable):
    with torch.no_grad():
        linking_of(trainable).linker.decision.head.weight.normal_()
    config = trainable.config.components.linking
    every = trainable(NOTE).linked_ents
    least = sorted(entity.context_similarity for entity in every)[1]
    config.similarity_threshold = least - 1e-6
    kept = trainable(NOTE).linked_ents
    assert 0 < len(kept) < len(every)
    # MedCATtrainer marks what is below as deleted: nothing that is shown is.
    assert all(entity.context_similarity >= config.similarity_threshold for entity in kept)


def test_another_process_shows_the_same(trainable):
    texts = [NOTE, "Fever and a cold."] * 3
    one = [trainable.get_entities(text)["entities"] for text in texts]
    several = dict(trainable.get_entities_multi_texts(texts, n_process=2, batch_size_chars=60))
    assert [several[key]["entities"] for key in sorted(several, key=int)] == one


@pytest.mark.parametrize(("cui", "known"), [("NEW1", False), ("C4", True)])
def test_a_static_linker_that_is_asked_to_train_changes_nothing(cat, cui, known):
    before = entities(cat, NOTE)
    names = {cui: set(info["names"]) for cui, info in cat.cdb.cui2info.items()}
    keys = set(cat.cdb.name2info)
    with pytest.raises(EmbedLinkError, match="does not train, and nothing was changed"):
        submit(cat, NOTE, "hands", cui)
    assert {cui: set(info["names"]) for cui, info in cat.cdb.cui2info.items()} == names
    assert set(cat.cdb.name2info) == keys
    assert entities(cat, NOTE) == before
    cat.trainer.add_and_train_concept("C5", "hands")  # A name alone needs no training.
    assert "C5" in {cui for *_, cui, _ in entities(cat, NOTE)}


def test_a_name_that_was_unlinked_stays_so_for_the_tagger(make_cat, cdb, tagger_folder):
    cdb.config.components.ner = EmbedLinkNer(min_name_len=2, tagger=str(tagger_folder))
    cat = make_cat(use_pre_inference=False)
    note = "Spiked a fever with her pyrexia."
    assert (9, 14, "C3") in [found[:3] for found in entities(cat, note)]
    cat.trainer.unlink_concept_name("C3", "fever")
    assert (9, 14, "C3") not in [found[:3] for found in entities(cat, note)]
