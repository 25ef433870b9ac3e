"""A wrong key is told with the one that it may mean, and a right one never."""

import re
from pathlib import Path

import pytest

from embedlink.experiment.near_misses import RENAMED, near_misses
from embedlink.experiment.registry import settings_by_key
from embedlink.experiment.settings import ENTRIES, GROUPS_OF

CHANGELOG = Path(__file__).parents[2] / "CHANGELOG.md"


@pytest.mark.parametrize(
    ("entry", "wrong", "meant"),
    [
        ("train", "unfreze", "unfreeze"),
        ("train", "detection.tager.lr", "detection.tagger.lr"),
        ("train", "trainer.max_epoch", "trainer.max_epochs"),
        ("train", "objektive", "objective"),
        ("evaluate", "linkr", "linker"),
        ("evaluate", "data.concept", "data.concepts"),
        ("prepare", "downlod", "download"),
        ("export", "taget", "target"),
        ("sync", "tracking_url", "tracking_uri"),
    ],
)
def test_a_misspelt_key_is_told_with_its_neighbour(entry, wrong, meant):
    assert near_misses([f"{wrong}=2"], entry) == [
        f"{wrong}: no such setting; did you mean {meant}?"
    ]


@pytest.mark.parametrize("entry", ENTRIES)
def test_a_key_of_the_entry_is_no_miss(entry):
    keys = [*settings_by_key(entry=entry), *GROUPS_OF[entry]]
    assert near_misses([f"{key}=x" for key in keys], entry) == []


def test_a_key_of_another_entry_says_which():
    assert near_misses(["unfreeze=2"], "evaluate") == [
        "unfreeze: a setting of train.py, not of evaluate.py"
    ]


@pytest.mark.parametrize(
    ("old", "now"),
    [
        ("model.name=x", "model.encoder=x"),
        ("loss.k=3", "objective.loss.k=3"),
        ("stage.epochs=2", "pretraining.epochs=2"),
        ("model.rerank=8", "reranker=cross_encoder reranker.top_k=8"),
        ("model.rerank_lr=1", "reranker.lr=1"),
        ("callbacks=default", "callbacks=each_epoch"),
    ],
)
def test_a_renamed_key_is_told_with_its_present_name(old, now):
    assert near_misses([old]) == [f"{old}: is now {now}"]


def test_no_key_of_today_counts_as_renamed():
    known = {key for entry in ENTRIES for key in settings_by_key(entry=entry)}
    assert not known & RENAMED.keys()


def test_every_renamed_key_of_the_changelog_is_known():
    rows = re.findall(r"^  \| (`.*?) \|", CHANGELOG.read_text(), re.MULTILINE)
    keys = {key.rstrip("=") for row in rows for key in re.findall(r"`([^`]+)`", row)}
    # `split` is a group of today: only the values that evaluate.py took are told.
    keys -= {"evaluate.py", "export.py", "split"}
    assert len(keys) > 10
    for key in keys:
        assert near_misses([key if "=" in key else f"{key}=x"]), key
