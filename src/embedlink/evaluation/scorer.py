"""Scores a split from vectors alone: MedCAT's rule end to end, and ranks of gold mentions.

Detection does not depend on the encoder. So it runs once, and every epoch only links again. The
metrics equal those of `medcat.stats.stats.get_stats` on a pack of the same linker (a test checks
that).

Three steps lead to metrics. Vectors of a table's spans become links: a concept and a probability
for every span. Links above a threshold become predictions. Predictions become metrics. Another
threshold costs only the second and the third step. `sweep` makes use of this.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple

import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.evaluation.counts import Counts, ranks_of_gold, total
from embedlink.evaluation.curve import TradeOff
from embedlink.evaluation.metrics import RANKS, Outcome, count_all, gold_of, split_metrics
from embedlink.evaluation.operating_point import OperatingPoint
from embedlink.linking.calibration import fit_platt
from embedlink.linking.choice import Links
from embedlink.linking.decision import UNCALIBRATED, LinkDecision
from embedlink.linking.entity_linking import EntityLinking, Link, LinkRules, listed
from embedlink.linking.mention_table import NOT_GOLD, MentionTable
from embedlink.types import CodeRule, Prediction

log = logging.getLogger(__name__)


def predict(
    table: MentionTable, links: Links, names: ConceptNames, threshold: float
) -> list[list[Prediction]]:
    """Predictions of every document, by start: detections that are probable enough to link.

    Gold mentions that detection missed give none. At `threshold` 0 every detection with a concept
    is linked. Shape: links (spans,) of the whole table.
    """
    return _predict(table, listed(links), names=names, threshold=threshold)


def _predict(
    table: MentionTable, links: Sequence[Link], names: ConceptNames, threshold: float
) -> list[list[Prediction]]:
    """Predictions of each document at a threshold, sorted by start."""
    rules = LinkRules(threshold)
    predictions = []
    for at, detections in enumerate(table.detections):
        options = [[links[row]] for row in table.detection_rows[at].tolist()]
        found = rules.predictions(detections, options, names)
        predictions.append(sorted(chain(*found), key=lambda prediction: prediction.start))
    return predictions


THRESHOLDS = 100
"""How many thresholds are tried. More of them would be finer than the probabilities are known."""


def thresholds(table: MentionTable, links: Links) -> list[float]:
    """Thresholds worth a try, ascending: 0, which links everything, and quantiles.

    The quantiles are those of the detections' probabilities, at most `THRESHOLDS` of them. They
    divide the detections evenly, however the probabilities are spread. Without detections there is
    only 0.
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
    gold, plain = gold_of(table, rule), listed(links)
    for threshold in thresholds(table, links):
        yield threshold, count_all(_predict(table, plain, names=names, threshold=threshold), gold)


def best_threshold(
    table: MentionTable,
    links: Links,
    names: ConceptNames,
    rule: CodeRule,
    point: OperatingPoint | None = None,
) -> float:
    """The link probability that serves `point` best as a threshold on this split (default: F1).

    Choose it on validation documents, never on test documents. It lies in [0, 1]. If several
    thresholds serve equally well, the lowest is taken. If no threshold reaches what `point` asks
    for, a warning is logged.
    """
    point = point or OperatingPoint()
    tried = list(sweep(table, links, names=names, rule=rule))
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
    for threshold, counts in sweep(table, links, names=names, rule=rule):
        for corpus in sorted({document.corpus for document in table.documents}):
            inside = (c for c, d in zip(counts, table.documents, strict=True) if d.corpus == corpus)
            rows.append(TradeOff(corpus, threshold, total(inside)))
    return rows


class Judged(NamedTuple):
    """What a link of each detection would count as, by the rule of `metrics.count`.

    The detection need not be linked for this. A gold mention that detection missed is False in
    both.
    """

    right: Tensor  # (spans,) bool, False if there is no concept
    counted: Tensor  # (spans,) bool, False if a link would be neither right nor wrong


def judge(table: MentionTable, links: Links, names: ConceptNames, rule: CodeRule) -> Judged:
    """Judge a link of each detection by its start and concept."""
    right, counted = (torch.zeros(len(table), dtype=torch.bool) for _ in range(2))
    for at, (gold, skipped) in enumerate(gold_of(table, rule)):
        pairs = {(mention.start, cui) for mention in gold for cui in mention.cuis}
        rows = table.detection_rows[at].tolist()
        for row, detection in zip(rows, table.detections[at], strict=True):
            concept = int(links.concept[row])
            right[row] = concept >= 0 and (detection.start, names.cuis[concept]) in pairs
            counted[row] = bool(right[row]) or detection.start not in skipped
    return Judged(right, counted)


@dataclass(frozen=True)
class Scorer:
    """Scores a split with one linker, as `linking` links it.

    If `training` is given, it tells seen from unseen concepts and surfaces. `fit` changes the link
    decision in place. Everything else stays as it is.
    """

    linking: EntityLinking
    code_rule: CodeRule = "first"
    training: TrainingMentions | None = None

    @property
    def names(self) -> ConceptNames:
        """The names that are linked to."""
        return self.linking.names

    @property
    def decision(self) -> LinkDecision:
        """The decision whether to link."""
        return self.linking.decision

    def links(self, table: MentionTable, vectors: Tensor) -> Links:
        """Link every span of the table, without any threshold. Shape: vectors (spans, dim)."""
        every = torch.arange(len(table))
        choosing = self.linking.choosing(vectors, table.surface)
        scored = self.linking.scored(
            choosing, table.candidates.concepts, table.windows, every, "Reranking"
        )
        candidates = replace(table.candidates, concepts=scored.concepts)
        return self.linking.links(vectors, candidates, scored.scores)

    def fit(
        self, table: MentionTable, vectors: Tensor, point: OperatingPoint | None = None
    ) -> Links:
        """Calibrate the decision on this split, set its threshold, and return the split's links.

        The links have calibrated probabilities. `point` is the best F1 by default. Shape: vectors
        (spans, dim).
        """
        links, named = self.links(table, vectors), table.candidates.name >= 0
        right, counted = judge(table, links, names=self.names, rule=self.code_rule)
        for kind in (False, True):
            # A short form that means something else says nothing about the decision itself.
            rows = counted & (named == kind) & (table.candidates.outside < 0.5)
            weights = fit_platt(links.evidence[rows], right[rows])
            # If there is nothing to fit, the calibration of an earlier epoch must not stay.
            self.decision.calibration[int(kind)] = torch.tensor(UNCALIBRATED)
            if weights is not None:
                self.decision.calibration[int(kind)] = weights
        self._fit_reach(table, links)
        # Calibration changes no choice of a concept, so the links need not be made again.
        probability = self.decision.probability(links.evidence, named)
        links = links._replace(probability=probability * (1 - table.candidates.outside))
        best = best_threshold(table, links, names=self.names, rule=self.code_rule, point=point)
        self.decision.threshold.fill_(best)
        return links

    def _fit_reach(self, table: MentionTable, links: Links) -> None:
        """Let the decision know the most that a window of this split adds to the log odds."""
        candidates, decision = table.candidates, self.decision
        named = candidates.name >= 0
        known = decision.without_context(
            candidates.concepts.sizes > 1,
            self.linking.counts.features(candidates.name),
            candidates.tagged,
        )
        added = decision.log_odds(links.evidence, named) - decision.log_odds(known, named)
        for kind in (False, True):
            rows = table.detected & (named == kind)
            decision.reach[int(kind)] = added[rows].max() if bool(rows.any()) else torch.inf

    def outcome(self, table: MentionTable, vectors: Tensor, links: Links | None = None) -> Outcome:
        """What the linker makes of the split. `links` are made anew if they are not given.

        Shape: vectors (spans, dim).
        """
        if links is None:
            links = self.links(table, vectors)
        predictions = predict(table, links, self.names, float(self.decision.threshold))
        return Outcome(predictions, self.gold_ranks(table, vectors))

    def gold_ranks(self, table: MentionTable, vectors: Tensor) -> Tensor:
        """Ranks for `Outcome`. Shape: vectors (spans, dim) -> (gold mentions,).

        A rank counts all concepts of the database, whatever candidates detection proposed. But of
        the concepts that a short form may stand for, those come first that its reader chose, as
        they do in links.
        """
        gold = table.gold[table.gold != NOT_GOLD]
        known = torch.nonzero(table.gold >= 0).squeeze(1)
        hits = self.linking.nearest(
            vectors[known], table.windows, known, RANKS, "Reranking", table.meant.select(known)
        )
        ranked = hits.rows  # (known, k)
        ranks = torch.full((len(gold),), torch.inf)
        ranks[gold >= 0] = ranks_of_gold(ranked, gold[gold >= 0])
        return ranks

    def metrics(
        self, table: MentionTable, vectors: Tensor, links: Links | None = None
    ) -> dict[str, float]:
        """All metrics of the split. `links` are made anew if they are not given."""
        outcome = self.outcome(table, vectors, links)
        return split_metrics(
            table, outcome, names=self.names, rule=self.code_rule, training=self.training
        )
