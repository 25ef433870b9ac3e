"""An index built again while training is the one that would be built from nothing."""

import pickle

import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.encoder.states import FrozenSequences
from embedlink.medcat.name_states import NameStates
from embedlink.plugin import TRAINABLE
from tests.conftest import NOTES
from tests.medcat.conftest import export, linking_of


def train(cat, **fields):
    for field, value in fields.items():
        setattr(cat.config.components.linking, field, value)
    cat.trainer.train_supervised_raw(
        export(*(note[1:] for note in NOTES)), disable_progress=True, nepochs=1
    )


def kept(component):
    return component.live._states._sequences


@pytest.mark.parametrize("layers", [0, 1, 2])
def test_what_is_frozen_is_computed_once_and_the_index_is_the_same(make_cat, layers):
    cat = make_cat(TRAINABLE, top_n_layers_to_unfreeze=layers, use_projection_layer=True)
    component, ran = linking_of(cat), []
    bottom = component.linker.encoder.language_model.encoder.layer[0]
    train(cat)  # Names of the documents are added.
    for _ in range(4):
        train(cat)
        component.get_hash()  # Trains on what is left.
        ran.append(0)
        hook = bottom.register_forward_hook(lambda *_: ran.append(ran.pop() + 1))
        vectors = component.current_index().vectors
        hook.remove()
        fresh = component.linker.build_index(component.current_names()).vectors
        torch.testing.assert_close(vectors, fresh, atol=1e-5, rtol=1e-4)
    assert isinstance(kept(component), FrozenSequences)
    assert ran[-2:] == [0, 0]


def test_a_layer_that_trained_for_a_while_is_computed_again(make_cat):
    cat = make_cat(TRAINABLE, top_n_layers_to_unfreeze=1, learning_rate=1e-2)
    component = linking_of(cat)
    for _ in range(3):
        train(cat)
        _ = component.current_index()
    assert kept(component) is not None
    train(cat, top_n_layers_to_unfreeze=3)
    component.training.finish()
    train(cat, top_n_layers_to_unfreeze=1)
    vectors = component.current_index().vectors
    fresh = component.linker.build_index(component.current_names()).vectors
    torch.testing.assert_close(vectors, fresh, atol=1e-5, rtol=1e-4)


def test_states_stay_in_their_process(linker, cdb):
    states, names = NameStates(), concept_names(cdb)
    assert states.of(linker, names) is None
    assert isinstance(states.of(linker, names), FrozenSequences)
    assert len(pickle.dumps(states)) < 200
    assert pickle.loads(pickle.dumps(states)).of(linker, names) is None
    states.clear()
    assert states.of(linker, names) is None
