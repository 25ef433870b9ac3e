"""Where F1 is lost: what became of every gold mention, and what every wrong prediction is.

Both are told apart by MedCAT's rule, start and concept. So the gold mentions that are not right add
up to its false negatives, and the predictions that are not right to its false positives.
"""

import csv
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import Literal, NamedTuple

from embedlink.concepts.names import ConceptNames
from embedlink.evaluation.counts import Counts, GoldMention, gold_mentions, skipped_starts
from embedlink.files.atomic import file_written_aside
from embedlink.linking.choice import Links
from embedlink.linking.mention_table import MentionTable
from embedlink.types import CodeRule, Document, Mention, Prediction

Side = Literal["mention", "prediction"]

KINDS: dict[Side, dict[str, str]] = {
    "mention": {
        "right": "found with its concept",
        "not_in_database": "its concept is not in the database",
        "wrong_concept": "linked to another concept",
        "displaced": "an overlapping link was more probable",
        "rejected_right_concept": "detected with its concept, but too improbable to link",
        "rejected_wrong_concept": "detected with another concept, and too improbable to link",
        "not_detected": "nothing is detected at its start",
    },
    "prediction": {
        "right": "a gold mention's start and concept",
        "wrong_concept": "a gold mention's start, another concept",
        "starts_later": "inside a mention, with its end",
        "starts_earlier": "reaches beyond a mention's start, with its end",
        "other_edges": "overlaps a mention that has another start and end",
        "not_gold": "at the start of a mention that does not count as gold",
        "not_marked": "where nobody marked anything",
    },
}
"""What each kind means. A mention or prediction is of one kind, the first that fits."""

COLUMNS = ("corpus", "of", "kind", "count", "f1_without")


class ErrorCount(NamedTuple):
    """How many gold mentions or predictions of a corpus are of one kind."""

    corpus: str
    of: Side
    kind: str  # a key of `KINDS`
    number: int
    f1_without: float  # F1 in [0, 1] if mentions were found, or predictions left out


def error_counts(
    table: MentionTable,
    links: Links,
    predictions: Sequence[Sequence[Prediction]],
    names: ConceptNames,
    rule: CodeRule,
    threshold: float,
) -> list[ErrorCount]:
    """Count every kind in every corpus, by corpus and in the order of `KINDS`.

    `predictions` holds those of each document, made of `links` with this threshold in [0, 1].

    Shape: links (spans,) of the whole table
    """
    found: dict[str, Counter[tuple[Side, str]]] = {}
    probable = (links.probability >= threshold).tolist()
    for at, document in enumerate(table.documents):
        rows = table.detection_rows[at].tolist()
        concepts = [names.cuis[c] if c >= 0 else "" for c in links.concept[rows].tolist()]
        detected = [
            _Detected(detection.start, cui, probable[row] and bool(cui))
            for detection, row, cui in zip(table.detections[at], rows, concepts, strict=True)
        ]
        own = found.setdefault(document.corpus, Counter())
        for mention in gold_mentions(document, rule):
            kind = _mention_kind(mention, predictions[at], detected, names)
            own["mention", kind] += 1
        for kind in _kinds(document, predictions[at], rule):
            own["prediction", kind] += 1
    return list(chain.from_iterable(_rows(corpus, found[corpus]) for corpus in sorted(found)))


class _Detected(NamedTuple):
    start: int
    cui: str  # "" without a concept
    probable: bool  # whether it has a concept and passes the threshold


def _rows(corpus: str, found: Counter[tuple[Side, str]]) -> Iterator[ErrorCount]:
    def errors(side: Side) -> int:
        return sum(found[side, kind] for kind in KINDS[side] if kind != "right")

    now = Counts(found["prediction", "right"], errors("prediction"), errors("mention"))
    for side, kinds in KINDS.items():
        for kind in kinds:
            count = found[side, kind]
            mended = Counts(count, 0, -count) if side == "mention" else Counts(0, -count, 0)
            f1 = (now if kind == "right" else now + mended).f1
            yield ErrorCount(corpus, side, kind, count, f1)


def _mention_kind(
    mention: GoldMention,
    predictions: Sequence[Prediction],
    detected: Sequence[_Detected],
    names: ConceptNames,
) -> str:
    linked = [each.cui for each in predictions if each.start == mention.start]
    here = [each for each in detected if each.start == mention.start]
    if any(cui in mention.cuis for cui in linked):
        return "right"
    if not any(cui in names.cui_row for cui in mention.cuis):
        return "not_in_database"
    if linked:
        return "wrong_concept"
    if any(each.probable for each in here):
        return "displaced"
    if not here:
        return "not_detected"
    right = any(each.cui in mention.cuis for each in here)
    return "rejected_right_concept" if right else "rejected_wrong_concept"


def _kinds(document: Document, predictions: Sequence[Prediction], rule: CodeRule) -> Iterator[str]:
    """The kind of each prediction that counts as right or wrong."""
    gold, skipped = gold_mentions(document, rule), skipped_starts(document, rule)
    right = {(mention.start, cui) for mention in gold for cui in mention.cuis}
    starts = {mention.start for mention in gold}
    for prediction in predictions:
        if (prediction.start, prediction.cui) in right:
            yield "right"
        elif prediction.start in skipped:
            continue
        elif prediction.start in starts:
            yield "wrong_concept"
        else:
            yield _edges(prediction, document.mentions)


def _edges(prediction: Prediction, mentions: Sequence[Mention]) -> str:
    """The kind of a prediction that starts at no gold mention."""
    over = [m for m in mentions if m.start < prediction.end and prediction.start < m.end]
    if not over:
        return "not_marked"
    if any(mention.start == prediction.start for mention in over):
        return "not_gold"
    same_end = [mention for mention in over if mention.end == prediction.end]
    if any(mention.start < prediction.start for mention in same_end):
        return "starts_later"
    return "starts_earlier" if same_end else "other_edges"


def write_errors_table(path: Path, rows: Sequence[ErrorCount]) -> None:
    """Write the rows as a CSV, in their order. An older file is replaced."""
    with (
        file_written_aside(path) as aside,
        aside.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows([*row[:-1], f"{row.f1_without:.6f}"] for row in rows)


def format_errors(rows: Sequence[ErrorCount]) -> str:
    """The rows as a Markdown table that says what each kind means."""
    lines = ["| corpus | of | kind | count | F1 without |", "|---|---|---|---|---|"]
    for row in rows:
        meaning = KINDS[row.of][row.kind]
        lines.append(
            f"| {row.corpus} | {row.of} | {meaning} | {row.number} | {row.f1_without:.3f} |"
        )
    return "\n".join(lines)
