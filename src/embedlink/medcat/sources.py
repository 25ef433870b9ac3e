"""Loads the linker or the encoder that the configuration's `embedding_model_name` points to."""

from pathlib import Path

from embedlink.linking.linker import Linker
from embedlink.linking.parts import SETTINGS
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.upstream import is_upstream_model, read_upstream_model


def start_linker(config: EmbedLinkLinking) -> tuple[Linker, Path | None]:
    """Load a linker from a linker folder, from upstream's folder, or from a published encoder.

    The second value is the folder if an index is stored with the linker, else None. The settings
    stored in either folder are put into the configuration. Raises `EmbedLinkError` if a part is
    missing or corrupt, or if no encoder of this name can be loaded.
    """
    folder = Path(config.embedding_model_name).expanduser()
    if (folder / SETTINGS).is_file():
        linker = Linker.load(folder)
        config.adopt(linker.settings)
        return linker, folder
    if is_upstream_model(folder):
        linker = read_upstream_model(folder, config.settings())
        config.adopt(linker.settings)
        return linker, None
    # The name stands for the folder or the hub id of an encoder.
    return Linker.untrained(config.settings(), config.top_n_layers_to_unfreeze), None
