import pytest
from hydra import compose, initialize
from medcat.config.config import ComponentConfig

from embedlink.concepts.database import load_cdb
from embedlink.detection.config import EmbedLinkNer
from embedlink.experiment.data import load_data as load
from embedlink.experiment.evaluate import NoWindows, check_evaluation
from embedlink.experiment.parts import Inputs
from embedlink.experiment.resolvers import register_resolvers
from embedlink.problems import EmbedLinkError, Problems


def load_data(cfg, representative):
    return load(Inputs.of(cfg), representative)


@pytest.fixture
def configured():
    register_resolvers()

    def make(*overrides):
        with initialize(version_base="1.3", config_path="../../conf"):
            return compose("evaluate", overrides=list(overrides))

    return make


@pytest.mark.parametrize("override", ["linker=a", "baseline=tfidf", "compare=[a,b]"])
def test_one_thing_to_do_is_enough(configured, override):
    check_evaluation(configured(override))
    with pytest.raises(EmbedLinkError, match="part='dev'"):
        check_evaluation(configured(override, "part=dev"))


@pytest.mark.parametrize("override", ["baseline=tfidf", "compare=[a,b]"])
def test_errors_are_reported_of_a_linker_alone(configured, override):
    check_evaluation(configured("linker=a", "report=errors"))
    with pytest.raises(EmbedLinkError, match=f"report=errors.*{override.split('=')[0]}="):
        check_evaluation(configured(override, "report=errors"))


@pytest.mark.parametrize("overrides", [(), ("linker=a", "baseline=tfidf")])
def test_nothing_and_two_things_are_errors_that_name_the_keys(configured, overrides):
    with pytest.raises(EmbedLinkError, match="one of linker, baseline, compare") as caught:
        check_evaluation(configured(*overrides))
    assert all(override in str(caught.value) for override in overrides)


@pytest.mark.parametrize(
    "override", ["detection.tagger.least_probability=0", "split.by=some", "limit_documents=0"]
)
def test_a_value_out_of_range_is_named_before_any_work(configured, override):
    with pytest.raises(EmbedLinkError, match=override.split("=")[0].replace(".", r"\.")):
        check_evaluation(configured("baseline=tfidf", override))


def test_no_windows_are_cut():
    assert len(NoWindows()([("some text", [(0, 4)])])) == 0


def test_the_split_seed_keeps_the_documents_of_another_seed(configured):
    def test_documents(*overrides):
        cfg = configured("baseline=tfidf", "split=random", *overrides)
        return [document.id for document in load_data(cfg, "preferred").splits.test]

    first = test_documents("seed=0")
    assert test_documents("seed=1", "split_seed=0") == first
    assert test_documents("seed=1") != first


@pytest.mark.parametrize("detection", ["learned", "variants", "vocabulary"])
def test_embedlinks_detection_takes_the_place_of_a_packs_own(configured, tmp_path, detection):
    table = configured("baseline=tfidf").data.concepts
    load_cdb(table, Problems()).save(str(tmp_path / "cdb.zip"))
    overrides = (
        f"detection={detection}",
        f"data.concepts={tmp_path / 'cdb.zip'}",
        "limit_documents=2",
    )
    ner = load_data(configured("baseline=tfidf", *overrides), "preferred").cdb.config.components.ner
    assert isinstance(ner, EmbedLinkNer) == (detection != "vocabulary")
    assert ner.min_name_len == (3 if detection == "vocabulary" else 2)


def test_a_spacy_model_that_is_not_installed_is_named(configured, tmp_path):
    cdb = load_cdb(configured("baseline=tfidf").data.concepts, Problems())
    cdb.config.general.nlp.provider = "spacy"
    cdb.config.general.nlp.modelname = "xx_no_such_model"
    cdb.save(str(tmp_path / "cdb.zip"))
    cfg = configured("baseline=tfidf", f"data.concepts={tmp_path / 'cdb.zip'}")
    with pytest.raises(EmbedLinkError, match="python -m spacy download xx_no_such_model"):
        load_data(cfg, "preferred")


def test_what_would_act_beside_linking_in_a_pack_is_left_out(configured, tmp_path, caplog):
    cdb = load_cdb(configured("baseline=tfidf").data.concepts, Problems())
    cdb.config.general.show_nested_entities = True
    cdb.config.components.linking.filters.cuis = {"1"}
    cdb.config.components.addons = [ComponentConfig(comp_name="none")]
    cdb.save(str(tmp_path / "cdb.zip"))
    cfg = configured("baseline=tfidf", f"data.concepts={tmp_path / 'cdb.zip'}")
    config = load_data(cfg, "preferred").cdb.config
    assert not config.general.show_nested_entities
    assert not config.components.linking.filters.cuis
    assert not config.components.addons
    assert "the pack's addons, filters, nested entities are left out" in caplog.text


def test_a_detection_that_cannot_be_names_key_and_value(configured):
    cfg = configured("baseline=tfidf", "detection.max_variant_words=0")
    with pytest.raises(EmbedLinkError, match=r"detection\.max_variant_words=0 is not allowed"):
        load_data(cfg, "preferred")
