"""Results as JSON and as a table with ratios."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.measure import Figure
from benchmarks.options import Options
from embedlink.files.atomic import write_text


def write_results(
    options: Options, machine: Mapping[str, object], figures: Sequence[Figure]
) -> str:
    """Write `results.json` and `results.md` to the folder; returns the table."""
    folder = Path(options.folder)
    results = {
        "machine": machine,
        "options": dataclasses.asdict(options),
        "figures": [figure.row() for figure in figures],
    }
    write_text(folder / "results.json", json.dumps(results, indent=1))
    text = table(machine, figures)
    write_text(folder / "results.md", text)
    return text


def table(machine: Mapping[str, object], figures: Sequence[Figure]) -> str:
    """One table for each benchmark; the ratio is to the first contestant."""
    lines = [", ".join(f"{key} {_plain(value)}" for key, value in machine.items())]
    for name, rows in groupby(figures, key=lambda figure: figure.benchmark):
        group = list(rows)
        lines += ["", f"### {name}", ""]
        lines += ["| contestant | items | seconds | a second | first is faster | MiB | notes |"]
        lines += ["|---|---:|---:|---:|---:|---:|---|"]
        lines += [_row(figure, group[0]) for figure in group]
    return "\n".join(lines) + "\n"


def _row(figure: Figure, first: Figure) -> str:
    notes = ", ".join(f"{key} {_plain(value)}" for key, value in figure.notes.items())
    return (
        f"| {figure.contestant} | {figure.items:,} | {figure.seconds:.4g} | {figure.rate:,.1f} | "
        f"{first.rate / figure.rate:.2f} | {figure.memory_mib:,.0f} | {notes} |"
    )


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
