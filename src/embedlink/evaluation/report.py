"""A finished linker, or a baseline, measured on a split: metrics, their intervals, and files.

The test split of a run, `evaluate.py` and every baseline are measured here, so their metrics can be
compared.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.evaluation.bootstrap import intervals
from embedlink.evaluation.comparison import counts_file
from embedlink.evaluation.curve import TradeOff, draw, write_table
from embedlink.evaluation.document_counts import DocumentCounts
from embedlink.evaluation.errors import ErrorCount, error_counts, write_errors_table
from embedlink.evaluation.metrics import Outcome, split_metrics
from embedlink.evaluation.scorer import Scorer, judge, trade_offs
from embedlink.files.atomic import file_written_aside, write_errors
from embedlink.linking.calibration import calibration_error
from embedlink.linking.mention_table import MentionTable
from embedlink.types import CodeRule


@dataclass(frozen=True)
class Measured:
    """What is reported of a split. None of it holds text."""

    metrics: dict[str, float]  # by key, without the split's name
    documents: DocumentCounts
    trade_offs: Sequence[TradeOff] = ()  # empty for a baseline, which has no link decision
    threshold: float = 0.0  # in [0, 1], the link threshold of the metrics
    errors: Sequence[ErrorCount] = ()  # empty for a baseline

    def write(self, folder: Path, split: str) -> list[Path]:
        """Write the files of the split to a run's folder and return their paths.

        These are the counts of documents. Of a linker there are also the trade-offs, as a table and
        a picture, and the table of errors. Older files are replaced. Raises `EmbedLinkError` if the
        folder cannot be written.
        """
        with write_errors(folder):
            folder.mkdir(parents=True, exist_ok=True)
            return self._write(folder, split)

    def _write(self, folder: Path, split: str) -> list[Path]:
        counts, table, picture, errors = report_files(folder, split)
        self.documents.write(counts)
        if not self.trade_offs:
            return [counts]
        write_table(table, self.trade_offs)
        with file_written_aside(picture) as aside:
            draw(aside, self.trade_offs, self.threshold)
        write_errors_table(errors, self.errors)
        return [counts, table, picture, errors]


def report_files(folder: Path, split: str) -> tuple[Path, Path, Path, Path]:
    """Counts of documents, the curve's table and picture, and errors, in a run's folder."""
    curve = folder / f"{split}_curve.csv"
    errors = folder / f"{split}_errors.csv"
    return folder / counts_file(split), curve, curve.with_suffix(".png"), errors


def measure_outcome(
    table: MentionTable,
    outcome: Outcome,
    names: ConceptNames,
    rule: CodeRule,
    training: TrainingMentions | None,
) -> Measured:
    """Metrics of a split with their intervals by document.

    Without `training` there are no metrics of groups. With fewer than two documents there are no
    intervals.
    """
    documents = DocumentCounts.of(table, outcome, rule)
    metrics = split_metrics(table, outcome, names=names, rule=rule, training=training)
    return Measured(metrics | intervals(documents.counts), documents)


def measure_linker(scorer: Scorer, table: MentionTable, vectors: Tensor) -> Measured:
    """Measure a linker on a split, with its calibration error. Shape: vectors (spans, dim)."""
    # Links may cost a search of all names, so they are made once.
    links = scorer.links(table, vectors)
    outcome = scorer.outcome(table, vectors, links)
    measured = measure_outcome(
        table, outcome, names=scorer.names, rule=scorer.code_rule, training=scorer.training
    )
    threshold = float(scorer.decision.threshold)
    # Only detections can be linked, so only they are calibrated.
    right, counted = judge(table, links, names=scorer.names, rule=scorer.code_rule)
    error = calibration_error(links.probability[counted], right[counted])
    own = {"calibration_error": error, "threshold": threshold}
    # The curve is to look at. The threshold was chosen on validation documents.
    curve = trade_offs(table, links, scorer.names, scorer.code_rule)
    errors = error_counts(
        table, links, outcome.predictions, scorer.names, scorer.code_rule, threshold
    )
    return Measured(measured.metrics | own, measured.documents, curve, threshold, errors)
