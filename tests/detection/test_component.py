"""Detection beyond MedCAT's, alone and in the pipeline."""

import shutil
from dataclasses import replace

import pytest
from medcat.cat import CAT
from medcat.components.types import CoreComponentType
from medcat.vocab import Vocab

from embedlink.concepts.database import load_cdb
from embedlink.concepts.enrichment import enrich_cdb
from embedlink.corpora.pubtator import PubTator
from embedlink.detection.component import EmbedLinkDetection
from embedlink.detection.config import EmbedLinkNer, detect_as_medcat
from embedlink.detection.pipeline import (
    ComponentDetector,
    VocabularyDetector,
    detection,
    detection_config,
)
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.plugin import NER
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document
from tests.conftest import document
from tests.medcat.conftest import TEXT, entities

SEEN = (
    "Fevers and multiple scleroses (MScl). Failures of the heart, not heart, failure: MScl "
    "again. Common-cold; sclerosis, disseminated."
)


@pytest.fixture
def database(concept_table):
    """Makes a concept database that detects with these settings."""

    def make(**fields):
        config = detection_config(comp_name=NER, min_name_len=2, **fields)
        return load_cdb(concept_table, Problems(), config)

    return make


def detect(cdb, *texts):
    documents = [Document(str(at), text) for at, text in enumerate(texts)]
    return VocabularyDetector(cdb, progress=False)(documents)


def detected(cat, text):
    """What a whole pipeline detects; linking put its own probability in place of the tagger's."""
    return [replace(detection(e), tagged=None) for e in cat.pipe.get_doc(text).ner_ents]


def shown(cdb, text):
    (found,) = detect(cdb, text)
    return [(text[each.start : each.end], each.name, list(each.candidates)) for each in found]


def test_variants_and_abbreviations(database):
    assert shown(database(), SEEN) == [
        ("Fevers", "fever", ["C3"]),
        ("multiple scleroses", "multiple~sclerosis", ["C1"]),
        ("MScl", "multiple~sclerosis", ["C1"]),
        ("Failures of the heart", "failure~of~the~heart", ["C4"]),
        ("heart, failure", "heart~failure", ["C4"]),
        ("MScl", "multiple~sclerosis", ["C1"]),
        ("Common-cold", "common~cold", ["C5"]),
        ("cold", "cold", ["C5"]),
    ]  # A comma between words in another order is no variant; in the same order it is exact.


def test_each_addition_can_be_switched_off(database, cdb):
    def names(**fields):
        return [name for _, name, _ in shown(database(**fields), SEEN)]

    plain = [name for _, name, _ in shown(cdb, SEEN)]
    assert names(variants=False, abbreviations=False) == plain
    assert "multiple~sclerosis" not in names(variants=False)
    assert names(abbreviations=False).count("multiple~sclerosis") == 1
    assert "failure~of~the~heart" not in names(max_variant_words=1)


def test_exact_detections_stay_as_medcat_has_them(database, cdb):
    (plain,), (found,) = detect(cdb, TEXT), detect(database(), TEXT)
    assert found == plain != []


def test_a_document_says_what_its_abbreviation_means(database):
    found = shown(database(), "MS first. Mitral stenosis (MS) with MS; two MSs.")
    assert [(text, name, cuis) for text, name, cuis in found if text.startswith("MS")] == [
        ("MS", "mitral~stenosis", ["C2"]),
        ("MS", "mitral~stenosis", ["C2"]),
        ("MS", "mitral~stenosis", ["C2"]),
        ("MSs", "mitral~stenosis", ["C2"]),
    ]


def test_a_long_form_may_be_more_than_the_name_but_not_go_on_behind_it(database):
    cdb = database()
    assert ("CHF", "heart~failure", ["C4"]) in shown(cdb, "Chronic heart failure (CHF).")
    assert "HFP" not in [text for text, *_ in shown(cdb, "The heart failure protein (HFP).")]
    assert "SFWC" not in [text for text, *_ in shown(cdb, "Severe flare without cold (SFWC).")]


def test_no_variant_reaches_across_a_sentence_or_turns_a_coordination(database):
    cdb = database()
    for text in (
        "Heart. Failures",
        "heart (failures)",
        "sclerosis, multiple",
        "sclerosis or multiple",
    ):
        assert shown(cdb, text) == []


def test_short_forms_that_are_part_of_a_token_are_left_alone(database):
    cdb = database()
    text = "Multiple sclerosis (MScl). xMScl MScl_2 MScl"
    assert [found[0] for found in shown(cdb, text)] == ["Multiple sclerosis", "MScl", "MScl"]


def detecting(cdb):
    """A CAT that only detects: MedCAT's own linker needs words that an empty Vocab lacks."""
    cdb.config.components.comp_order = ["tagging", "token_normalizing", "ner"]
    return CAT(cdb, Vocab())


def test_entities_are_medcats_own(database):
    text = "Common-cold with Failures of the heart."
    cat = detecting(database())
    doc = cat.pipe.get_doc(text)
    by_hand = [
        cat.pipe.tokenizer.entity_from_tokens(doc.get_tokens(e.start, e.end - 1))
        for e in map(detection, doc.ner_ents)
    ]
    found = [(e.start, e.end) for e in map(detection, doc.ner_ents)]
    assert found == [(e.start, e.end) for e in map(detection, by_hand)]
    assert [entity.id for entity in doc.ner_ents] == list(range(len(found)))


def test_new_names_are_followed(database):
    cdb = database()
    cat = detecting(cdb)
    component = cat.pipe.get_component(CoreComponentType.ner)
    assert isinstance(component, EmbedLinkDetection)
    text = "Optic neuritides of the neuritis, optic type; inflamed optic nerves"
    assert cat.pipe.get_doc(text).ner_ents == []
    enrich_cdb(cdb, [document("a", "An inflamed optic nerve.", [("inflamed optic nerve", "C1")])])
    found = [detection(entity) for entity in cat.pipe.get_doc(text).ner_ents]
    assert [(each.name, each.candidates) for each in found] == [("inflamed~optic~nerve", ("C1",))]


@pytest.fixture
def packed(database, tiny_encoder):
    cdb = database()
    cdb.config.components.linking = EmbedLinkLinking(
        embedding_model_name=str(tiny_encoder), max_token_length=32
    )
    return CAT(cdb, Vocab())


def test_every_way_of_detecting_gives_the_same(packed, tmp_path):
    (expected,) = detect(packed.cdb, SEEN)
    saved = packed.save_model_pack(str(tmp_path), "pack", make_archive=False)
    loaded = CAT.load_model_pack(saved)
    assert loaded.config.components.ner == packed.config.components.ner
    for cat in (packed, loaded):
        made = ComponentDetector(cat.cdb, cat.pipe.tokenizer, cat.vocab)
        assert made(SEEN) == expected
        assert detected(cat, SEEN) == expected
    assert entities(loaded, SEEN) == entities(packed, SEEN) != []


def test_a_pack_of_ones_own_can_be_switched(cdb, tmp_path):
    cat = CAT(cdb, Vocab())
    cat.config.components.ner = EmbedLinkNer(min_name_len=2)
    loaded = CAT.load_model_pack(cat.save_model_pack(str(tmp_path), "own", make_archive=False))
    found = [detection(entity).name for entity in loaded.pipe.get_doc("Common colds").ner_ents]
    assert found == ["common~cold"]


def test_other_processes_detect_the_same(packed):
    texts = [SEEN, TEXT, "Mitral stenoses"] * 4
    one = [packed.get_entities(text)["entities"] for text in texts]
    several = dict(packed.get_entities_multi_texts(texts, n_process=2, batch_size_chars=100))
    assert [several[key]["entities"] for key in sorted(several, key=int)] == one


def test_misspelt_fields_are_named(packed, tmp_path):
    with pytest.raises(EmbedLinkError, match=r"detection\.variant: no such field of EmbedLinkNer"):
        detection_config(comp_name=NER, variant=False)
    with pytest.raises(EmbedLinkError, match=r"detection\.variants: no such field of Ner;"):
        detection_config(variants=False)
    with pytest.raises(ValueError, match="abbreviation"):
        EmbedLinkNer(abbreviation=True)
    with pytest.raises(ValueError, match="max_variant_words"):
        packed.config.components.ner.max_variant_words = 0
    saved = packed.save_model_pack(str(tmp_path), "pack", make_archive=False)
    with pytest.raises(ValueError, match="variant"):
        CAT.load_model_pack(saved, config_dict={"components": {"ner": {"variant": False}}})


def test_medcats_configuration_is_not_enough(cdb):
    cdb.config.components.ner.comp_name = NER
    with pytest.raises(EmbedLinkError, match=r"takes an .*EmbedLinkNer"):
        CAT(cdb, Vocab())


def test_switched_back_it_detects_as_medcat(database, cdb, caplog):
    other = database(max_skip_tokens=1)
    detect_as_medcat(other.config)
    assert "finds fewer mentions" in caplog.text
    assert type(other.config.components.ner) is type(cdb.config.components.ner)
    assert (other.config.components.ner.min_name_len, other.config.components.ner.comp_name) == (
        2, "default",
    )  # fmt: skip
    assert other.config.components.ner.max_skip_tokens == 1
    assert detect(other, TEXT) == detect(cdb, TEXT)


def test_it_finds_more_of_the_published_mentions():
    from tests.written import published

    path = str(published("ncbi_disease") / "NCBIdevelopset_corpus.txt")
    documents = list(PubTator("ncbi", {"validation": path}).read(Problems()))
    table = published("concepts") / "mesh_disease.csv"
    config = detection_config(comp_name=NER, min_name_len=2)
    cdb = load_cdb(table, Problems(), config)

    def recall():
        found = VocabularyDetector(cdb, progress=False)(documents)
        starts = [{each.start for each in detections} for detections in found]
        every = [m.start in s for d, s in zip(documents, starts, strict=True) for m in d.mentions]
        return sum(every) / len(every)

    both = recall()
    cdb.config.components.ner.variants = cdb.config.components.ner.abbreviations = False
    assert both > recall() + 0.1


def tagging(database, tagger_folder):
    return database(tagger=str(tagger_folder), least_tagged=0.3)


def test_the_tagger_finds_what_no_name_does(database, tagger_folder):
    text = "Spiked a temperature with her cold."
    (plain,), (found,) = detect(database(), text), detect(tagging(database, tagger_folder), text)
    assert [(text[d.start : d.end], d.candidates, d.tagged) for d in plain] == [
        ("cold", ("C5",), None)
    ]
    shown = [(text[d.start : d.end], d.name, d.candidates) for d in found]
    assert ("temperature", "", ()) in shown
    assert ("cold", "cold", ("C5",)) in shown
    assert all(d.tagged > 0.3 for d in found)


def test_names_that_annotators_leave_alone_are_improbable(database, tagger_folder):
    text = "It was a cold day; she has a common cold and pyrexia."
    (found,) = detect(tagging(database, tagger_folder), text)
    tagged = {text[d.start : d.end]: d.tagged for d in found if d.start < 20 or d.end > 30}
    assert tagged["cold"] < 0.3 < tagged["common cold"]


@pytest.fixture
def tagging_pack(database, tagger_folder, tiny_encoder):
    cdb = tagging(database, tagger_folder)
    cdb.config.components.linking = EmbedLinkLinking(
        embedding_model_name=str(tiny_encoder), max_token_length=32, use_pre_inference=False
    )
    return CAT(cdb, Vocab())


def test_a_pack_brings_its_tagger(tagging_pack, tagger_folder, tmp_path):
    text = "Spiked a temperature with her cold."
    (expected,) = detect(tagging_pack.cdb, text)
    assert any(not each.candidates for each in expected)
    saved = tagging_pack.save_model_pack(str(tmp_path), "pack", make_archive=False)
    moved = tmp_path / "moved"
    shutil.move(saved, moved)
    hidden = tagger_folder.with_name("hidden")
    tagger_folder.rename(hidden)
    try:
        loaded = CAT.load_model_pack(str(moved))
        assert detected(loaded, text) == [replace(each, tagged=None) for each in expected]
        made = ComponentDetector(loaded.cdb, loaded.pipe.tokenizer, loaded.vocab)
        assert made(text) == expected
        assert entities(loaded, text) == entities(tagging_pack, text)
        both = [cat.pipe.get_component(CoreComponentType.ner) for cat in (loaded, tagging_pack)]
        assert both[0].get_hash() == both[1].get_hash() != ""
    finally:
        hidden.rename(tagger_folder)
    assert "temperature" in {text[start:end] for start, end, *_ in entities(loaded, text)}


def test_a_pack_without_a_tagger_takes_the_one_it_is_given(packed, tagger_folder, tmp_path):
    saved = packed.save_model_pack(str(tmp_path), "pack", make_archive=False)
    given = {"components": {"ner": {"tagger": str(tagger_folder)}}}
    loaded = CAT.load_model_pack(saved, config_dict=given)
    text = "Spiked a temperature with her cold."
    (found,) = detect(loaded.cdb, text)
    assert "temperature" in {text[each.start : each.end] for each in found}


def test_a_pack_with_a_tagger_can_be_switched_back(tagging_pack, cdb, tmp_path):
    detect_as_medcat(tagging_pack.config)
    loaded = CAT.load_model_pack(
        tagging_pack.save_model_pack(str(tmp_path), "pack", make_archive=False)
    )
    assert detected(loaded, TEXT) == detect(cdb, TEXT)[0]


def test_other_processes_tag_the_same(tagging_pack):
    texts = ["Spiked a temperature with her cold.", TEXT] * 4
    one = [tagging_pack.get_entities(text)["entities"] for text in texts]
    several = dict(tagging_pack.get_entities_multi_texts(texts, n_process=2, batch_size_chars=80))
    assert [several[key]["entities"] for key in sorted(several, key=int)] == one


def test_a_folder_without_a_tagger_is_named(database):
    with pytest.raises(EmbedLinkError, match="/nowhere: no tagger"):
        detect(database(tagger="/nowhere"), TEXT)


def test_a_text_that_no_tokenizer_takes_costs_neither_itself_nor_the_others(tagging_pack):
    broken = "Spiked \ud83d a temperature\0 with her cold."
    texts = [TEXT, broken, "Common cold."]
    found = entities(tagging_pack, broken)
    assert "cold" in {broken[start:end] for start, end, *_ in found}
    together = dict(tagging_pack.get_entities_multi_texts(texts))
    for text, key in zip(texts, sorted(together, key=int), strict=True):
        spans = [(e["start"], e["end"]) for e in together[key]["entities"].values()]
        assert spans == [each[:2] for each in entities(tagging_pack, text)]
