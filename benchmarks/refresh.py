"""Refreshing the whole index after an epoch, with 0 and 4 layers unfrozen."""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
from transformers import AutoConfig, AutoModel

from benchmarks import upstream
from benchmarks.inputs import read_names
from benchmarks.measure import Timing, race
from benchmarks.options import Options
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.pretrained import encoder_source, load_encoder
from embedlink.encoder.states import StateCache
from embedlink.encoder.tokens import tokenise_names

CACHE = 64 * 2**30


def run(options: Options) -> list[Timing]:
    """The published encoder with nothing unfrozen; a deeper one of the same width with 4 layers.

    The deeper one has random weights: time does not depend on them.
    """
    timings = _refresh(options, encoder_source(options.encoder), 0)
    with tempfile.TemporaryDirectory() as folder:
        _save_deep(options, Path(folder))
        return timings + _refresh(options, folder, min(4, options.deep_layers))


def _save_deep(options: Options, folder: Path) -> None:
    _, tokenizer = load_encoder(options.encoder)
    config = AutoConfig.from_pretrained(encoder_source(options.encoder))
    config.num_hidden_layers = options.deep_layers
    torch.manual_seed(0)
    AutoModel.from_config(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _refresh(options: Options, source: str, unfreeze: int) -> list[Timing]:
    names = read_names(options.table, options.names)
    model, tokenizer = load_encoder(source)
    encoder = ContextEncoder(model, projection=True, unfreeze=unfreeze)
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    tokens = tokenise_names(tokenizer, names, 64)
    cached = StateCache(CACHE).freeze(encoder, tokens)
    vectors: dict[str, torch.Tensor] = {}

    def encode(name: str, sequences: object) -> None:
        vectors[name] = encoder.encode(sequences)  # type: ignore[arg-type]

    work: dict[str, tuple[int, Callable[[], object]]] = {
        "embedlink cached": (len(names), lambda: encode("cached", cached)),
        "embedlink anew": (len(names), lambda: encode("anew", tokens)),
    }
    if upstream.AVAILABLE:
        other = upstream.context_model(names, source, top_n_layers_to_unfreeze=unfreeze)

        def theirs(batch: int) -> None:
            other.cnf_l.embedding_batch_size = batch
            other.embed_names()
            other.embed_cuis()

        for batch in (upstream.DEFAULT_BATCH, *options.batches):
            work[f"upstream batch {batch}"] = (len(names), partial(theirs, batch))
    timings = race(f"refresh, {unfreeze} layers unfrozen", work, options.repeats, options.clock)
    difference = float((vectors["cached"] - vectors["anew"]).abs().max())
    timings[0].notes["largest_difference_to_anew"] = difference
    return timings
