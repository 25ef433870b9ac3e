"""Packs in a threaded service: the first documents come at the same time."""

import shutil
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from medcat.cat import CAT
from medcat.components.types import CoreComponentType

from embedlink.detection.config import EmbedLinkNer
from embedlink.problems import EmbedLinkError
from tests.medcat.conftest import TEXT, entities


@pytest.fixture
def pack(make_cat, cdb, tagger_folder, tmp_path):
    """A pack that detects by a tagger, and stores an index."""
    cdb.config.components.ner = EmbedLinkNer(min_name_len=2, tagger=str(tagger_folder))
    saved = make_cat().save_model_pack(str(tmp_path), "pack", add_hash_to_pack_name=False)
    return str(saved)


def at_once(count, call):
    """What each of so many threads gets from `call(number)`, all started together."""
    gate = threading.Barrier(count)

    def work(number):
        gate.wait()
        return call(number)

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(work, range(count)))


@pytest.mark.parametrize("threads", [4, 8, 20])
def test_first_calls_come_at_once(pack, threads):
    expected = entities(CAT.load_model_pack(pack))
    fresh = CAT.load_model_pack(pack)
    assert at_once(threads, lambda _: entities(fresh)) == [expected] * threads


def test_first_calls_without_an_index(make_cat):
    cat = make_cat()
    found = at_once(8, lambda _: entities(cat))
    assert found == [entities(cat)] * 8


def test_packs_are_loaded_while_others_link(pack):
    expected = entities(CAT.load_model_pack(pack))
    served = CAT.load_model_pack(pack)

    def call(number):
        return entities(CAT.load_model_pack(pack) if number % 2 else served)

    assert at_once(6, call) == [expected] * 6
    layer = torch.nn.Linear(2, 2)  # Torch itself is as it was.
    assert layer.weight.device.type == "cpu"
    assert float(layer.weight.detach().abs().sum()) > 0


def test_filters_change_between_threads(cat):
    filters = cat.config.components.linking.filters
    expected = [found for found in entities(cat) if found[2] == "C3"]
    filters.cuis = {"C3"}
    assert at_once(8, lambda _: entities(cat)) == [expected] * 8


def test_a_first_call_that_failed_is_repeated(pack, tagger_folder, tmp_path):
    cat = CAT.load_model_pack(pack)
    expected = entities(cat, TEXT)
    later = tmp_path / "later"
    cat.config.components.ner.tagger = str(later)

    def error(_):
        with pytest.raises(EmbedLinkError, match="no tagger can be read"):
            cat.get_entities(TEXT)
        return True

    assert at_once(4, error) == [True] * 4
    shutil.copytree(tagger_folder, later)
    assert at_once(4, lambda _: entities(cat)) == [expected] * 4


def test_a_pack_names_a_tagger_that_is_missing_when_it_is_loaded(pack):
    part = CoreComponentType.ner
    ner = CAT.load_model_pack(pack).pipe.get_component(part)
    shutil.rmtree(ner.cdb.config.components.ner.tagger + "/encoder")
    with pytest.raises(EmbedLinkError, match="this part of the tagger is missing"):
        CAT.load_model_pack(pack)
