"""Keeps a linker at what its configuration says, whenever a field is changed.

Fields of `config.components.linking` are set at any time, and nothing tells a component of it. So
it calls `follow` before each use, which compares the settings asked for with the linker's and does
only what the difference needs: read other weights, change the encoder where it stands, forget
vectors, or rank concepts anew. Everything else that the configuration says is read when it is
needed (`prediction`, `training`).
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
"""Settings that the vectors of names depend on; `context_window`, `max_tokens` and
`surface_weight` shape windows alone."""


def follow(config: EmbedLinkLinking, linker: Linker, live: LiveIndex) -> None:
    """Bring linker and index to the present configuration; almost free where nothing changed.

    Changes `linker` and `live` in place, and `config` where another linker's folder brings its own
    settings. Raises `EmbedLinkError` where the encoder cannot be loaded, and torch's
    `RuntimeError` for a device that does not exist.
    """
    wanted, old = config.settings(), linker.settings
    live.token_budget, live.search_by = _token_budget(config, linker), config.search_by
    if wanted != old:
        switched = wanted.encoder != old.encoder
        if switched:
            _switch(config, linker)
            # A linker's folder has settings of its own, which the configuration shows by now.
            wanted = config.settings()
        _adapt(linker, wanted)
        # Two linkers may have started from one encoder, and so have the same settings.
        if switched or any(getattr(wanted, field) != getattr(old, field) for field in INDEXED):
            log.info("the configuration changed: the index will be rebuilt")
            live.forget(names=wanted.representative != old.representative)
        elif wanted.frequency_weight != old.frequency_weight:
            live.rank_anew()
    # Last, for an encoder that was just read is on the CPU.
    asked = config.gpu_device or ("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.empty(0, device=asked).device  # "cuda" as "cuda:0", which weights say.
    if linker.encoder.device != device:
        linker.encoder.to(device)
    if linker.reranker is not None and linker.reranker.device != device:
        linker.reranker.to(device)
    if linker.senses is not None and linker.senses.encoder.device != device:
        linker.senses.encoder.to(device)


def _switch(config: EmbedLinkLinking, linker: Linker) -> None:
    """Take the encoder, and the decision that goes with it, of another source.

    The linker stays the same object: the live index and training hold it.
    """
    fresh, _ = start_linker(config)
    linker.settings, linker.encoder = fresh.settings, fresh.encoder
    linker.tokenizer, linker.decision = fresh.tokenizer, fresh.decision
    # A bare encoder brings no counts, and those of names and concepts hold for any encoder.
    linker.counts = fresh.counts or linker.counts
    linker.frequencies = fresh.frequencies or linker.frequencies
    linker.reranker, linker.senses = fresh.reranker, fresh.senses
    linker.encoder.eval()


def _adapt(linker: Linker, wanted: LinkerSettings) -> None:
    """Change what can be changed without other weights.

    A projection that is switched on starts as the identity; one that is switched off is lost.
    """
    if wanted.towers != linker.settings.towers:
        raise EmbedLinkError(
            f"config.components.linking.towers={wanted.towers!r}: this linker was trained with "
            f"{linker.settings.towers!r}, and that cannot be changed afterwards"
        )
    linker.encoder.use_projection(wanted.projection)
    linker.encoder.pooling = wanted.pooling
    linker.encoder.surface_weight = wanted.surface_weight
    # To bfloat16 and back is no way back: weights stay rounded.
    linker.encoder.to(DTYPES[wanted.dtype])
    linker.settings = replace(wanted)


def _token_budget(config: EmbedLinkLinking, linker: Linker) -> int | None:
    """Tokens of names in a batch, padding included.

    None leaves it to the encoder, unless `embedding_batch_size` asks for smaller batches.
    """
    asked = config.embedding_batch_size * linker.settings.max_name_tokens
    return asked if asked < default_tokens(linker.encoder.device) else None
