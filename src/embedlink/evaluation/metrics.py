"""The metrics of a split, from what a linker or a baseline made of it.

There are two kinds of metrics. Those end to end count predictions, so detection, choice and link
decision count together. They equal `medcat.stats.stats.get_stats` on a pack of the same linker.
Ranks say how well concepts are told apart if the mention is given. They are over gold mentions of
one known concept, with no detection and no threshold.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.evaluation.char_iou import LinkedSpan, macro_char_iou
from embedlink.evaluation.counts import (
    Counts,
    GoldMention,
    count,
    gold_mentions,
    mention_recall,
    rank_metrics,
    skipped_starts,
    total,
)
from embedlink.evaluation.strata import breakdown, gold_groups
from embedlink.linking.mention_table import NOT_GOLD, MentionTable
from embedlink.types import CodeRule, Prediction

RANKS = 64
"""How deep gold concepts are searched."""

Gold = tuple[list[GoldMention], frozenset[int]]
"""What counts as gold in a document, and the starts that do not count (`skipped_starts`)."""


@dataclass(frozen=True)
class Outcome:
    """What a linker or a baseline made of a split. The same metrics are taken of both.

    Gold mentions are the spans with `table.gold != NOT_GOLD`, in the table's order. A rank is
    infinite if it is beyond `RANKS` or if the concept is not in the database.
    """

    predictions: Sequence[Sequence[Prediction]]  # of each document
    ranks: Tensor  # (gold mentions,) rank of the gold concept, from 1


def count_documents(
    table: MentionTable, predictions: Sequence[Sequence[Prediction]], rule: CodeRule
) -> list[Counts]:
    """Counts of every document, in the table's order."""
    return count_all(predictions, gold_of(table, rule))


def gold_of(table: MentionTable, rule: CodeRule) -> list[Gold]:
    """What counts as gold in every document, and the starts that do not count."""
    return [(gold_mentions(each, rule), skipped_starts(each, rule)) for each in table.documents]


def count_all(predictions: Sequence[Sequence[Prediction]], gold: Sequence[Gold]) -> list[Counts]:
    """Counts of every document, from gold that is read once for many predictions."""
    return [count(found, *own) for found, own in zip(predictions, gold, strict=True)]


def split_metrics(
    table: MentionTable,
    outcome: Outcome,
    names: ConceptNames,
    rule: CodeRule,
    training: TrainingMentions | None = None,
) -> dict[str, float]:
    """All metrics of a split. Without `training` those of groups are left out.

    Keys are those that MLflow shows after `test/`: `f1`, `<corpus>/f1`, `<corpus>/char_iou`,
    `accuracy_at_1`, `accuracy_at_1/<group>` and their like.
    """
    metrics = end_to_end(table, outcome.predictions, rule) | char_iou(table, outcome.predictions)
    metrics |= gold_metrics(table, outcome.ranks)
    if training is not None:
        # Ranks and groups are of all gold mentions, and metrics of those in the database.
        inside = table.gold[table.gold != NOT_GOLD] >= 0
        groups = gold_groups(table, names, training)
        inner = {group: members[inside] for group, members in groups.items()}
        metrics |= breakdown(outcome.ranks[inside], inner)
    return metrics


def end_to_end(
    table: MentionTable, predictions: Sequence[Sequence[Prediction]], rule: CodeRule
) -> dict[str, float]:
    """Precision, recall and F1 overall and, as `<corpus>/f1`, for each corpus.

    The counts `tp`, `fp` and `fn` and `mention_recall` are there as well. Counts of all documents
    are summed first, so a corpus with more mentions weighs more.
    """
    counts = count_documents(table, predictions, rule)
    metrics = _metrics("", counts, sum(len(gold_mentions(d, rule)) for d in table.documents))
    corpora = sorted({document.corpus for document in table.documents})
    for corpus in corpora:
        inside = [i for i, d in enumerate(table.documents) if d.corpus == corpus]
        gold = sum(len(gold_mentions(table.documents[i], rule)) for i in inside)
        metrics |= _metrics(f"{corpus}/", [counts[i] for i in inside], gold)
    return metrics


def _metrics(prefix: str, counts: Sequence[Counts], gold: int) -> dict[str, float]:
    """Metrics of all documents together, under keys that begin with `prefix`."""
    summed = total(counts)
    return {
        f"{prefix}precision": summed.precision,
        f"{prefix}recall": summed.recall,
        f"{prefix}f1": summed.f1,
        f"{prefix}mention_recall": mention_recall(summed, gold),
        f"{prefix}tp": float(summed.tp),
        f"{prefix}fp": float(summed.fp),
        f"{prefix}fn": float(summed.fn),
    }


def char_iou(table: MentionTable, predictions: Sequence[Sequence[Prediction]]) -> dict[str, float]:
    """Macro character IoU of each corpus, as `<corpus>/char_iou`, in [0, 1].

    Composites are left out whatever the code rule is. Concepts that the database lacks are not.
    """
    gold: dict[str, list[LinkedSpan]] = {document.corpus: [] for document in table.documents}
    found: dict[str, list[LinkedSpan]] = {corpus: [] for corpus in gold}
    for at, document in enumerate(table.documents):
        key = str(at)  # Ids may repeat across corpora.
        gold[document.corpus] += [
            LinkedSpan(key, m.start, end=m.end, cui=m.cui) for m in document.mentions if m.cui
        ]
        found[document.corpus] += [
            LinkedSpan(key, p.start, end=p.end, cui=p.cui) for p in predictions[at]
        ]
    return {f"{corpus}/char_iou": macro_char_iou(gold[corpus], found[corpus]) for corpus in gold}


def gold_metrics(table: MentionTable, ranks: Tensor) -> dict[str, float]:
    """Rank metrics over the gold mentions whose concept is in the table.

    `accuracy_at_1_all` is over all gold mentions, and one outside the table counts as a miss.

    Shape: ranks (gold mentions,).
    """
    inside = table.gold[table.gold != NOT_GOLD] >= 0
    metrics = rank_metrics(ranks[inside])
    return metrics | {"accuracy_at_1_all": float((ranks <= 1).sum()) / max(len(ranks), 1)}
