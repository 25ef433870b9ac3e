"""Plots of a sweep: F1 against each setting, and the share of its variance that each explains."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

mpl.use("Agg")
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

ENOUGH = 8
"""Fewest members for a plot of importance. With fewer members it would show chance only."""

SAFE = str.maketrans(dict.fromkeys("/\\ ", "_"))


def draw_settings(folder: Path, rows: Sequence[Mapping[str, Any]]) -> list[Path]:
    """Draw one picture for each setting, and one of their importance. Returns the files."""
    rows = [row for row in rows if "test/f1" in row["metrics"]]
    if len(rows) < 2:
        return []
    settings = list(rows[0]["settings"])
    made = [
        _draw_setting(folder / f"sweep_{key.translate(SAFE)}.png", key, rows) for key in settings
    ]
    if len(rows) >= ENOUGH and len(settings) > 1:
        made.append(_draw_importance(folder / "sweep_importance.png", settings, rows))
    return made


def _draw_setting(path: Path, key: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Plot each member's F1 on test documents, with its interval, above the setting's value."""
    values = sorted({row["settings"][key] for row in rows}, key=_as_number)
    figure, axes = plt.subplots(figsize=(5, 3.5))
    for row in rows:
        metrics = row["metrics"]
        f1 = metrics["test/f1"]
        below = f1 - metrics.get("test/f1_low", f1)
        above = metrics.get("test/f1_high", f1) - f1
        place = values.index(row["settings"][key])
        axes.errorbar(place, f1, [[max(0, below)], [max(0, above)]], fmt="o", capsize=3, color="C0")
    axes.set_xticks(range(len(values)), values)
    axes.set(xlabel=key, ylabel="F1 on test documents (95 % interval)")
    return _saved(figure, path)


def _as_number(value: str) -> tuple[float, str]:
    """A key that sorts numbers by value, and texts behind them."""
    try:
        return float(value), ""
    except ValueError:
        return float("inf"), value


def _draw_importance(
    path: Path, settings: Sequence[str], rows: Sequence[Mapping[str, Any]]
) -> Path:
    """Draw how much of the variance of F1 each setting explains."""
    shares = [
        importance([(r["settings"][key], r["metrics"]["test/f1"]) for r in rows])
        for key in settings
    ]
    figure, axes = plt.subplots(figsize=(5, 3.5))
    axes.barh(list(settings), shares)
    axes.set(xlim=(0, 1), xlabel="share of the variance of F1 that the setting explains")
    return _saved(figure, path)


def importance(pairs: Sequence[tuple[str, float]]) -> float:
    """The share of F1's variance that is between the values of one setting, in [0, 1]."""
    scores = [score for _, score in pairs]
    mean = sum(scores) / len(scores)
    whole = sum((score - mean) ** 2 for score in scores)
    between = 0.0
    for value in {value for value, _ in pairs}:
        own = [score for each, score in pairs if each == value]
        between += len(own) * (sum(own) / len(own) - mean) ** 2
    return between / whole if whole else 0.0


def _saved(figure: Figure, path: Path) -> Path:
    """Save the picture and close it, so that pyplot does not keep it."""
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    plt.close(figure)
    return path
