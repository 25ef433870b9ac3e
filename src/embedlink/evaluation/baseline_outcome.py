"""Baselines through the same evaluation as a linker: gold ranks, and links of all detections.

A baseline has no link decision. It links everything that detection gave a candidate, as a linker
does before training; what the tagger alone proposes has none, and is left alone.
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

_TIE = 1e-6  # Above what rounding makes of equal scores, below what differs in them.
_CHUNK = 4_000_000  # Scores of names held at once.


def measure_baseline(
    name: str,
    table: MentionTable,
    names: ConceptNames,
    training: TrainingMentions,
    added: Added,
    rule: CodeRule,
) -> Measured:
    """Metrics of the baseline called `name`; `added` are names that came from training mentions.

    The name is one of `BASELINES` (`check_baseline`). The windows of `table` are not read.
    """
    baseline = BASELINES[name](names, training, added)
    if name == "dictionary":
        table = _without(table, names, added)
    outcome = baseline_outcome(baseline, table, names, training)
    return measure_outcome(table, outcome, names, rule, training)


def _without(table: MentionTable, names: ConceptNames, added: Added) -> MentionTable:
    """The table without the candidates that detection has by an added name alone."""
    left_out = set(added)
    matched = [names.names[row] if row >= 0 else "" for row in table.candidates.name.tolist()]
    cuis = (
        [
            cui
            for cui in table.candidates.concepts[row].tolist()
            if (name, names.cuis[cui]) not in left_out
        ]
        for row, name in enumerate(matched)
    )
    return replace(table, candidates=replace(table.candidates, concepts=Groups.of(cuis)))


def baseline_outcome(
    baseline: Baseline, table: MentionTable, names: ConceptNames, training: TrainingMentions
) -> Outcome:
    """Rank concepts for gold mentions; choose among each detection's candidates, link them all.

    Of concepts that fit equally well, the one most frequent in training counts, then the first
    in the database's order. A gold concept that scores 0 was not found: its rank is infinite.
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
    links = _links(baseline, table, names, prior)
    return Outcome(predict(table, links, names, threshold=0.0), ranks)


def tie_break(names: ConceptNames, training: TrainingMentions) -> Scores:
    """A value of its own for every concept, larger the more frequent in training it is.

    Shape: (concepts,) in [0, 1).
    """
    frequency = np.array([training.concepts.get(cui, 0) for cui in names.cuis], dtype=np.int64)
    # By frequency, then against the database's order: the last one gets the largest value.
    order = np.lexsort((-np.arange(len(frequency)), frequency))
    value = np.empty(len(frequency))
    value[order] = np.arange(len(frequency)) / max(len(frequency), 1)
    return value


def _rank(scores: Scores, row: int) -> float:
    """Rank of a concept, from 1; infinite beyond `RANKS`. Shape: scores (concepts,)."""
    rank = 1 + int((scores > scores[row]).sum())
    return rank if rank <= RANKS else torch.inf


def _scored(baseline: Baseline, surfaces: Sequence[str], names: ConceptNames) -> Iterator[Scores]:
    """Scores of the concepts for each surface, made in chunks. Shape: (concepts,) each."""
    step = max(1, _CHUNK // max(len(names.names), len(names.cuis), 1))
    for start in range(0, len(surfaces), step):
        yield from baseline.scores(surfaces[start : start + step])


def _links(baseline: Baseline, table: MentionTable, names: ConceptNames, prior: Scores) -> Links:
    """The best candidate of every detection; only where there are several, scores matter."""
    cui = _first_candidates(table)
    # Scores are made for all concepts, so only where they can change the choice.
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
        cui[row] = own[int((scores + _TIE * prior)[own.numpy()].argmax())]
    # Probability 1 for all: of links that overlap the longest stays.
    return Links(cui, torch.zeros(len(cui)), torch.ones(len(cui)), torch.empty(len(cui), 0))


def _first_candidates(table: MentionTable) -> Tensor:
    """The first candidate of each span, -1 where it has none. Shape: (spans,)."""
    candidates = table.candidates.concepts
    cui = torch.full((len(table),), -1, dtype=torch.int64)
    some = candidates.sizes > 0
    cui[some] = candidates.rows[candidates.starts[:-1][some]]
    return cui
