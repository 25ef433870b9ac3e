"""Results as JSON and as a table with ratios."""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path

from benchmarks.measure import Timing
from benchmarks.options import Options
from embedlink.files.atomic import write_text


def write_results(
    options: Options, machine: Mapping[str, object], timings: Sequence[Timing]
) -> str:
    """Write `results.json` and `results.md` to the folder; returns the table."""
    folder = Path(options.folder)
    results = {
        "machine": machine,
        "options": dataclasses.asdict(options),
        "timings": [timing.row() for timing in timings],
    }
    write_text(folder / "results.json", json.dumps(results, indent=1))
    text = table(machine, timings)
    write_text(folder / "results.md", text)
    return text


def table(machine: Mapping[str, object], timings: Sequence[Timing]) -> str:
    """One table for each benchmark; the ratio is to the first contestant."""
    lines = [", ".join(f"{key} {_plain(value)}" for key, value in machine.items())]
    for name, rows in groupby(timings, key=lambda timing: timing.benchmark):
        group = list(rows)
        lines += ["", f"### {name}", ""]
        lines += ["| contestant | items | seconds | a second | first is faster | MiB | notes |"]
        lines += ["|---|---:|---:|---:|---:|---:|---|"]
        lines += [_row(timing, group[0]) for timing in group]
    return "\n".join(lines) + "\n"


def _row(timing: Timing, first: Timing) -> str:
    notes = ", ".join(f"{key} {_plain(value)}" for key, value in timing.notes.items())
    return (
        f"| {timing.contestant} | {timing.items:,} | {timing.seconds:.4g} | {timing.rate:,.1f} | "
        f"{first.rate / timing.rate:.2f} | {timing.memory_mib:,.0f} | {notes} |"
    )


def _plain(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
