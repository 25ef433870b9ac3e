"""Precision against recall as the link threshold moves: as a table, and as a picture.

They are of the split that is measured, and show what other thresholds would have given there.
"""

import csv
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from matplotlib.figure import Figure

from embedlink.evaluation.counts import Counts
from embedlink.files.atomic import file_written_aside

COLUMNS = ("corpus", "threshold", "precision", "recall", "f1", "tp", "fp", "fn")


class TradeOff(NamedTuple):
    """What one threshold gives on the documents of one corpus, by MedCAT's rule."""

    corpus: str
    threshold: float  # least link probability, in [0, 1]
    counts: Counts


def write_table(path: Path, rows: Sequence[TradeOff]) -> None:
    """Write the rows as a CSV, in their order. An older file is replaced."""
    with (
        file_written_aside(path) as aside,
        aside.open("w", encoding="utf-8", newline="") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for corpus, threshold, c in rows:
            shares = [f"{value:.6f}" for value in (threshold, c.precision, c.recall, c.f1)]
            writer.writerow([corpus, *shares, c.tp, c.fp, c.fn])


def draw(path: Path, rows: Sequence[TradeOff], threshold: float) -> None:
    """Draw one curve for each corpus as a PNG, with a dot at the threshold in use.

    If nothing is predicted for a corpus at any threshold, it has no curve. Without rows there are
    only axes.
    """
    # Not by pyplot, which keeps pictures in memory and looks for a display.
    figure = Figure(figsize=(5, 4), layout="constrained")
    axes = figure.add_subplot(
        xlabel="recall", ylabel="precision", xlim=(0, 1.02), ylim=(0, 1.02),
        title=f"Link decision; dot: threshold {threshold:.2f}",
    )  # fmt: skip
    for corpus in sorted({row.corpus for row in rows}):
        # If nothing is predicted there is no precision, so the curve ends before.
        own = [r for r in rows if r.corpus == corpus and r.counts.tp + r.counts.fp]
        if not own:
            continue
        x, y = [r.counts.recall for r in own], [r.counts.precision for r in own]
        (line,) = axes.plot(x, y, label=corpus)
        # The threshold in use comes from another split. The nearest one tried stands for it.
        nearest = min(own, key=lambda row: abs(row.threshold - threshold)).counts
        axes.plot([nearest.recall], [nearest.precision], "o", color=line.get_color())
    if axes.lines:
        axes.legend()
    axes.grid(alpha=0.3)
    figure.savefig(path, dpi=120, format="png")
