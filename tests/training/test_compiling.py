"""Compiled layers train as the others do."""

import pickle

import pytest
import torch

from embedlink.encoder.layers import encoder_layers
from embedlink.training.compiling import CompiledLayers
from tests.training.test_module import made, weights  # noqa: F401

# All of torch.compile but the code generation, which would take half a minute.
BACKEND = "aot_eager"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_training_gives_the_same_loss_and_weights(made):  # noqa: F811
    outcomes = []
    for compiled in (False, True):
        trainer, module, data = made(unfreeze=2, epochs=1, folder=f"compiled-{compiled}")
        # Dropout draws other numbers in compiled code.
        for layer in module.linker.encoder.modules():
            if isinstance(layer, torch.nn.Dropout):
                layer.p = 0.0
        if compiled:
            trainer.callbacks.insert(0, CompiledLayers(BACKEND))
        trainer.fit(module, data)
        outcomes.append((trainer.callback_metrics["train/loss"], weights(module), module))
    (loss, plain, _), (same_loss, same, module) = outcomes
    torch.testing.assert_close(same_loss, loss)
    assert plain.keys() == same.keys()
    for name, value in plain.items():
        torch.testing.assert_close(same[name], value, atol=1e-5, rtol=1e-4)
    stack = encoder_layers(module.linker.encoder.language_model)
    assert [layer._compiled_call_impl is not None for layer in stack] == [False, False, True, True]
    copied = pickle.loads(pickle.dumps(module.linker))
    assert copied.digest() == module.linker.digest()
