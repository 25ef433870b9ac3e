"""Ranks the members of a sweep, as a table on the terminal, as a file and as a run in MLflow.

Members are ranked by F1 on the validation documents. A choice by the test documents would report
the luckiest member as the best.
"""

import csv
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from embedlink.experiment.logger import RunLogger
from embedlink.experiment.results import results
from embedlink.experiment.sweep_plots import draw_settings

Row = dict[str, Any]
"""The result of a member. Its `settings` are those that differ between the members."""

RANK_BY = "best/val_f1"
COLUMNS = {
    RANK_BY: "val F1",
    "test/f1": "test F1",
    "test/f1_low": "low",
    "test/f1_high": "high",
    "test/precision": "P",
    "test/recall": "R",
    "baseline/f1": "untrained F1",
}


def open_sweep(config: DictConfig, folder: Path, members: int) -> RunLogger | None:
    """The sweep's own run in MLflow, the parent of its members. None if there is no logger."""
    wanted = config.get("logger")
    if wanted is None:
        return None
    swept = [each for each in config.hydra.overrides.task if "," in each or "choice(" in each]
    logger = RunLogger(
        wanted.experiment_name, tracking_uri=wanted.tracking_uri, offline=wanted.offline,
        wait=wanted.wait, run_name=f"sweep {' '.join(swept)}"[:40], folder=str(folder),
        tags={"overrides": " ".join(config.hydra.overrides.task)},
    )  # fmt: skip
    logger.log_hyperparams({"members": members} if members else {"members": "unknown"})
    return logger


def close_sweep(
    folder: Path, members: Sequence[Sequence[str]], logger: RunLogger | None, status: str
) -> None:
    """Print the ranking, leave `sweep.csv` and plots in the folder, and end the sweep's run."""
    rows = ranked(results(folder, members))
    ranking = format_ranking(rows, folder)
    print(ranking)
    table = folder / "sweep.csv"
    write_ranking(table, rows)
    plots = draw_settings(folder, finished(rows))
    if logger is None:
        return
    for file in (table, *plots):
        logger.log_file(file)
    logger.set_tags({"mlflow.note.content": f"```\n{ranking.strip()}\n```"})
    _log_best(logger, finished(rows))
    logger.end(status)


def _log_best(logger: RunLogger, rows: Sequence[Row]) -> None:
    """Log settings, metrics and paths of the sweep's best member."""
    if not rows:
        return
    best = rows[0]
    logger.log_hyperparams({f"best.{key}": value for key, value in best["settings"].items()})
    # The keys differ from a member's, so that a search for `test/f1` does not find the sweep too.
    shown = {key: best["metrics"][key] for key in COLUMNS if key in best["metrics"]}
    logger.log_metrics(
        {f"best/{k.removeprefix('best/').replace('/', '_')}": v for k, v in shown.items()}
    )
    where = {key: best[key] for key in ("linker", "pack") if best.get(key)}
    logger.set_tags({"best.command": command(best)} | {f"best.{k}": v for k, v in where.items()})


def ranked(found: Sequence[Mapping[str, Any]]) -> list[Row]:
    """The members with their `settings`. The best comes first, and failed ones come last."""
    settings = differing([list(each["overrides"]) for each in found])
    rows = [dict(each) | {"settings": own} for each, own in zip(found, settings, strict=True)]
    return sorted(rows, key=lambda row: -row.get("metrics", {}).get(RANK_BY, -1.0))


def finished(rows: Sequence[Row]) -> list[Row]:
    """The members that finished with metrics."""
    return [row for row in rows if row.get("error") is None and row.get("metrics")]


def differing(members: Sequence[Sequence[str]]) -> list[dict[str, str]]:
    """The overrides of each member, without those that all members share."""
    each = [dict(override.split("=", 1) for override in own if "=" in override) for own in members]
    keys = sorted({key for own in each for key in own})
    differ = [key for key in keys if len({own.get(key) for own in each}) > 1]
    return [{key: own.get(key, "") for key in differ} for own in each]


def cells(row: Row) -> list[str]:
    """A member's cells in the table: settings, metrics, minutes."""
    metrics = row.get("metrics", {})
    shown = [f"{metrics[key]:.4f}" if key in metrics else "" for key in COLUMNS]
    minutes = f"{row['seconds'] / 60:.1f}" if "seconds" in row else ""
    return [str(row["number"]), *row["settings"].values(), *shown, minutes]


def header(rows: Sequence[Row]) -> list[str]:
    """The names of the table's columns."""
    return ["#", *rows[0]["settings"], *COLUMNS.values(), "minutes"]


def write_ranking(path: Path, rows: Sequence[Row]) -> None:
    """Write the ranking as a CSV. The last column gives the error of a failed member."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        if rows:
            writer.writerow([*header(rows), "folder", "error"])
        for row in rows:
            writer.writerow([*cells(row), row.get("folder", ""), row.get("error") or ""])


def format_ranking(rows: Sequence[Row], folder: Path) -> str:
    """The ranking for a terminal, with failed members and the command that repeats the best."""
    good = finished(rows)
    lines = ["", f"{folder}: {len(good)} of {len(rows)} members finished"]
    if good:
        lines.append("ranked by validation F1; low and high are the 95 % interval of test F1")
        table = [header(good), *map(cells, good)]
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines += ["  ".join(map(str.rjust, row, widths)) for row in table]
    for row in rows:
        if row not in good:
            settings = " ".join(f"{key}={value}" for key, value in row["settings"].items())
            said = row.get("error") or "left no metrics"
            lines.append(f"failed: member {row['number']} ({settings}): {said}")
    if good:
        lines.append(f"Repeat the best with: {command(good[0])}")
    return "\n".join(lines)


def command(row: Row) -> str:
    """The command line that repeats a member."""
    return shlex.join(["python", "train.py", *row["overrides"]])
