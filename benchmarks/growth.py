"""How time and memory of build and search grow with the number of names."""

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.inputs import queries_near, read_names, spread
from benchmarks.linking import K, index_over, real_vectors
from benchmarks.measure import Figure, race
from benchmarks.options import Options
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.states import pooled_sequences
from embedlink.encoder.streaming import StreamedNames
from embedlink.files.atomic import file_written_aside

QUERIES = 512


def run(options: Options) -> list[Figure]:
    """Build up to `options.build` names; refresh with nothing unfrozen and search at every size."""
    built = _build(options)
    refreshed, searched = _refresh(options), _search(options)
    figures = [*built, *refreshed, *searched]
    for part in (built, refreshed, searched):
        for figure in part:
            figure.notes["exponent"] = exponent([(f.items, f.seconds) for f in part])
    for figure in searched:  # Items so far were names; searches are counted in queries.
        figure.notes["names"] = float(figure.items)
        figure.items = QUERIES
    if importlib.util.find_spec("matplotlib") is not None:
        _plot(figures, Path(options.folder))
    return figures


def _build(options: Options) -> list[Figure]:
    model, tokenizer = load_encoder(options.encoder)
    encoder = ContextEncoder(model)
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    names = read_names(options.table, options.build)
    figures = []
    for count in sorted({max(1, options.build // 10), options.build}):
        part = names[:count]

        def build(part: list[str] = part) -> None:
            encoder.encode(StreamedNames(tokenizer, part, 64), precision="auto")

        figures += race("growth of build", {f"{count} names": (count, build)}, 1, options.clock)
    return figures


def _refresh(options: Options) -> list[Figure]:
    """From cached pooled vectors through a projection, which is all that training changes."""
    model, _ = load_encoder(options.encoder)
    encoder = ContextEncoder(model, projection=True)
    base = real_vectors(options)
    figures = []
    for size in options.sizes:
        pooled = pooled_sequences(spread(base, size))
        work = {f"{size} names": (size, lambda s=pooled: encoder.encode(s))}
        figures += race("growth of refresh", work, options.repeats, options.clock)
    return figures


def _search(options: Options) -> list[Figure]:
    base = real_vectors(options)
    figures = []
    for size in options.sizes:
        index = index_over(spread(base, size))
        queries = queries_near(index.vectors, QUERIES)
        _ = index.compact
        work = {f"{size} names": (size, lambda i=index, q=queries: i.search_names(q, K))}
        figures += race("growth of search", work, options.repeats, options.clock)
        stored = index.vectors.nbytes + (
            0 if index.compact.codes is index.vectors else index.compact.codes.nbytes
        )
        figures[-1].notes["index_mib"] = stored / 2**20
    return figures


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """Slope of log time over log size by least squares; 1 is linear growth."""
    if len({size for size, _ in points}) < 2:
        return math.nan
    xs, ys = ([math.log(value) for value in column] for column in zip(*points, strict=True))
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)


def _plot(figures: Sequence[Figure], folder: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    for name in sorted({f.benchmark for f in figures}):
        part = [f for f in figures if f.benchmark == name]
        axes.loglog(
            [f.notes.get("names", f.items) for f in part], [f.seconds for f in part], "o-",
            label=f"{name}, exponent {part[0].notes['exponent']:.2f}",
        )  # fmt: skip
    axes.set(xlabel="names", ylabel="seconds")
    axes.legend()
    with file_written_aside(folder / "growth.png") as aside:
        figure.savefig(aside, format="png")
    pyplot.close(figure)
