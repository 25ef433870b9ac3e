"""Two towers: names keep the published weights, notes are read by top layers of their own."""

import copy

import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.states import StateCache
from embedlink.encoder.tokens import TokenSequences
from embedlink.linking.linker import Linker


def sequences(note):
    return TokenSequences.of([[2, 5, 6, 3], [2, 7, 3]], [(1, 3), (1, 2)], pad_id=0, note=note)


def batch(note):
    return sequences(note).batch(torch.tensor([0, 1]))


@pytest.fixture
def two(linker):
    return ContextEncoder(copy.deepcopy(linker.encoder.language_model), unfreeze=2, towers="two")


def trained(encoder):
    """One large step on notes."""
    optimizer = torch.optim.SGD([p for p in encoder.parameters() if p.requires_grad], lr=1.0)
    encoder.train()
    encoder(batch(note=True))[:, 0].sum().backward()
    optimizer.step()
    encoder.eval()
    return encoder


def test_before_training_both_towers_read_alike(two):
    two.eval()
    assert torch.equal(two(batch(note=True)), two(batch(note=False)))


def test_training_moves_notes_and_leaves_names(two):
    two.eval()
    before = two(batch(note=False)), two(batch(note=True))
    trained(two)
    assert torch.equal(two(batch(note=False)), before[0])
    assert not torch.allclose(two(batch(note=True)), before[1], atol=1e-3)


def test_only_the_note_towers_top_layers_have_gradients(two):
    names = {name for name, p in two.named_parameters() if p.requires_grad}
    assert names
    assert all(name.startswith("note_layers.") for name in names)
    assert {name.split(".")[1] for name in names} == {"0", "1"}


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_cached_states_change_no_vector(linker, layers):
    encoder = ContextEncoder(
        copy.deepcopy(linker.encoder.language_model), unfreeze=layers, towers="two"
    ).eval()
    if layers:
        trained(encoder)
    for note in (False, True):
        frozen = StateCache(2**20).freeze(encoder, sequences(note))
        assert frozen is not sequences(note)
        rows = torch.tensor([0, 1])
        assert torch.allclose(encoder(frozen.batch(rows)), encoder(batch(note)), atol=1e-5)


def test_more_layers_are_copied_below_those_that_have_learned(two):
    trained(two)
    notes = two(batch(note=True))
    two.unfreeze(3)
    two.eval()
    assert len(two.note_layers) == 3
    assert torch.equal(two(batch(note=True)), notes)


def test_a_linker_with_two_towers_is_saved_and_loaded(tmp_path, linker, cdb):
    settings = copy.copy(linker.settings)
    object.__setattr__(settings, "towers", "two")
    encoder = ContextEncoder(
        copy.deepcopy(linker.encoder.language_model),
        pooling=settings.pooling,
        projection=settings.projection,
        unfreeze=2,
        surface_weight=settings.surface_weight,
        towers="two",
    )
    trained(encoder)
    names = concept_names(cdb)
    saved = Linker(settings, encoder, linker.tokenizer, copy.deepcopy(linker.decision))
    saved.save(tmp_path / "linker", names, saved.build_index(names))
    loaded = Linker.load(tmp_path / "linker")
    text = [("Known MS with fever.", [(6, 8), (14, 19)])]
    assert torch.equal(
        loaded.encoder.encode(loaded.cutter(text)), encoder.encode(saved.cutter(text))
    )
    assert loaded.stored_index(tmp_path / "linker", names) is not None
