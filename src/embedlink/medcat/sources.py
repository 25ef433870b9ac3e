"""Linkers from wherever the configuration's `embedding_model_name` points."""

from pathlib import Path

from embedlink.linking.linker import Linker
from embedlink.linking.parts import SETTINGS
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.upstream import is_upstream_model, read_upstream_model


def start_linker(config: EmbedLinkLinking) -> tuple[Linker, Path | None]:
    """A linker from a linker's folder, upstream's, or a published encoder.

    The second value is the folder where an index is stored with it, if there is one. The
    configuration then shows the settings that were stored with the linker. Raises `EmbedLinkError`
    where a part is missing or corrupt, or no encoder of this name can be loaded.
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
    # What is no linker's folder is an encoder's, or a hub id.
    return Linker.untrained(config.settings(), config.top_n_layers_to_unfreeze), None
