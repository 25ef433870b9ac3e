"""Linking mentions against many names: many at a time, and one document of six."""

import importlib.util
from typing import Any

import torch
from torch import Tensor

from benchmarks import upstream
from benchmarks.inputs import queries_near, read_names, spread
from benchmarks.measure import Timing, race
from benchmarks.options import Options
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.tokens import tokenise_names
from embedlink.index.concept_index import ConceptIndex
from embedlink.ragged import Groups

DOCUMENT, NAMES_PER_CUI, K = 6, 5, 10


def real_vectors(options: Options) -> Tensor:
    """Vectors of real names. Shape: (names, dim)."""
    model, tokenizer = load_encoder(options.encoder)
    names = read_names(options.table, min(options.build, min(options.sizes)))
    tokens = tokenise_names(tokenizer, names, 64)
    return ContextEncoder(model).encode(tokens, precision="auto")


def index_over(vectors: Tensor) -> ConceptIndex:
    """An index in which every five names are a concept. Shape: vectors (names, dim)."""
    rows = torch.arange(len(vectors))
    owners = rows // NAMES_PER_CUI
    starts = torch.arange(len(vectors) + 1)
    concepts_of_name = Groups(owners, starts)
    names_of_concept = concepts_of_name.inverted(int(owners.max()) + 1)
    return ConceptIndex(
        vectors,
        rows[::NAMES_PER_CUI],
        concepts_of_name=concepts_of_name,
        distinct_names_of_concept=names_of_concept,
    )


def run(options: Options) -> list[Timing]:
    """Every size, with many mentions and with six."""
    base = real_vectors(options)
    timings = []
    for size in options.sizes:
        vectors = spread(base, size)
        index, queries = index_over(vectors), queries_near(vectors, options.mentions)
        _ = index.compact()  # Part of building the index.
        flat = _flat(vectors)
        other = upstream.bare_linker(vectors, NAMES_PER_CUI) if upstream.AVAILABLE else None
        for count in (options.mentions, DOCUMENT):
            label = f"linking {count} mentions, {size} names"
            timings += _race(label, index, queries[:count], flat, other, options)
    return timings


def _flat(vectors: Tensor) -> Any:
    if importlib.util.find_spec("faiss") is None:
        return None
    import faiss

    faiss.omp_set_num_threads(torch.get_num_threads())
    flat = faiss.IndexFlatIP(vectors.shape[1])
    flat.add(vectors.numpy())
    return flat


def _race(
    label: str, index: ConceptIndex, queries: Tensor, flat: Any, other: Any, options: Options
) -> list[Timing]:
    found: dict[str, Tensor] = {}

    def names() -> None:
        found["embedlink"] = index.search_names(queries, K).rows

    work: dict[str, Any] = {
        "embedlink best concept": (len(queries), lambda: index.search_concepts(queries, 1)),
        f"embedlink {K} names": (len(queries), names),
    }
    if flat is not None:

        def search_flat() -> None:
            found["flat"] = torch.from_numpy(flat.search(queries.numpy(), K)[1])

        work[f"faiss flat {K} names"] = (len(queries), search_flat)
    if other is not None:
        few = queries[: options.slow_mentions]
        work["upstream candidates and inference"] = (len(few), lambda: upstream.link(other, few))
    timings = race(label, work, options.repeats, options.clock)
    if flat is not None:
        same = (found["flat"] == found["embedlink"]).float().mean()
        timings[1].notes["same_rows_as_faiss"] = float(same)
    return timings
