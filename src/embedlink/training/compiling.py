"""The trainable layers compiled by `torch.compile`, for runs long enough to earn it back."""

import lightning as L
from lightning.pytorch.callbacks import Callback

from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.layers import encoder_layers, trainable
from embedlink.training.module import LinkerModule


class CompiledLayers(Callback):
    """Compiles the layers that train, once, for batches of every size.

    Frozen layers are left alone, because their states are computed once. If the last layer is
    narrowed to the mention's tokens (`encoder.narrowing`), it runs uncompiled. The compiler takes
    about half a minute, and results differ from uncompiled ones in the last digits.
    """

    def __init__(self, backend: str = "inductor") -> None:
        self.backend = backend

    def on_fit_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Compile in place. The names of weights stay, and so does what is saved of them."""
        assert isinstance(pl_module, LinkerModule)
        compile_trainable(pl_module.linker.encoder, self.backend)


def compile_trainable(encoder: ContextEncoder, backend: str) -> None:
    """Compile every layer of the stack that has a weight to train."""
    for layer in encoder_layers(encoder.tower(note=True)):
        if any(trainable(layer)):
            # Dynamic, because batches differ in size and must not each be compiled anew.
            layer.compile(backend=backend, dynamic=True)
