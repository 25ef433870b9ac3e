"""How time and memory of build and search grow with the number of names."""

import importlib.util
import math
from collections.abc import Sequence
from pathlib import Path

import torch

from benchmarks.inputs import queries_near, read_names, spread
from benchmarks.linking import K, index_over, real_vectors
from benchmarks.measure import Timing, race
from benchmarks.options import Options
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.states import pooled_sequences
from embedlink.encoder.streaming import StreamedNames
from embedlink.files.atomic import file_written_aside

QUERIES = 512


def run(options: Options) -> list[Timing]:
    """Build up to `options.build` names; refresh with nothing unfrozen and search at every size."""
    built = _build(options)
    refreshed, searched = _refresh(options), _search(options)
    timings = [*built, *refreshed, *searched]
    for part in (built, refreshed, searched):
        for timing in part:
            timing.notes["exponent"] = exponent([(timing.items, timing.seconds) for timing in part])
    for timing in searched:  # Items so far were names; searches are counted in queries.
        timing.notes["names"] = float(timing.items)
        timing.items = QUERIES
    if importlib.util.find_spec("matplotlib") is not None:
        _plot(timings, Path(options.folder))
    return timings


def _build(options: Options) -> list[Timing]:
    model, tokenizer = load_encoder(options.encoder)
    encoder = ContextEncoder(model)
    encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    names = read_names(options.table, options.build)
    timings = []
    for count in sorted({max(1, options.build // 10), options.build}):
        part = names[:count]

        def build(part: list[str] = part) -> None:
            encoder.encode(StreamedNames(tokenizer, part, 64), precision="auto")

        timings += race("growth of build", {f"{count} names": (count, build)}, 1, options.clock)
    return timings


def _refresh(options: Options) -> list[Timing]:
    """From cached pooled vectors through a projection, which is all that training changes."""
    model, _ = load_encoder(options.encoder)
    encoder = ContextEncoder(model, projection=True)
    base = real_vectors(options)
    timings = []
    for size in options.sizes:
        pooled = pooled_sequences(spread(base, size))
        work = {f"{size} names": (size, lambda s=pooled: encoder.encode(s))}
        timings += race("growth of refresh", work, options.repeats, options.clock)
    return timings


def _search(options: Options) -> list[Timing]:
    base = real_vectors(options)
    timings = []
    for size in options.sizes:
        index = index_over(spread(base, size))
        queries = queries_near(index.vectors, QUERIES)
        _ = index.compact()
        work = {f"{size} names": (size, lambda i=index, q=queries: i.search_names(q, K))}
        timings += race("growth of search", work, options.repeats, options.clock)
        stored = index.vectors.nbytes + (
            0 if index.compact().codes is index.vectors else index.compact().codes.nbytes
        )
        timings[-1].notes["index_mib"] = stored / 2**20
    return timings


def exponent(points: Sequence[tuple[int, float]]) -> float:
    """Slope of log time over log size by least squares; 1 is linear growth."""
    if len({size for size, _ in points}) < 2:
        return math.nan
    xs, ys = ([math.log(value) for value in column] for column in zip(*points, strict=True))
    mean_x, mean_y = sum(xs) / len(xs), sum(ys) / len(ys)
    above = sum((x - mean_x) * (y - mean_y) for x, y in zip(xs, ys, strict=True))
    return above / sum((x - mean_x) ** 2 for x in xs)


def _plot(timings: Sequence[Timing], folder: Path) -> None:
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, axes = pyplot.subplots()
    for name in sorted({timing.benchmark for timing in timings}):
        part = [timing for timing in timings if timing.benchmark == name]
        axes.loglog(
            [timing.notes.get("names", timing.items) for timing in part],
            [timing.seconds for timing in part],
            "o-",
            label=f"{name}, exponent {part[0].notes['exponent']:.2f}",
        )  # fmt: skip
    axes.set(xlabel="names", ylabel="seconds")
    axes.legend()
    with file_written_aside(folder / "growth.png") as aside:
        figure.savefig(aside, format="png")
    pyplot.close(figure)
