"""Name encoding: names a second, and the share of the machine's own matrix rate."""

import torch

from benchmarks import upstream
from benchmarks.inputs import read_names
from benchmarks.measure import Timing, matrix_rate, race
from benchmarks.options import Options
from embedlink.device import has_bfloat16
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.layers import encoder_layers
from embedlink.encoder.pretrained import encoder_source, load_encoder
from embedlink.encoder.streaming import StreamedNames
from embedlink.encoder.tokens import TokenSequences, tokenise_names


def run(options: Options) -> list[Timing]:
    """Upstream at its default batch and smaller ones; EmbedLink in float32 and bfloat16."""
    names = read_names(options.table, options.names)
    model, tokenizer = load_encoder(options.encoder)
    encoder = ContextEncoder(model)
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    vectors: dict[str, torch.Tensor] = {}

    def ours(precision: str) -> None:
        tokens = StreamedNames(tokenizer, names, 64)
        vectors[precision] = encoder.encode(tokens, precision=precision)  # type: ignore[arg-type]

    precisions = ["float32", "bfloat16"] if has_bfloat16(encoder.device) else ["float32"]
    work = {f"embedlink {p}": (len(names), lambda p=p: ours(p)) for p in precisions}
    if upstream.AVAILABLE:
        other = upstream.context_model(names, encoder_source(options.encoder))

        def theirs(batch: int) -> None:
            other.cnf_l.embedding_batch_size = batch
            other.embed_names()

        for batch in (upstream.DEFAULT_BATCH, *options.batches):
            work[f"upstream batch {batch}"] = (len(names), lambda batch=batch: theirs(batch))
    timings = race("name encoding", work, options.repeats, options.clock)
    _note(timings, vectors, encoder, tokenise_names(tokenizer, names, 64), options.clock)
    return timings


def _note(
    timings: list[Timing],
    vectors: dict[str, torch.Tensor],
    encoder: ContextEncoder,
    tokens: TokenSequences,
    clock: str,
) -> None:
    """Add the cosine to float32 and the share of the matrix rate."""
    layers = encoder_layers(encoder.language_model)
    work = 2 * len(tokens.ids) * sum(p.numel() for p in layers.parameters() if p.ndim == 2)
    for timing in timings:
        precision = timing.contestant.removeprefix("embedlink ")
        if precision not in vectors:
            continue
        rate = matrix_rate(getattr(torch, precision), clock)
        timing.notes["gflops"] = work / timing.seconds / 1e9
        timing.notes["share_of_matrix_rate"] = work / timing.seconds / rate
        cosine = (vectors[precision] * vectors["float32"]).sum(1)
        timing.notes["least_cosine_to_float32"] = float(cosine.min())
