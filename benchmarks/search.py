"""The ways an index can search: time, what each keeps beside the index, and recall of true names.

The exact ways find the same, so that their recall is 1; the approximate one trades it for time.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from torch import Tensor

from benchmarks.inputs import queries_near, spread
from benchmarks.linking import DOCUMENT, K, index_over, real_vectors
from benchmarks.measure import Timing, race
from benchmarks.options import Options
from embedlink.device import has_bfloat16
from embedlink.index.approximate import recall
from embedlink.index.concept_index import ConceptIndex
from embedlink.index.exact import Search
from embedlink.index.ranking import Hits

PROBES = (8, 32, 128)
"""Cells looked into; the component looks into 32."""

SearchNames = Callable[[Tensor, int], Hits]


def run(options: Options) -> list[Timing]:
    """Every size: making each way ready, then many mentions at a time and one document of six."""
    base = real_vectors(options)
    timings = []
    for size in options.sizes:
        index = index_over(spread(base, size))
        queries = queries_near(index.vectors, options.mentions)
        made = {way: replace(index, search_by=way) for way in _ways(index)}
        timings += _make_ready(made, queries, options) + _race(made, queries, options)
    return timings


def _ways(index: ConceptIndex) -> list[Search]:
    ways: list[Search] = ["float32", "int8"]
    if has_bfloat16(index.searched().device):
        ways.append("bfloat16")
    if importlib.util.find_spec("faiss") is not None:
        ways.append("approximate")
    return ways


def _make_ready(
    made: dict[Search, ConceptIndex], queries: Tensor, options: Options
) -> list[Timing]:
    """The first search of each way, for which it converts or sorts all vectors."""
    names = len(made["float32"].vectors)
    work: dict[str, tuple[int, Callable[[], object]]] = {
        way: (names, partial(own.search_names, queries[:1], K)) for way, own in made.items()
    }
    timings = race(f"first search, {names} names", work, 1, options.clock)
    for timing, own in zip(timings, made.values(), strict=True):
        timing.notes["kept_mib"] = _kept(own) / 2**20
    return timings


def _race(made: dict[Search, ConceptIndex], queries: Tensor, options: Options) -> list[Timing]:
    contestants = _contestants(made)
    true = made["float32"].search_names(queries, K).rows
    share = {name: recall(find(queries, K).rows, true) for name, find in contestants.items()}
    names, timings = len(made["float32"].vectors), []
    for count in (len(queries), DOCUMENT):
        work: dict[str, tuple[int, Callable[[], object]]] = {
            name: (count, partial(find, queries[:count], K)) for name, find in contestants.items()
        }
        label = f"search of {count} mentions, {names} names"
        timings += race(label, work, options.repeats, options.clock)
    for timing in timings:
        timing.notes["recall"] = share[timing.contestant]
    return timings


def _contestants(made: dict[Search, ConceptIndex]) -> dict[str, SearchNames]:
    """Every exact way, and the approximate one with several numbers of probes."""
    found: dict[str, SearchNames] = {}
    for way, index in made.items():
        if way != "approximate":
            found[way] = index.search_names
            continue
        for probes in PROBES:
            found[f"{way}, {probes} probes"] = replace(index.approximate(), probes=probes).search
    return found


def _kept(index: ConceptIndex) -> int:
    """Bytes held beside the vectors themselves."""
    if index.search_by == "approximate":
        return index.approximate().nbytes
    codes = index.compact().codes
    return 0 if codes is index.searched() else codes.nbytes
