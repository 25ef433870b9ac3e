"""A run's results in a few sentences, which MLflow shows. They hold no text of any note."""

from collections.abc import Mapping
from pathlib import Path


def describe(
    data: str,
    metrics: Mapping[str, float],
    *,
    dictionary: float | None = None,
    minutes: float,
    megabytes: float,
) -> str:
    """Markdown with the data, F1 with its interval, the gain, and the cost of a run.

    `metrics` are the run's, by keys like `test/f1`. `dictionary` is the F1 of the dictionary
    baseline, or None if it was not measured.
    """
    f1 = metrics["test/f1"]
    interval = ""
    if "test/f1_low" in metrics:
        interval = f" (95 % interval {metrics['test/f1_low']:.3f} to {metrics['test/f1_high']:.3f})"
    lines = [
        f"Data: {data}.",
        f"F1 {f1:.3f}{interval}, precision {metrics['test/precision']:.3f}, recall "
        f"{metrics['test/recall']:.3f} on test documents.",
    ]
    gains = [("the untrained linker", metrics.get("baseline/f1")), ("the dictionary", dictionary)]
    known = [f"{f1 - base:+.3f} over {name}" for name, base in gains if base is not None]
    if known:
        lines.append(f"Gain: {', '.join(known)}.")
    lines.append(f"Cost: {minutes:.0f} minutes; what ships takes {megabytes:.0f} MB.")
    return "\n\n".join(lines)


def size_in_megabytes(folder: Path) -> float:
    """The size of all files in a folder, in MB of a million bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6
