"""Name encoding: names a second, and the share of the machine's own matrix rate."""

import torch

from benchmarks import upstream
from benchmarks.inputs import read_names
from benchmarks.measure import Figure, matrix_rate, race
from benchmarks.options import Options
from embedlink.device import has_bfloat16
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.layers import encoder_layers
from embedlink.encoder.pretrained import encoder_source, load_encoder
from embedlink.encoder.streaming import StreamedNames
from embedlink.encoder.tokens import TokenSequences, tokenise_names


def run(options: Options) -> list[Figure]:
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
    figures = race("name encoding", work, options.repeats, options.clock)
    _note(figures, vectors, encoder, tokenise_names(tokenizer, names, 64), options.clock)
    return figures


def _note(
    figures: list[Figure],
    vectors: dict[str, torch.Tensor],
    encoder: ContextEncoder,
    tokens: TokenSequences,
    clock: str,
) -> None:
    """Add the cosine to float32 and the share of the matrix rate."""
    layers = encoder_layers(encoder.language_model)
    work = 2 * len(tokens.ids) * sum(p.numel() for p in layers.parameters() if p.ndim == 2)
    for figure in figures:
        precision = figure.contestant.removeprefix("embedlink ")
        if precision not in vectors:
            continue
        rate = matrix_rate(getattr(torch, precision), clock)
        figure.notes["gflops"] = work / figure.seconds / 1e9
        figure.notes["share_of_matrix_rate"] = work / figure.seconds / rate
        cosine = (vectors[precision] * vectors["float32"]).sum(1)
        figure.notes["least_cosine_to_float32"] = float(cosine.min())
