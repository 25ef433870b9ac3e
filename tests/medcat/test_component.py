import io
import os
import subprocess
import sys

import pytest
import torch
from medcat.components.types import CoreComponentType, get_registered_components

from embedlink.index.concept_index import paired_scores
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.similarity import cosine_of
from embedlink.plugin import STATIC, TRAINABLE
from embedlink.problems import EmbedLinkError
from tests.medcat.conftest import TEXT, entities, linking_of


@pytest.mark.parametrize("module", ["medcat", "embedlink.plugin"])
def test_importing_does_not_import_torch(module):
    code = f"import {module}, sys; sys.exit('torch' in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True, env=os.environ)


def test_both_components_are_registered_by_medcat_alone():
    code = (
        "import medcat; from medcat.components.types import *;"
        "print([name for name, _ in get_registered_components(CoreComponentType.linking)])"
    )
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert STATIC in run.stdout
    assert TRAINABLE in run.stdout


def test_names_do_not_collide_with_upstream():
    names = [name for name, _ in get_registered_components(CoreComponentType.linking)]
    assert len(names) == len(set(names))
    assert not {STATIC, TRAINABLE} & {"embedding_linker", "trainable_embedding_linker"}


def test_other_configuration_is_an_error(cdb):
    from medcat.cat import CAT

    cdb.config.components.linking.comp_name = STATIC
    with pytest.raises(EmbedLinkError, match="takes an embedlink"):
        CAT(cdb)


def test_links_every_detection_before_training(cat):
    found = {(TEXT[start:end], cui) for start, end, cui, _ in entities(cat)}
    assert {surface for surface, _ in found} == {"MS", "fever", "Heart failure", "cold", "pyrexia"}
    assert ("fever", "C3") in found


def test_a_single_candidate_is_scored_by_its_concepts_own_row(cat):
    linker = linking_of(cat)
    doc = cat("High fever today.")
    (entity,) = doc.linked_ents
    windows = linker.linker.cutter([("High fever today.", [(5, 10)])])
    vector = linker.linker.encoder.encode(windows)
    row = linker.current_names().cui_row["C3"]
    own = linker.current_index().concept_vectors[row] @ vector[0]
    assert cosine_of(entity) == pytest.approx(float(own), abs=1e-6)


def test_one_of_several_is_scored_by_its_closest_name(cat):
    linker = linking_of(cat)
    doc = cat("Known MS.")
    (entity,) = doc.linked_ents
    vector = linker.linker.encoder.encode(linker.linker.cutter([("Known MS.", [(6, 8)])]))
    index, names = linker.current_index(), linker.current_names()
    scores = {}
    for cui in ("C1", "C2"):
        rows = index.distinct_names_of_concept[names.cui_row[cui]]
        query = torch.zeros(len(rows), dtype=torch.int64)
        scores[cui] = float(paired_scores(vector, query, index.vectors, rows).max())
    best = max(scores, key=scores.get)
    assert (entity.cui, cosine_of(entity)) == (best, pytest.approx(scores[best], abs=1e-6))


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "\n\n", "fever", "fever\u200b", "\u200bfever\u200b", "Ø fever µ ß fever",
        "🤒 fever 🤒", "fe\u0301ver", "\u200b\u200b", "e" * 5000, "nothing here", "\x00fever\x00",
    ],
)  # fmt: skip
def test_every_text_works(cat, text):
    for start, end, cui, similarity in entities(cat, text):
        assert text[start:end].lower() in ("fever",)
        assert cui == "C3"
        assert -1.001 <= similarity <= 1.001


def test_first_and_last_character(cat):
    text = "Fever, then pyrexia"
    assert [(s, e) for s, e, _, _ in entities(cat, text)] == [(0, 5), (12, 19)]


def test_a_document_of_100_000_characters(cat):
    words = "the patient was seen again on the ward and nothing else was noted "
    text = "Fever. " + "".join(words * 7 + "Known MS with fever. " for _ in range(207))
    text = text.ljust(99_993)[:99_993] + ", fever"
    found = entities(cat, text)
    assert len(text) == 100_000
    assert len(found) == text.count("MS") + text.count("fever") + 1
    assert (found[0][:2], found[-1][:2]) == ((0, 5), (99_995, 100_000))
    assert len({similarity for _, _, cui, similarity in found if cui == "C3"}) > 1


def test_nested_entities_are_shown_when_asked(cat):
    text = "She has a common cold illness."
    cat.trainer.add_and_train_concept("C6", "common cold illness")
    whole = ["common cold illness", "common cold", "cold"]
    found = [text[s:e] for s, e, _, _ in entities(cat, text)]
    assert "common cold" not in found  # MedCAT's filter never drops a single token, as "cold" is.
    cat.config.general.show_nested_entities = True
    assert sorted(text[s:e] for s, e, _, _ in entities(cat, text)) == sorted(whole)


def test_two_cats_with_different_linkers_live_in_one_process(make_cat, concept_table):
    from embedlink.concepts.database import load_cdb
    from embedlink.detection.pipeline import detection_config
    from embedlink.problems import Problems

    one = make_cat()
    before = entities(one)
    other_cdb = load_cdb(concept_table, Problems(), detection_config(min_name_len=2))
    two = make_cat(database=other_cdb, use_mention_attention=False, context_window_size=3)
    assert entities(two) != before
    assert entities(one) == before


def test_asking_for_a_static_linker_to_train_changes_nothing(cat, monkeypatch):
    from tests.medcat.conftest import export

    before = entities(cat)
    names = set(cat.cdb.name2info)
    data = export(("Spiked a temperature.", [("temperature", "C3")]))
    with pytest.raises(EmbedLinkError, match=TRAINABLE):
        cat.trainer.train_supervised_raw(data, disable_progress=True)
    assert set(cat.cdb.name2info) == names
    assert entities(cat) == before
    with pytest.raises(EmbedLinkError, match=TRAINABLE):
        linking_of(cat).train_supervised_batch([])
    with pytest.raises(EmbedLinkError, match=TRAINABLE):
        linking_of(cat).train("C3", None, None)


def test_the_index_is_built_when_first_needed_with_a_progress_bar(cat, monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(terminal, "isatty", lambda: True)
    monkeypatch.setattr("sys.stderr", terminal)
    monkeypatch.setattr("embedlink.progress.DELAY", 0)
    entities(cat, "no name")
    assert "Building the concept index" not in terminal.getvalue()
    entities(cat, "fever")
    assert "Building the concept index" in terminal.getvalue()


def test_new_names_are_found_without_a_manual_call(cat):
    entities(cat)
    index = linking_of(cat).current_index()
    cat.trainer.add_and_train_concept("C3", "hyperthermia")
    cat.trainer.add_and_train_concept("C9", "rash")
    found = entities(cat, "Hyperthermia and a rash.")
    assert [cui for *_, cui, _ in found] == ["C3", "C9"]
    new, names = linking_of(cat).current_index(), linking_of(cat).current_names()
    assert len(new.name_vectors) == len(cat.cdb.name2info) == len(index.name_vectors) + 2
    whole = linking_of(cat).linker.build_index(names)
    torch.testing.assert_close(new.vectors, whole.vectors)


def test_a_change_of_relation_alone_is_noticed(cat):
    assert len(linking_of(cat).current_names().concepts_of_name.rows) == 11
    entities(cat)
    cat.trainer.add_and_train_concept("C4", "cold")  # A name that the table has, of C5.
    entities(cat, "a cold")
    names = linking_of(cat).current_names()
    assert {names.cuis[c] for c in names.concepts_of_name[names.name_row["cold"]]} == {"C4", "C5"}
    cat.trainer.unlink_concept_name("C4", "cold")
    assert [cui for *_, cui, _ in entities(cat, "a cold")] == ["C5"]


def test_upstreams_calls_exist(cat, tiny_encoder):
    linker = linking_of(cat)
    before = entities(cat)
    linker.create_embeddings()
    linker.refresh_structure()
    linker.load_transformers(str(tiny_encoder))
    assert entities(cat) == before
    linker.create_embeddings(max_length=16)
    assert cat.config.components.linking.max_token_length == 16
    assert linker.linker.settings.max_name_tokens == 16


def test_default_configuration_is_that_of_an_untrained_run(tiny_encoder):
    from embedlink.linking.settings import LinkerSettings

    config = EmbedLinkLinking(embedding_model_name="x")
    config.use_projection_layer = False
    assert config.settings() == LinkerSettings("x")
