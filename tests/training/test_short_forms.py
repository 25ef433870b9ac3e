"""Notes without labels teach context: the sense that was written out is found again."""

import copy
from dataclasses import dataclass
from functools import partial

import lightning as L
import pytest
import torch

from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.windows import WindowCutter
from embedlink.problems import EmbedLinkError
from embedlink.senses.ambiguous import Ambiguous
from embedlink.senses.substitution import substitute
from embedlink.training.short_forms import (
    SenseExamples,
    ShortFormData,
    learn_short_forms,
    sense_vectors,
)

SHORT = [Ambiguous("MS", (("multiple sclerosis",), ("mitral stenosis",)))]
TEXTS = [
    "She has multiple sclerosis with a relapse.",
    "Murmur of mitral stenosis on echo.",
    "Her multiple sclerosis began with a relapse.",
    "The murmur is of mitral stenosis by echo.",
] * 4


@dataclass
class NoteReader:
    encoder: ContextEncoder
    cutter: WindowCutter


@pytest.fixture
def two(linker):
    model = copy.deepcopy(linker.encoder.language_model)
    return NoteReader(ContextEncoder(model, unfreeze=2, towers="two"), linker.cutter)


def trainer(epochs):
    return L.Trainer(
        max_epochs=epochs, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip


def learned(linker, held_out=frozenset(), lr=1e-2, epochs=12):
    L.seed_everything(0, verbose=False)
    substitutions = substitute(TEXTS, SHORT, per_sense=50, seed=0)
    examples = substitutions.examples
    data = ShortFormData(linker, [e for e in examples if e.document not in held_out], batch_size=8)
    measured = SenseExamples.of(linker, [e for e in examples if e.document in held_out])
    return learn_short_forms(
        linker, data, measured, sense_vectors(linker, substitutions), trainer(epochs),
        partial(torch.optim.AdamW, lr=lr), weight_decay=0.0, warmup_share=0.1, seed=0,
    )  # fmt: skip


def test_context_learns_the_sense_and_names_stay(two):
    names = two.encoder.language_model.state_dict()
    before = copy.deepcopy(names)
    _, after = learned(two, held_out=frozenset({2, 3}))
    assert after == 1.0
    assert all(torch.equal(names[key], before[key]) for key in names)


def test_weights_are_put_back_if_held_out_notes_gain_nothing(two, caplog):
    before = copy.deepcopy(two.encoder.state_dict())
    first, last = learned(two, held_out=frozenset({2, 3}), lr=0.0, epochs=1)
    assert first == last
    assert all(torch.equal(two.encoder.state_dict()[key], before[key]) for key in before)
    assert "put back" in caplog.text


def test_it_repeats(two):
    first = copy.deepcopy(two)
    learned(first)
    learned(two)
    notes = [part.encoder.note_layers.state_dict() for part in (first, two)]
    assert all(torch.equal(notes[0][key], notes[1][key]) for key in notes[0])


def test_notes_without_any_long_form_are_an_error(two):
    with pytest.raises(EmbedLinkError, match=r"data\.unlabelled"):
        ShortFormData(two, substitute(["Nothing."], SHORT, per_sense=5, seed=0).examples)
