"""Scores a split from vectors alone: MedCAT's rule end to end, and ranks of gold mentions.

Detection does not depend on the encoder. It runs once; every epoch only links again. The
metrics equal `medcat.stats.stats.get_stats` on a pack of the same linker (a test holds that).

Vectors of a table's spans become links (a concept and a probability for every span), links above
a threshold predictions, and predictions metrics. Trying another threshold costs the second and
third step only, which is what `sweep` does.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.evaluation.counts import Counts, ranks_of_gold, total
from embedlink.evaluation.curve import TradeOff
from embedlink.evaluation.metrics import RANKS, Outcome, count_all, gold_of, split_metrics
from embedlink.evaluation.operating_point import OperatingPoint
from embedlink.index.concept_index import ConceptIndex, Hits
from embedlink.linking.calibration import fit_platt
from embedlink.linking.choice import Links, completed, link
from embedlink.linking.decision import UNCALIBRATED, LinkDecision, NameCounts
from embedlink.linking.mention_table import NOT_GOLD, MentionTable
from embedlink.linking.overlaps import keep_best
from embedlink.linking.reranker import Reranking
from embedlink.types import CodeRule, Detection, Prediction

log = logging.getLogger(__name__)


def predict(
    table: MentionTable, links: Links, names: ConceptNames, threshold: float
) -> list[list[Prediction]]:
    """Predictions of every document: detections whose link probability reaches the threshold.

    Shape: links (spans,) of the whole table; gold mentions that detection missed give none. At
    `threshold` 0 every detection with a concept is linked. They come by start; of those that
    overlap the most probable stays.
    """
    linked = ((links.concept >= 0) & (links.probability >= threshold)).tolist()
    probability = links.probability.tolist()
    predictions = []
    for at, detections in enumerate(table.detections):
        rows = table.detection_rows[at].tolist()
        kept = [(d, row) for d, row in zip(detections, rows, strict=True) if linked[row]]
        own = [probability[row] for _, row in kept]
        kept = [kept[i] for i in keep_best([d for d, _ in kept], own)]
        predictions.append([_prediction(d, row, links, names) for d, row in kept])
    return predictions


def _prediction(detection: Detection, row: int, links: Links, names: ConceptNames) -> Prediction:
    return Prediction(
        detection.start,
        detection.end,
        names.cuis[int(links.concept[row])],
        float(links.similarity[row]),
        float(links.probability[row]),
    )


THRESHOLDS = 100
"""So many thresholds are tried: more part the detections more finely than they are known."""


def thresholds(table: MentionTable, links: Links) -> list[float]:
    """Thresholds worth a try, ascending: 0, which links everything, and quantiles.

    Of the detections' probabilities, at most `THRESHOLDS` of them: they part the detections evenly
    wherever the probabilities lie. Only 0 without detections.
    """
    detected = links.probability[table.detected]
    if not len(detected):
        return [0.0]
    quantiles = torch.quantile(detected, torch.linspace(0, 1, THRESHOLDS)).unique().tolist()
    return [0.0, *quantiles]


def sweep(
    table: MentionTable, links: Links, names: ConceptNames, rule: CodeRule
) -> Iterator[tuple[float, list[Counts]]]:
    """Every threshold worth a try, ascending, with the counts of every document there."""
    # Gold does not depend on the threshold, so it is read once.
    gold = gold_of(table, rule)
    for threshold in thresholds(table, links):
        yield threshold, count_all(predict(table, links, names, threshold), gold)


def best_threshold(
    table: MentionTable,
    links: Links,
    names: ConceptNames,
    rule: CodeRule,
    point: OperatingPoint | None = None,
) -> float:
    """The link probability that serves `point` best as a threshold on this split (default: F1).

    Choose it on validation documents, never on test. In [0, 1]; of thresholds that serve as well
    the lowest. A warning is logged where no threshold reaches what `point` asks for.
    """
    point = point or OperatingPoint()
    tried = list(sweep(table, links, names, rule))
    found = [total(counts) for _, counts in tried]
    best = point.best(found)
    if not point.reached(found[best]):
        log.warning(
            "operating_point: no threshold gives %s %s on this split; the nearest gives %.3f",
            point.metric, point.least, getattr(found[best], point.metric),
        )  # fmt: skip
    return tried[best][0]


def trade_offs(
    table: MentionTable, links: Links, names: ConceptNames, rule: CodeRule
) -> list[TradeOff]:
    """Counts of every corpus at every threshold worth a try, by threshold, then by corpus."""
    rows = []
    for threshold, counts in sweep(table, links, names, rule):
        for corpus in sorted({document.corpus for document in table.documents}):
            inside = (c for c, d in zip(counts, table.documents, strict=True) if d.corpus == corpus)
            rows.append(TradeOff(corpus, threshold, total(inside)))
    return rows


class Judged(NamedTuple):
    """What links of the detections would count as, by the rule of `metrics.count`.

    Whether or not they would be linked. `right` is False where there is no concept; `counted` is
    False where a link would be neither right nor wrong. Both are for gold mentions that detection
    missed. Shape: (spans,) bool each.
    """

    right: Tensor
    counted: Tensor


def judge(table: MentionTable, links: Links, names: ConceptNames, rule: CodeRule) -> Judged:
    """Judge a link of each detection by its start and concept."""
    right, counted = (torch.zeros(len(table), dtype=torch.bool) for _ in range(2))
    for at, (gold, skipped) in enumerate(gold_of(table, rule)):
        pairs = {(mention.start, cui) for mention in gold for cui in mention.cuis}
        rows = table.detection_rows[at].tolist()
        for row, detection in zip(rows, table.detections[at], strict=True):
            cui = int(links.concept[row])
            right[row] = cui >= 0 and (detection.start, names.cuis[cui]) in pairs
            counted[row] = bool(right[row]) or detection.start not in skipped
    return Judged(right, counted)


@dataclass(frozen=True)
class Scorer:
    """Scores a split with one linker: its index, its link decision and its name counts.

    `training` tells seen from unseen concepts and surfaces, where it is given; `reranking` looks
    at the nearest concepts again. `names` and `index` share their rows. `fit` changes the
    decision in place; all else stays as it is.
    """

    names: ConceptNames
    index: ConceptIndex
    decision: LinkDecision
    counts: NameCounts
    code_rule: CodeRule = "first"
    training: TrainingMentions | None = None
    reranking: Reranking | None = None

    def nearest(self, table: MentionTable, vectors: Tensor, k: int, rows: Tensor) -> Hits:
        """The k concepts nearest to the spans of some rows. Shape: vectors (spans, dim).

        rows (queries,) of the table -> (queries, k), or as many as the reranker compares where
        those are more. Scores are cosines in [-1, 1], also where a reranker decides the order.
        """
        own = vectors[rows]
        if self.reranking is None:
            return self.index.search_concepts(own, k)
        hits = self.index.search_concepts(own, max(k, self.reranking.top_k))
        return self.reranking.reordered(own, table.windows, rows, hits, "Reranking")

    def links(self, table: MentionTable, vectors: Tensor) -> Links:
        """Link every span of the table, without any threshold. Shape: vectors (spans, dim)."""
        # Only spans without candidates are searched for, in all names; that is the costly part.
        nearest = partial(self.nearest, table, vectors, 1)
        groups, scores = completed(vectors, table.candidates.concepts, self.index, nearest)
        candidates = replace(table.candidates, concepts=groups)
        return link(vectors, candidates, self.index, self.decision, self.counts, scores)

    def fit(
        self, table: MentionTable, vectors: Tensor, point: OperatingPoint | None = None
    ) -> Links:
        """Calibrate the decision on this split and set its threshold; returns the split's links.

        `point` is the best F1 by default. Their probabilities are the calibrated ones. Shape:
        vectors (spans, dim).
        """
        links, named = self.links(table, vectors), table.candidates.name >= 0
        right, counted = judge(table, links, self.names, self.code_rule)
        for kind in (False, True):
            rows = counted & (named == kind)
            weights = fit_platt(links.evidence[rows], right[rows])
            # Where there is nothing to fit, the calibration of an earlier epoch must not stay.
            self.decision.calibration[int(kind)] = torch.tensor(UNCALIBRATED)
            if weights is not None:
                self.decision.calibration[int(kind)] = weights
        # Calibration changes no choice of a concept: the links need not be made again.
        links = links._replace(probability=self.decision.probability(links.evidence, named))
        best = best_threshold(table, links, self.names, self.code_rule, point)
        self.decision.threshold.fill_(best)
        return links

    def outcome(self, table: MentionTable, vectors: Tensor, links: Links | None = None) -> Outcome:
        """What the linker makes of the split, of its `links` where they are at hand.

        Shape: vectors (spans, dim).
        """
        if links is None:
            links = self.links(table, vectors)
        predictions = predict(table, links, self.names, float(self.decision.threshold))
        return Outcome(predictions, self.gold_ranks(table, vectors))

    def gold_ranks(self, table: MentionTable, vectors: Tensor) -> Tensor:
        """Ranks for `Outcome`. Shape: vectors (spans, dim) -> (gold mentions,).

        Among all concepts of the database, whatever detection proposed there.
        """
        gold = table.gold[table.gold != NOT_GOLD]
        known = torch.nonzero(table.gold >= 0).squeeze(1)
        ranked = self.nearest(table, vectors, RANKS, known).rows  # (known, k)
        ranks = torch.full((len(gold),), torch.inf)
        ranks[gold >= 0] = ranks_of_gold(ranked, gold[gold >= 0])
        return ranks

    def metrics(
        self, table: MentionTable, vectors: Tensor, links: Links | None = None
    ) -> dict[str, float]:
        """All metrics of the split; arguments as of `outcome`."""
        outcome = self.outcome(table, vectors, links)
        return split_metrics(table, outcome, self.names, self.code_rule, self.training)
