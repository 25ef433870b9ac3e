"""Keeps a linker at what its configuration says, whenever a field is changed.

Users set fields of `config.components.linking` at any time, and a component is not told. So it
calls `follow` before each use, which compares the wanted settings with the linker's. It does only
what the difference needs: read other weights, or change the encoder in place. `live_index` then
forgets vectors or ranks concepts anew. `prediction` and `training` read the other fields when they
need them.
"""

from dataclasses import replace

import torch

from embedlink.encoder.inference import default_tokens
from embedlink.linking.linker import Linker
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.live_index import LiveIndex
from embedlink.medcat.sources import start_linker
from embedlink.problems import EmbedLinkError


def follow(config: EmbedLinkLinking, live: LiveIndex) -> None:
    """Bring linker and index to the present configuration. It costs little if nothing changed.

    `live` gets another linker if settings have changed. If another linker folder brings its own
    settings, `config` is changed too. Raises `EmbedLinkError` if the encoder cannot be loaded, and
    torch's `RuntimeError` if the device does not exist.
    """
    linker = live.linker
    if config.settings() != linker.settings:
        if config.embedding_model_name != linker.settings.encoder:
            linker = _switched(config, linker)
        # A linker folder has its own settings, which are in the configuration by now.
        linker = _adapted(config, linker)
        live.use(linker)
    live.search_with(search_by=config.search_by, token_budget=_token_budget(config, linker))
    # The device comes last, because an encoder that was just read is on the CPU.
    asked = config.gpu_device or ("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.empty(0, device=asked).device  # "cuda" becomes "cuda:0", as in weights.
    if linker.encoder.device != device:
        linker.encoder.to(device)
    if linker.reranker is not None and linker.reranker.device != device:
        linker.reranker.to(device)
    if linker.senses is not None and linker.senses.encoder.device != device:
        linker.senses.encoder.to(device)


def _switched(config: EmbedLinkLinking, linker: Linker) -> Linker:
    """The linker that the configuration names now, in eval mode."""
    fresh, _ = start_linker(config)
    fresh.encoder.eval()
    # An encoder without a linker brings no counts. Counts of names suit any encoder, so they stay.
    return replace(
        fresh,
        counts=fresh.counts or linker.counts,
        frequencies=fresh.frequencies or linker.frequencies,
    )


def _adapted(config: EmbedLinkLinking, linker: Linker) -> Linker:
    """The linker with the settings of the configuration, which need no other weights."""
    try:
        return linker.adapted(config.settings())
    except EmbedLinkError as error:
        raise EmbedLinkError(f"config.components.linking.{error}") from error


def _token_budget(config: EmbedLinkLinking, linker: Linker) -> int | None:
    """Most tokens of names in a batch, padding included.

    None stands for the encoder's own budget. A number is returned only if `embedding_batch_size`
    asks for smaller batches.
    """
    asked = config.embedding_batch_size * linker.settings.max_name_tokens
    return asked if asked < default_tokens(linker.encoder.device) else None
