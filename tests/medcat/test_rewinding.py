"""Measuring by folds: what a linker learned in one fold is not there in the next."""

import pytest
import torch
from medcat.stats.kfold import SplitType, get_fold_creator, get_per_fold_metrics
from medcat.utils.cdb_state import captured_state_cdb

from embedlink.problems import EmbedLinkError
from tests.medcat.conftest import entities, export, linking_of

DATA = export(
    ("Known MS with a fever.", [("MS", "C1"), ("fever", "C3")]),
    ("Murmur of MS, in heart failure.", [("MS", "C2"), ("heart failure", "C4")]),
    ("She has a common cold and MS.", [("common cold", "C5"), ("MS", "C1")]),
    ("A cold day without pyrexia.", [("pyrexia", "C3")]),
)


def train(cat, data=DATA):
    cat.trainer.train_supervised_raw(data, disable_progress=True)


def state(cat):
    """Weights, link decision and counts, after waiting samples were trained on."""
    return linking_of(cat).get_hash()


def folds():
    return get_fold_creator(DATA, 2, SplitType.DOCUMENTS).create_folds()


def test_a_fold_does_not_know_of_the_other(make_cat, trainable):
    before = state(trainable)
    one, two = folds()
    metrics = get_per_fold_metrics(trainable, [one, two], False, disable_progress=True)
    assert state(trainable) == before
    again = get_per_fold_metrics(trainable, [two, one], False, disable_progress=True)
    # The examples in the last part hold nothing but what the counts say.
    assert [each[:-1] for each in metrics] == [each[:-1] for each in reversed(again)]


@pytest.mark.parametrize("on_disk", [False, True])
def test_the_linker_goes_back_with_the_database(trainable, on_disk):
    train(trainable)
    before, found = state(trainable), entities(trainable)
    with captured_state_cdb(trainable.cdb, save_state_to_disk=on_disk):
        train(trainable)
        train(trainable)
        assert state(trainable) != before
    assert state(trainable) == before
    assert entities(trainable) == found
    train(trainable)
    assert state(trainable) != before


def test_samples_that_wait_are_dropped(trainable):
    trainable.config.components.linking.training_batch_size = 1000
    before = state(trainable)
    with captured_state_cdb(trainable.cdb):
        train(trainable)
    assert state(trainable) == before


def test_a_state_that_was_not_kept_is_refused_once(trainable):
    train(trainable)
    state(trainable)
    trainable.cdb.cui2info["C1"]["count_train"] -= 1
    with pytest.raises(EmbedLinkError, match="load the model pack again"):
        trainable.get_entities("Known MS.")
    assert trainable.get_entities("Known MS.")["entities"]


def test_what_did_not_change_is_kept_once(trainable):
    train(trainable)
    train(trainable)
    one, two = linking_of(trainable)._rewinding._kept
    same = {name for name, tensor in two.weights.items() if tensor is one.weights[name]}
    assert {name for name in same if "layer.0" in name}
    assert any("layer.3" in name for name in two.weights.keys() - same)
    assert all(isinstance(tensor, torch.Tensor) for tensor in two.weights.values())
