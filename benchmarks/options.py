"""Sizes of the benchmarks; the defaults take about a minute."""

from dataclasses import dataclass, field

from benchmarks.inputs import DEMO

MINILM = "sentence-transformers/all-MiniLM-L6-v2"


@dataclass(frozen=True)
class Options:
    """What `python -m benchmarks` takes.

    `clock` is wall or processor; on a machine that others use, measure processor time of one
    thread (OMP_NUM_THREADS=1). `sizes` are numbers of names to search; upstream links only
    `slow_mentions` there, since it takes so long; `build` bounds the names that growth encodes;
    `documents` limits an epoch (0: all); `data` is the folder of the published corpora;
    `overwrite` lets results of an earlier run in `folder` be replaced.
    """

    encoder: str = MINILM
    table: str = DEMO
    data: str | None = None
    names: int = 400
    repeats: int = 3
    clock: str = "wall"
    batches: tuple[int, ...] = (64,)
    sizes: tuple[int, ...] = (2_000, 10_000)
    mentions: int = 1_000
    slow_mentions: int = 64
    build: int = 2_000
    deep_layers: int = 12
    documents: int = 10
    folder: str = "bench"
    overwrite: bool = False
    only: tuple[str, ...] = field(default=())
