"""Counts: MedCAT's precision, recall and F1, and rank metrics over gold mentions.

Counts are taken by document and summed, so that documents can be drawn again (`bootstrap`).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from embedlink.types import CodeRule, Document, Prediction


class GoldMention(NamedTuple):
    """A gold mention as evaluation sees it. Its end does not count, as in MedCAT."""

    start: int  # in characters
    cuis: tuple[str, ...]  # any of them is right


def gold_mentions(document: Document, rule: CodeRule) -> list[GoldMention]:
    """What counts as gold in a document.

    A mention without a concept is not gold. Corpora mark it with `NOMAP` or `-1`. `rule` says
    whether a composite counts by its `first` concept, by `any` of them, or not at all (`skip`). The
    document's order stays, and what is annotated twice counts twice.
    """
    gold = []
    for mention in document.mentions:
        if mention.cuis and not (rule == "skip" and len(mention.cuis) > 1):
            gold.append(
                GoldMention(mention.start, mention.cuis if rule == "any" else mention.cuis[:1])
            )
    return gold


def skipped_starts(document: Document, rule: CodeRule) -> frozenset[int]:
    """Starts of composites if `rule` is `skip`. A prediction there is neither right nor wrong."""
    if rule != "skip":
        return frozenset()
    return frozenset(m.start for m in document.mentions if len(m.cuis) > 1)


@dataclass(frozen=True, slots=True)
class Counts:
    """True positives, false positives and false negatives as `medcat.stats` counts them.

    Nested predictions can make `tp` count one gold mention twice. `mention_recall` does not.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float:
        """tp / (tp + fp), or 0 if nothing was predicted."""
        return self.tp / (self.tp + self.fp) if self.tp + self.fp else 0.0

    @property
    def recall(self) -> float:
        """tp / (tp + fn), or 0 if nothing is gold or, as in MedCAT, nothing was predicted."""
        return self.tp / (self.tp + self.fn) if self.tp + self.fp and self.tp + self.fn else 0.0

    @property
    def f1(self) -> float:
        """Harmonic mean of precision and recall, in [0, 1]."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0


def count(
    predictions: Sequence[Prediction],
    gold: Sequence[GoldMention],
    skipped: frozenset[int] = frozenset(),
) -> Counts:
    """Count one document by the rule of `medcat.stats`: start and CUI must both be equal.

    `tp` and `fp` count predictions, and `fn` counts gold mentions. A prediction at a start in
    `skipped` counts only if it is right.
    """
    right = {(mention.start, cui) for mention in gold for cui in mention.cuis}
    # The sets only look up. `medcat.stats` counts repeated predictions and mentions as well.
    made = {(prediction.start, prediction.cui) for prediction in predictions}
    tp = sum((p.start, p.cui) in right for p in predictions)
    fp = sum((p.start, p.cui) not in right and p.start not in skipped for p in predictions)
    fn = sum(not any((m.start, cui) in made for cui in m.cuis) for m in gold)
    return Counts(tp, fp, fn)


def mention_recall(counts: Counts, gold: int) -> float:
    """Share of the `gold` mentions that were predicted, each counted once. 0 if none is gold."""
    return (gold - counts.fn) / gold if gold else 0.0


def ranks_of_gold(ranked: Tensor, gold: Tensor) -> Tensor:
    """Rank of each gold concept, from 1. It is infinite if the concept is not among the k.

    Shape: ranked (mentions, k) concept rows with the best first, gold (mentions,) concept rows ->
    (mentions,) float32.
    """
    hit = ranked == gold[:, None]  # (mentions, k)
    if not hit.numel():  # `argmax` fails on no columns.
        return torch.full((len(gold),), torch.inf)
    return torch.where(hit.any(1), hit.float().argmax(1) + 1, torch.inf)


def rank_metrics(ranks: Tensor) -> dict[str, float]:
    """Accuracy@1 and @5, recall@64 and mean reciprocal rank. They are 0 if there is no mention.

    An infinite rank has reciprocal rank 0.

    Shape: ranks (mentions,) of the gold concepts, from 1, searched at least 64 deep.
    """
    if not len(ranks):
        return dict.fromkeys(("accuracy_at_1", "accuracy_at_5", "recall_at_64", "mrr"), 0.0)
    return {
        "accuracy_at_1": float((ranks <= 1).float().mean()),
        "accuracy_at_5": float((ranks <= 5).float().mean()),
        "recall_at_64": float((ranks <= 64).float().mean()),
        "mrr": float((1 / ranks).mean()),
    }


def total(counts: Iterable[Counts]) -> Counts:
    """Sum over documents."""
    return sum(counts, Counts())
