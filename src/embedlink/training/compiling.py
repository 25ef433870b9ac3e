"""The trainable layers compiled by `torch.compile`, for runs long enough to earn it back."""

import lightning as L
from lightning.pytorch.callbacks import Callback

from embedlink.encoder.context import ContextEncoder, trainable
from embedlink.encoder.layers import encoder_layers
from embedlink.training.module import LinkerModule


class CompiledLayers(Callback):
    """Compiles the layers that train, once, for batches of every size.

    Frozen layers are left alone: their states are computed once. A last layer that is kept to
    the mention's tokens (`last_layer`) runs as before. The compiler costs about half a minute,
    and results differ from uncompiled ones in the last digits.
    """

    def __init__(self, backend: str = "inductor") -> None:
        self.backend = backend

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compile in place: names of weights, and what is saved of them, stay as they are."""
        assert isinstance(pl_module, LinkerModule)
        compile_trainable(pl_module.linker.encoder, self.backend)


def compile_trainable(encoder: ContextEncoder, backend: str) -> None:
    """Compile every layer of the stack that has a weight to train."""
    for layer in encoder_layers(encoder.language_model):
        if any(trainable(layer)):
            # Dynamic: batches differ in mentions and tokens, and must not compile anew each.
            layer.compile(backend=backend, dynamic=True)
