import pytest
from hydra import compose, initialize
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from embedlink.experiment.config import check_settings
from embedlink.experiment.resolvers import register_resolvers
from embedlink.problems import EmbedLinkError


@pytest.fixture
def configured(tiny_encoder):
    register_resolvers()

    def make(*overrides):
        with initialize(version_base="1.3", config_path="../../conf"):
            return compose("train", overrides=[f"model.encoder={tiny_encoder}", *overrides])

    return make


def test_the_default_and_the_command_users_know_pass(configured):
    check_settings(configured())
    check_settings(configured("detection=variants"))  # It has no tagger to check.
    check_settings(configured("context_window=35", "unfreeze=4", "model.projection=true"))
    check_settings(configured("trainer.devices=[1]"))


@pytest.mark.parametrize(
    ("override", "allowed"),
    [
        ("unfreeze=99", "4 layers"),
        ("unfreeze=-2", "-1"),
        ("context_window=-1", "0 or more"),
        ("context_window=many", "whole number"),
        ("seed=-1", "0 or more"),
        ("targets=words", "names or cuis"),
        ("model.pooling=max", "mention or window"),
        ("model.max_tokens=2", "8 or more"),
        ("split.test_share=1.5", "between 0 and 1"),
        ("data.code_rule=last", "first, any or skip"),
        ("trainer.max_epochs=0", "1 or more"),
        ("trainer.devices=2", "a run trains on one"),
        ("trainer.devices=[0,1]", "a run trains on one"),
        ("trainer.devices=auto", "a run trains on one"),
        ("detection.tagger.epochs=0", "1 or more"),
        ("detection.tagger.least_probability=0", "between 0 and 1"),
        ("limit_documents=0", "null"),
        ("resume=nowhere.ckpt", "checkpoints/last.ckpt"),
        ("baselines=[tfidf,bm26]", "dictionary_spans, tfidf, bm25"),
        ("operating_point=f2", "f1, {precision: p} or {recall: r}"),
    ],
)
def test_a_value_out_of_range_names_key_value_and_what_is_allowed(configured, override, allowed):
    key, value = override.split("=")
    with pytest.raises(EmbedLinkError) as caught:
        check_settings(configured(override))
    assert key in str(caught.value)
    assert value.strip("[]").split(",")[-1] in str(caught.value)
    assert allowed in str(caught.value)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        (("nil_weight=0", "operating_point={recall:0.9}"), "links everything"),
        (("unfreeze=0", "encoded_negatives=4"), "encoder that trains"),
        (("unfreeze=0", "pretraining=synonyms"), "encoder that trains"),
    ],
)
def test_settings_without_effect_together_are_named(configured, overrides, said):
    with pytest.raises(EmbedLinkError, match=said):
        check_settings(configured(*overrides))
    for override in overrides:
        check_settings(configured(override))


def test_an_operating_point_is_a_figure_or_one_to_be_reached(configured):
    check_settings(configured("operating_point={precision:0.8}"))
    check_settings(configured("operating_point={recall:0.7}"))
    with pytest.raises(EmbedLinkError, match=r"operating_point=\{'precision': 2\} is not allowed"):
        check_settings(configured("operating_point={precision:2}"))


def test_all_wrong_values_are_reported_together(configured):
    with pytest.raises(EmbedLinkError) as caught:
        check_settings(configured("context_window=-1", "batch_size=0"))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize("override", ["context_windw=3", "model.pool=mention", "data=nothing"])
def test_a_typo_does_not_compose(configured, override):
    with pytest.raises((HydraException, OmegaConfBaseException)):
        configured(override)


def test_an_encoder_out_of_reach_says_what_to_do(configured):
    with pytest.raises(EmbedLinkError, match=r"no/such-encoder.*model.encoder=/path/to/folder"):
        check_settings(configured("model.encoder=no/such-encoder"))
