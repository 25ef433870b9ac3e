"""Keeps a linker at what its configuration says, whenever a field is changed."""

import logging
from dataclasses import replace

import torch

from embedlink.encoder import ContextEncoder
from embedlink.linker import DTYPES, Linker, LinkerSettings
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.live_index import LiveIndex
from embedlink.medcat.sources import start_linker

log = logging.getLogger(__name__)

INDEXED = ("encoder", "projection", "pooling", "max_name_tokens", "representative", "dtype")
"""Settings that the vectors of names depend on."""


def follow(config: EmbedLinkLinking, linker: Linker, live: LiveIndex) -> None:
    """Bring linker and index to the present configuration; almost free where nothing changed."""
    wanted, old = config.settings(), linker.settings
    live.token_budget, live.search_by = _token_budget(config, linker), config.search_by
    if wanted != old:
        if wanted.encoder != old.encoder:
            _switch(config, linker)
            wanted = config.settings()
        _adapt(linker, wanted)
        if any(getattr(wanted, field) != getattr(old, field) for field in INDEXED):
            log.info("the configuration changed: the index will be rebuilt")
            live.forget(names=wanted.representative != old.representative)
        elif wanted.frequency_weight != old.frequency_weight:
            live.rank_anew()
    device = torch.device(config.gpu_device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if linker.encoder.device != device:
        linker.encoder.to(device)
    if linker.reranker is not None and linker.reranker.device != device:
        linker.reranker.to(device)


def _switch(config: EmbedLinkLinking, linker: Linker) -> None:
    """Take the encoder, and the decision that goes with it, of another source."""
    fresh, _ = start_linker(config)
    linker.settings, linker.encoder = fresh.settings, fresh.encoder
    linker.tokenizer, linker.decision = fresh.tokenizer, fresh.decision
    linker.counts = fresh.counts or linker.counts
    linker.frequencies = fresh.frequencies or linker.frequencies
    linker.reranker = fresh.reranker
    linker.encoder.eval()


def _adapt(linker: Linker, wanted: LinkerSettings) -> None:
    """Change what can be changed without other weights."""
    if wanted.projection != linker.settings.projection:
        old = linker.encoder
        linker.encoder = ContextEncoder(
            old.language_model,
            wanted.pooling,
            wanted.projection,
            old.unfrozen,
            wanted.surface_weight,
        )
        linker.encoder.eval()
    linker.encoder.pooling = wanted.pooling
    linker.encoder.surface_weight = wanted.surface_weight
    linker.encoder.to(DTYPES[wanted.dtype])
    linker.settings = replace(wanted)


def _token_budget(config: EmbedLinkLinking, linker: Linker) -> int | None:
    """None leaves it to the encoder, unless `embedding_batch_size` asks for smaller batches."""
    asked = config.embedding_batch_size * linker.settings.max_name_tokens
    return asked if asked < 4096 else None
