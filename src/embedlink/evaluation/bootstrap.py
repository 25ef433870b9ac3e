"""How sure a metric is: intervals and tests that draw whole documents again.

Mentions of one document depend on each other, and documents are taken to be independent. All
metrics are micro averages over the documents drawn. So only the counts of each document are needed,
and runs can be compared after they ended. With few documents the intervals are too narrow: the true
doubt is larger.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import bootstrap

METRICS = ("precision", "recall", "f1", "accuracy_at_1")
CONFIDENCE = 0.95
RESAMPLES = 1_000
SWAPS = 10_000
SEED = 20_240_229
"""Any number that never changes, so that equal counts give equal intervals."""
_GOLD = 3  # The column of the gold mentions that were ranked.
_CHUNK = 8_000_000  # Random numbers, or counts of documents drawn, held at once.

Counts = NDArray[np.int64]
Metrics = NDArray[np.float64]


def metrics_of_sums(sums: NDArray[np.float64] | Counts) -> Metrics:
    """Metrics of summed counts. As in MedCAT, they are 0 if nothing was predicted or is gold.

    Shape: sums (..., 5) in the order of `document_counts.COLUMNS` -> (4, ...) in the order of
    `METRICS`, each in [0, 1].
    """
    tp, fp, fn, gold, hits = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    precision = _ratio(tp, tp + fp)
    recall = np.where(tp + fp > 0, _ratio(tp, tp + fn), 0.0)
    f1 = _ratio(2 * precision * recall, precision + recall)
    return np.stack([precision, recall, f1, _ratio(hits, gold)])


def _ratio(part: Metrics, whole: Metrics) -> Metrics:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def intervals(counts: Counts) -> dict[str, float]:
    """`<metric>_low` and `<metric>_high`: the bootstrap's 95 % percentile interval by document.

    The method is that of Efron and Tibshirani 1993, chapter 13. The result is empty if there are
    fewer than two documents.

    Shape: counts (documents, 5).
    """
    if len(counts) < 2:
        return {}
    low, high = _percentiles(counts, metrics_of_sums)
    found: dict[str, float] = {}
    for at, metric in enumerate(METRICS):
        found |= {f"{metric}_low": float(low[at]), f"{metric}_high": float(high[at])}
    return found


def share_with_interval(part: Sequence[int], whole: Sequence[int]) -> str:
    """A share as text, with its 95 % percentile interval by document: `0.885 [0.848, 0.920]`.

    `part` and `whole` count in each document. Takes two documents or more.
    """
    counts = np.stack([part, whole], axis=1).astype(np.int64)  # (documents, 2)
    share = _share(counts.sum(0)).item()
    (low,), (high,) = _percentiles(counts, _share)
    return f"{share:.3f} [{low:.3f}, {high:.3f}]"


def _share(sums: Counts) -> Metrics:
    part, whole = np.moveaxis(np.asarray(sums, dtype=np.float64), -1, 0)
    return _ratio(part, whole)[None]


class Difference(NamedTuple):
    """A metric of two runs on the same documents."""

    metric: str
    first: float
    second: float
    difference: float  # `second` less `first`
    low: float  # of its 95 % interval
    high: float  # of its 95 % interval
    p: float  # of a difference as large, either way, if the runs were interchangeable


def differences(first: Counts, second: Counts) -> list[Difference]:
    """Compare two runs, which have the same document in the same row.

    The interval is the bootstrap's percentile interval of the difference, with the same documents
    drawn for both runs. The p-value is that of the paired randomisation test (Yeh 2000), which
    exchanges the two runs' counts of a document by chance. If a run knows no ranks, accuracy is
    left out.

    Shape: first and second (documents, 5), of two or more documents.
    """
    both = np.concatenate([first, second], axis=1)  # (documents, 10)
    low, high = _percentiles(both, _difference)
    one, other = metrics_of_sums(first.sum(0)), metrics_of_sums(second.sum(0))
    p = _randomisation(first, second)
    ranked = bool(first[:, _GOLD].any() and second[:, _GOLD].any())
    return [
        Difference(name, *map(float, (one[n], other[n], other[n] - one[n], low[n], high[n], p[n])))
        for n, name in enumerate(METRICS)
        if ranked or name != "accuracy_at_1"
    ]


def _difference(sums: Counts) -> Metrics:
    return metrics_of_sums(sums[..., 5:]) - metrics_of_sums(sums[..., :5])


def _percentiles(counts: Counts, metrics: Callable[[Counts], Metrics]) -> tuple[Metrics, Metrics]:
    """Bounds of the metrics of resampled sums. Shape: counts (documents, columns)."""

    def statistic(rows: NDArray[np.int64], axis: int = -1) -> Metrics:
        """Shape: rows (resamples, documents) -> (metrics, resamples)."""
        result: Metrics = metrics(counts[rows].sum(-2))
        return result

    found = bootstrap(
        (np.arange(len(counts)),), statistic, n_resamples=RESAMPLES, method="percentile",
        confidence_level=CONFIDENCE, vectorized=True,
        # `rng` is its name from scipy 1.15 on. medcat[meta-cat] needs an older scipy.
        random_state=np.random.default_rng(SEED),
        batch=max(1, _CHUNK // counts.size),
    )  # fmt: skip
    return found.confidence_interval.low, found.confidence_interval.high


def _randomisation(first: Counts, second: Counts) -> Metrics:
    """p-values of `SWAPS` random exchanges. None is 0 (Phipson and Smyth 2010). Shape: (4,)."""
    rng = np.random.default_rng(SEED)
    change = (second - first).astype(np.float64)
    observed = np.abs(metrics_of_sums(second.sum(0)) - metrics_of_sums(first.sum(0)))
    as_large = np.zeros(len(METRICS))
    left = SWAPS  # In chunks, because there is a number for each swap and document.
    while left:
        size = min(left, max(1, _CHUNK // len(change)))
        moved = rng.integers(0, 2, (size, len(change))) @ change  # (size, 5)
        swapped = np.abs(
            metrics_of_sums(second.sum(0) - moved) - metrics_of_sums(first.sum(0) + moved)
        )
        # Some equal differences come out smaller in their last bits.
        as_large += (swapped >= observed[:, None] - 1e-12).sum(1)
        left -= size
    return (as_large + 1) / (SWAPS + 1)
