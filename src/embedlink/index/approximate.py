"""Approximate search, for use that must answer fast.

It needs `faiss` (`pip install faiss-cpu`). It looks only into the nearest of its cells, the
`probes`, and scores exactly what it finds. So scores are right, and some rows may be missed. Report
`recall` with every metric that depends on it.
"""

import importlib
import logging
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from embedlink.index.exact import paired_scores, search
from embedlink.index.ranking import Hits, order_by, table_of_hits
from embedlink.problems import EmbedLinkError
from embedlink.progress import progress_bar

log = logging.getLogger(__name__)

TRAINED_ON = 64
"""Vectors that place each cell, at most."""
LARGE = 1000
"""Cells whose placing takes minutes. faiss does not say how far it is."""


@dataclass(frozen=True)
class ApproximateSearch:
    """An inverted file over unit vectors."""

    vectors: Tensor  # (vectors, dim)
    cells: Any  # faiss' index, which keeps the vectors in float16
    probes: int  # cells that a query looks into

    @classmethod
    def build(
        cls, vectors: Tensor, cells: int | None = None, probes: int = 32
    ) -> "ApproximateSearch":
        """Sort the vectors into cells, by default four times the square root of their number.

        Raises `EmbedLinkError` if faiss is not installed. Shape: vectors (vectors, dim).
        """
        faiss = _faiss()
        # faiss warns of fewer than 39 vectors for each cell.
        count = cells or max(1, min(int(4 * len(vectors) ** 0.5), len(vectors) // 39))
        quantiser = faiss.IndexFlatIP(vectors.shape[1])
        index = faiss.IndexIVFScalarQuantizer(
            quantiser, vectors.shape[1], count, faiss.ScalarQuantizer.QT_fp16,
            faiss.METRIC_INNER_PRODUCT,
        )  # fmt: skip
        faiss.omp_set_num_threads(torch.get_num_threads())
        # Its own generator, so that what was drawn before changes nothing here.
        generator = torch.Generator().manual_seed(0)
        sample = torch.randperm(len(vectors), generator=generator)[: count * TRAINED_ON]
        if count > LARGE:
            log.info("placing %d cells among %d names takes minutes", count, len(vectors))
        index.train(vectors[sample].float().numpy())
        with progress_bar(len(vectors), "Sorting names into cells", "names") as bar:
            for part in vectors.split(65536):
                index.add(part.float().numpy())
                bar.update(len(part))
        return cls(vectors, index, probes)

    @property
    def nbytes(self) -> int:
        """Bytes of the inverted file, without the vectors. Counting them copies the file."""
        return int(_faiss().serialize_index(self.cells).nbytes)

    def search(self, queries: Tensor, k: int, allowed: Tensor | None = None) -> Hits:
        """The k best that are found. Arguments and result are those of `exact.search`.

        Rows are also -1 if the cells looked into hold fewer than k.

        Shape: queries (queries, dim), allowed (vectors,) bool.
        """
        k = min(k, len(self.vectors))
        faiss, wanted = _faiss(), {"nprobe": min(self.probes, self.cells.nlist)}
        if allowed is not None:
            # One bit for each row, and the lowest bit of a byte first, as faiss reads them.
            bits = np.packbits(allowed.numpy(), bitorder="little")
            wanted["sel"] = faiss.IDSelectorBitmap(bits)
        parameters = faiss.SearchParametersIVF(**wanted)
        _, found = self.cells.search(queries.float().numpy(), max(1, k), params=parameters)
        # By row, so that equal scores rank by row.
        rows = torch.from_numpy(found).sort(dim=1).values[:, :k]
        query, column = (rows >= 0).nonzero(as_tuple=True)
        row = rows[query, column]
        score = paired_scores(queries, query, vectors=self.vectors, rows=row)
        order = order_by(query, -score)
        return table_of_hits(query[order], score[order], row[order], queries=len(queries), k=k)

    def recall(self, queries: Tensor, k: int) -> float:
        """Share of the true k best that is found, in [0, 1]. Shape: queries (queries, dim)."""
        return recall(self.search(queries, k).rows, search(queries, self.vectors, k).rows)


def recall(found: Tensor, true: Tensor) -> float:
    """Share of the true rows that were found, in [0, 1]. Shape: (queries, k) each."""
    return float((found[:, :, None] == true[:, None]).any(1).float().mean())


def _faiss() -> Any:
    try:
        return importlib.import_module("faiss")
    except ImportError as error:
        raise EmbedLinkError("approximate search needs faiss: pip install faiss-cpu") from error
