"""Baselines in the same evaluation as a linker: ranks of gold mentions, and links of detections.

A baseline has no link decision. It links every detection that has a candidate, as a linker does
before training. What only the tagger proposes has no candidate and is left alone.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.evaluation.baselines import BASELINES, Added, Baseline, Scores
from embedlink.evaluation.metrics import RANKS, Outcome
from embedlink.evaluation.report import Measured, measure_outcome
from embedlink.evaluation.scorer import predict
from embedlink.linking.choice import Links
from embedlink.linking.mention_table import NOT_GOLD, MentionTable, gold_surfaces
from embedlink.ragged import Groups
from embedlink.types import CodeRule

_TIE = 1e-6  # Larger than rounding errors, and smaller than any difference of scores.
_CHUNK = 4_000_000  # Scores of names held at once.


def measure_baseline(
    name: str,
    table: MentionTable,
    names: ConceptNames,
    training: TrainingMentions,
    added: Added,
    rule: CodeRule,
) -> Measured:
    """Metrics of the baseline called `name`, which is one of `BASELINES`.

    `added` are the names that came from training mentions. The windows of `table` are not read.
    """
    baseline = BASELINES[name](names, training, added)
    if name == "dictionary":
        table = _without(table, names, added)
    outcome = baseline_outcome(baseline, table, names=names, training=training)
    return measure_outcome(table, outcome, names=names, rule=rule, training=training)


def _without(table: MentionTable, names: ConceptNames, added: Added) -> MentionTable:
    """The table without the candidates that detection found only by an added name."""
    left_out = set(added)
    matched = [names.names[row] if row >= 0 else "" for row in table.candidates.name.tolist()]
    kept = (
        [
            concept
            for concept in table.candidates.concepts[row].tolist()
            if (name, names.cuis[concept]) not in left_out
        ]
        for row, name in enumerate(matched)
    )
    return replace(table, candidates=replace(table.candidates, concepts=Groups.of(kept)))


def baseline_outcome(
    baseline: Baseline, table: MentionTable, names: ConceptNames, training: TrainingMentions
) -> Outcome:
    """Rank concepts for gold mentions, and link the best candidate of every detection.

    If concepts fit equally well, the one most frequent in training counts, and then the first in
    the database's order. A gold concept that scores 0 was not found, so its rank is infinite.
    """
    prior = tie_break(names, training)
    gold = table.gold[table.gold != NOT_GOLD]  # (gold mentions,)
    ranks = torch.full((len(gold),), torch.inf)
    inside = torch.nonzero(gold >= 0).squeeze(1).tolist()
    surfaces = gold_surfaces(table)
    rows = gold[inside].tolist()
    scored = _scored(baseline, [surfaces[at] for at in inside], names)
    for at, row, scores in zip(inside, rows, scored, strict=True):
        ranks[at] = _rank(scores + _TIE * prior, row) if scores[row] > 0 else torch.inf
    links = _links(baseline, table, names=names, prior=prior)
    return Outcome(predict(table, links, names, threshold=0.0), ranks)


def tie_break(names: ConceptNames, training: TrainingMentions) -> Scores:
    """A different value for every concept. It grows with the concept's frequency in training.

    Shape: (concepts,) in [0, 1).
    """
    frequency = np.array([training.concepts.get(cui, 0) for cui in names.cuis], dtype=np.int64)
    # By frequency, then against the database's order. The last one gets the largest value.
    order = np.lexsort((-np.arange(len(frequency)), frequency))
    value = np.empty(len(frequency))
    value[order] = np.arange(len(frequency)) / max(len(frequency), 1)
    return value


def _rank(scores: Scores, row: int) -> float:
    """Rank of a concept, from 1. It is infinite beyond `RANKS`. Shape: scores (concepts,)."""
    rank = 1 + int((scores > scores[row]).sum())
    return rank if rank <= RANKS else torch.inf


def _scored(baseline: Baseline, surfaces: Sequence[str], names: ConceptNames) -> Iterator[Scores]:
    """Scores of the concepts for each surface, made in chunks. Shape: (concepts,) each."""
    step = max(1, _CHUNK // max(len(names.names), len(names.cuis), 1))
    for start in range(0, len(surfaces), step):
        yield from baseline.scores(surfaces[start : start + step])


def _links(baseline: Baseline, table: MentionTable, names: ConceptNames, prior: Scores) -> Links:
    """The best candidate of every detection."""
    concept = _first_candidates(table)
    # Scores cover all concepts, so they are made only if a detection has several candidates.
    several = [
        (row, document.text[detection.start : detection.end])
        for at, document in enumerate(table.documents)
        for row, detection in zip(
            table.detection_rows[at].tolist(), table.detections[at], strict=True
        )
        if len(table.candidates.concepts[row]) > 1
    ]
    scored = _scored(baseline, [surface for _, surface in several], names)
    for (row, _), scores in zip(several, scored, strict=True):
        own = table.candidates.concepts[row]  # (candidates,)
        concept[row] = own[int((scores + _TIE * prior)[own.numpy()].argmax())]
    count = len(concept)
    # All have probability 1, so of links that overlap the longest stays.
    return Links(
        concept, torch.zeros(count), probability=torch.ones(count), evidence=torch.empty(count, 0)
    )


def _first_candidates(table: MentionTable) -> Tensor:
    """The first candidate of each span, -1 if it has none. Shape: (spans,)."""
    candidates = table.candidates.concepts
    concept = torch.full((len(table),), -1, dtype=torch.int64)
    some = candidates.sizes > 0
    concept[some] = candidates.rows[candidates.starts[:-1][some]]
    return concept
