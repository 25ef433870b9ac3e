"""Loads the linker or the encoder that the configuration's `embedding_model_name` points to."""

from pathlib import Path
from typing import NamedTuple

from embedlink.linking.linker import Linker
from embedlink.linking.parts import SETTINGS
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.upstream import is_upstream_model, read_upstream_model


class Started(NamedTuple):
    """A linker that was loaded, and the folder of an index that is stored with it, if any."""

    linker: Linker
    index_folder: Path | None


def start_linker(config: EmbedLinkLinking) -> Started:
    """Load a linker from a linker folder, from upstream's folder, or from a published encoder.

    The settings stored in either folder are put into the configuration. Raises `EmbedLinkError` if
    a part is missing or corrupt, or if no encoder of this name can be loaded.
    """
    folder = Path(config.embedding_model_name).expanduser()
    if (folder / SETTINGS).is_file():
        linker = Linker.load(folder)
        config.adopt(linker.settings)
        return Started(linker, folder)
    if is_upstream_model(folder):
        linker = read_upstream_model(folder, config.settings())
        config.adopt(linker.settings)
        return Started(linker, None)
    # The name stands for the folder or the hub id of an encoder.
    return Started(Linker.untrained(config.settings(), config.top_n_layers_to_unfreeze), None)
