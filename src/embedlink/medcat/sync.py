"""Keeps a linker at what its configuration says, whenever a field is changed.

Users set fields of `config.components.linking` at any time, and a component is not told. So it
calls `follow` before each use, which compares the wanted settings with the linker's. It does only
what the difference needs: read other weights, change the encoder in place, forget vectors, or rank
concepts anew. `prediction` and `training` read the other fields when they need them.
"""

import logging
from dataclasses import replace

import torch

from embedlink.encoder.inference import default_tokens
from embedlink.linking.linker import DTYPES, Linker
from embedlink.linking.settings import LinkerSettings
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.live_index import LiveIndex
from embedlink.medcat.sources import start_linker
from embedlink.problems import EmbedLinkError

log = logging.getLogger(__name__)

INDEXED = ("encoder", "projection", "pooling", "max_name_tokens", "representative", "dtype")
"""Settings that the vectors of names depend on. `context_window`, `max_tokens` and
`surface_weight` affect windows only."""


def follow(config: EmbedLinkLinking, linker: Linker, live: LiveIndex) -> None:
    """Bring linker and index to the present configuration. It costs little if nothing changed.

    `linker` and `live` are changed in place. If another linker folder brings its own settings,
    `config` is changed too. Raises `EmbedLinkError` if the encoder cannot be loaded, and torch's
    `RuntimeError` if the device does not exist.
    """
    wanted, old = config.settings(), linker.settings
    live.token_budget, live.search_by = _token_budget(config, linker), config.search_by
    if wanted != old:
        switched = wanted.encoder != old.encoder
        if switched:
            _switch(config, linker)
            # A linker folder has its own settings, which `_switch` has put into the configuration.
            wanted = config.settings()
        _adapt(linker, wanted)
        # Two linkers that started from one encoder may have the same settings.
        if switched or any(getattr(wanted, field) != getattr(old, field) for field in INDEXED):
            log.info("the configuration changed: the index will be rebuilt")
            live.forget(names=wanted.representative != old.representative)
        elif wanted.frequency_weight != old.frequency_weight:
            live.rank_anew()
    # The device comes last, because an encoder that was just read is on the CPU.
    asked = config.gpu_device or ("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.empty(0, device=asked).device  # "cuda" becomes "cuda:0", as in weights.
    if linker.encoder.device != device:
        linker.encoder.to(device)
    if linker.reranker is not None and linker.reranker.device != device:
        linker.reranker.to(device)
    if linker.senses is not None and linker.senses.encoder.device != device:
        linker.senses.encoder.to(device)


def _switch(config: EmbedLinkLinking, linker: Linker) -> None:
    """Put another source's encoder and link decision into this linker.

    The linker stays the same object, because the live index and training hold it.
    """
    fresh, _ = start_linker(config)
    linker.settings, linker.encoder = fresh.settings, fresh.encoder
    linker.tokenizer, linker.decision = fresh.tokenizer, fresh.decision
    # An encoder without a linker brings no counts. Counts of names suit any encoder, so they stay.
    linker.counts = fresh.counts or linker.counts
    linker.frequencies = fresh.frequencies or linker.frequencies
    linker.reranker, linker.senses = fresh.reranker, fresh.senses
    linker.encoder.eval()


def _adapt(linker: Linker, wanted: LinkerSettings) -> None:
    """Change the settings that need no other weights.

    A projection that is switched on starts as the identity. If it is switched off, it is lost.
    """
    if wanted.towers != linker.settings.towers:
        raise EmbedLinkError(
            f"config.components.linking.towers={wanted.towers!r}: this linker was trained with "
            f"{linker.settings.towers!r}, and that cannot be changed afterwards"
        )
    linker.encoder.use_projection(wanted.projection)
    linker.encoder.pooling = wanted.pooling
    linker.encoder.surface_weight = wanted.surface_weight
    # Weights that were rounded to bfloat16 stay rounded in float32.
    linker.encoder.to(DTYPES[wanted.dtype])
    if replace(wanted, dtype=linker.settings.dtype) != linker.settings:
        linker.decision.forget_reach()  # Other windows give other vectors.
    linker.settings = replace(wanted)


def _token_budget(config: EmbedLinkLinking, linker: Linker) -> int | None:
    """Most tokens of names in a batch, padding included.

    None stands for the encoder's own budget. A number is returned only if `embedding_batch_size`
    asks for smaller batches.
    """
    asked = config.embedding_batch_size * linker.settings.max_name_tokens
    return asked if asked < default_tokens(linker.encoder.device) else None
