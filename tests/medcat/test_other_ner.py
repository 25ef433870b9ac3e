"""Detection of another maker in front of our linker: it learns from what that one detects."""

import logging
import re
from pathlib import Path

import pytest
from medcat.cat import CAT
from medcat.components.types import (
    AbstractEntityProvidingComponent,
    CoreComponentType,
    get_registered_components,
    register_core_component,
)
from medcat.config.config import Ner
from medcat.storage.serialisables import AbstractManualSerialisable

from tests.medcat.conftest import export, linking_of

NOTE = "Known MS with a fever, on a cold day."


class OtherNer(AbstractEntityProvidingComponent, AbstractManualSerialisable):
    """Finds words by a pattern, which only its folder in a pack holds."""

    name = "other_ner"

    def __init__(self, tokenizer, cdb, pattern):
        super().__init__()
        self.tokenizer, self.cdb, self.pattern = tokenizer, cdb, pattern

    def get_type(self):
        return CoreComponentType.ner

    def predict_entities(self, doc, ents=None):
        found = []
        for match in re.finditer(self.pattern, doc.base.text):
            tokens = doc.get_tokens(match.start(), match.end() - 1)
            entity = self.tokenizer.entity_from_tokens_in_doc(tokens, doc)
            entity.detected_name = match[0].lower()
            entity.link_candidates = sorted(self.cdb.name2info[match[0].lower()]["per_cui_status"])
            entity.id = len(found)
            found.append(entity)
        return found

    @classmethod
    def create_new_component(cls, cnf, tokenizer, cdb, vocab, model_load_path):
        return cls(tokenizer, cdb, cnf.custom_cnf)

    def serialise_to(self, folder_path):
        Path(folder_path).mkdir()
        (Path(folder_path) / "pattern.txt").write_text(self.pattern)

    @classmethod
    def deserialise_from(cls, folder_path, **given):
        return cls(
            given["tokenizer"], given["cdb"], (Path(folder_path) / "pattern.txt").read_text()
        )


@pytest.fixture
def other(make_cat, cdb):
    if OtherNer.name not in dict(get_registered_components(CoreComponentType.ner)):
        register_core_component(CoreComponentType.ner, OtherNer.name, OtherNer.create_new_component)
    cdb.config.components.ner = Ner(comp_name=OtherNer.name, custom_cnf="MS|fever|cold")
    return make_cat("embedlink_trainable_linker", training_batch_size=2)


def train(cat):
    """Annotators marked two of the three words that the other detection finds."""
    data = export((NOTE, [("MS", "C1"), ("fever", "C3")]))
    cat.trainer.train_supervised_raw(data, disable_progress=True)
    linking_of(cat).get_hash()  # Trains on what waits.
    return linking_of(cat).linker.counts


LEARNED = {"ms": (1, 1), "fever": (1, 1), "cold": (1, 0)}


def test_training_uses_its_spans_and_what_was_left_alone(other):
    assert train(other) == LEARNED


def test_so_does_a_pack_whose_detection_is_in_the_pack(other, tmp_path):
    saved = other.save_model_pack(str(tmp_path), "pack", add_hash_to_pack_name=False)
    loaded = CAT.load_model_pack(saved)
    loaded.config.components.ner.custom_cnf = "nothing"  # The folder says otherwise.
    assert train(loaded) == LEARNED


def test_one_that_cannot_be_made_again_is_named(other, caplog):
    other.config.components.ner.comp_name = "gone_ner"
    with caplog.at_level(logging.WARNING, "embedlink"):
        assert train(other) == {}
    assert "gone_ner cannot be made again here" in caplog.text
