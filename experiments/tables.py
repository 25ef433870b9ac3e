"""Write a study's table and plot from its runs in MLflow: `python experiments/tables.py recipe`.

A study is a folder here, and the MLflow experiment that its file in `conf/experiment/` names. Runs
that differ in their seed alone make one row. The studies of single choices share the experiment
`choices`, each with the rows of its own settings: `… layers --experiment choices --keys unfreeze`.
The table goes between the two marks in the study's README, the plot beside it; no number is typed
by hand.
"""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path

import embedlink  # noqa: F401 - before MLflow: telemetry is off from here

# isort: split
import matplotlib as mpl
import mlflow
import pandas as pd

mpl.use("Agg")
import matplotlib.pyplot as plt

from embedlink.files.atomic import write_text

HERE = Path(__file__).resolve().parent
BEGIN, END = "<!-- table: written by experiments/tables.py -->", "<!-- end of table -->"
DEFAULT = "default"
NOTHING = pd.Series(dtype=float)
NO_SETTINGS = (
    "seed", "split_seed", "experiment", "pack", "resume", "baselines", "data_dir",
    "split.document_list", "detection.tagger.folder",
)  # fmt: skip
COLUMNS = {
    "baseline/f1": "untrained F1",
    "names/f1": "names added F1",
    "val/f1": "validation F1",
    "test/precision": "P",
    "test/recall": "R",
    "test/f1": "F1",
    "test/accuracy_at_1": "accuracy@1",
    "test/recall_at_64": "recall@64",
    "test/calibration_error": "calibration error",
}


def runs_of(experiment: str, keys: Sequence[str] | None = None) -> pd.DataFrame:
    """Finished runs by setting and seed; the newest of those that repeat.

    With `keys`, the runs that set one of them or nothing.
    """
    found = mlflow.search_runs(experiment_names=[experiment], order_by=["start_time ASC"])
    if "metrics.test/f1" not in found:
        raise SystemExit(f"error: no finished run of the MLflow experiment {experiment!r}")
    found = found[found["metrics.test/f1"].notna()].copy()
    found["setting"] = settings_of(_overrides(found))
    found["metrics.val/f1"] = found["run_id"].map(_validation_f1)
    if "metrics.best/val_f1" in found:
        found["metrics.val/f1"] = found["metrics.best/val_f1"].fillna(found["metrics.val/f1"])
    if keys is not None:
        own = [setting == DEFAULT or _keys(setting) <= set(keys) for setting in found["setting"]]
        found = found[own]
    return found.drop_duplicates(["setting", "params.seed"], keep="last")


def _overrides(found: pd.DataFrame) -> list[str]:
    """Each run's overrides, of paths the last part; early runs had them as their name alone."""
    names = found["tags.mlflow.runName"]
    told = found["tags.overrides"].fillna(names) if "tags.overrides" in found else names
    return [" ".join(map(_short, text.split())) for text in told]


def _short(override: str) -> str:
    key, equals, value = override.partition("=")
    return f"{key}{equals}{value.rpartition('/')[2]}"


def _validation_f1(run: str) -> float:
    """F1 of the best epoch; NaN where none was measured. For runs without `best/val_f1`."""
    history = mlflow.MlflowClient().get_metric_history(run, "val/f1")
    return max((metric.value for metric in history if metric.step > 0), default=float("nan"))


def _keys(setting: str) -> set[str]:
    return {override.split("=", 1)[0] for override in setting.split()}


def settings_of(run_names: Sequence[str]) -> list[str]:
    """Each run's overrides without its seed and without what all runs of a study share."""
    overrides = [
        [override for override in name.split() if override.split("=", 1)[0] not in NO_SETTINGS]
        for name in run_names
    ]
    shared = (
        set.intersection(*map(set, overrides)) if len(set(map(tuple, overrides))) > 1 else set()
    )
    kept = ([o for o in own if o not in shared] for own in overrides)
    return [" ".join(own) or DEFAULT for own in kept]


def table(runs: pd.DataFrame) -> str:
    """Markdown: means over seeds, and the 95 % interval by document of single runs.

    All metrics are of the test documents, except the one that says validation. A column that no run
    has a metric for is left out.
    """
    known = {k: v for k, v in COLUMNS.items() if runs.get(f"metrics.{k}", NOTHING).notna().any()}
    head = ["setting", "seeds", *known.values()]
    rows = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    for setting, group in runs.groupby("setting", sort=False):
        cells = [_cell(group, key) for key in known]
        rows.append(f"| `{setting}` | {len(group)} | " + " | ".join(cells) + " |")
    return "\n".join(rows)


def _cell(group: pd.DataFrame, key: str) -> str:
    if f"metrics.{key}" not in group or group[f"metrics.{key}"].isna().all():
        return ""
    values = group[f"metrics.{key}"].dropna()
    low, high = (f"metrics.{key}_{end}" for end in ("low", "high"))
    if len(values) > 1:
        return f"{values.mean():.3f} ({values.min():.3f}–{values.max():.3f})"
    if low in group and group[low].notna().all():
        return f"{values.iloc[0]:.3f} [{group[low].iloc[0]:.3f}, {group[high].iloc[0]:.3f}]"
    return f"{values.iloc[0]:.3f}"


def plot(runs: pd.DataFrame, path: Path) -> None:
    """F1 on test documents by setting, a dot for each seed; untrained in grey."""
    settings = list(dict.fromkeys(runs["setting"]))
    row = [settings.index(setting) for setting in runs["setting"]]
    figure, axes = plt.subplots(figsize=(7, 0.6 + 0.4 * len(settings)))
    axes.scatter(runs["metrics.baseline/f1"], row, color="grey", label="untrained")
    axes.scatter(runs["metrics.test/f1"], row, label="trained")
    axes.set_yticks(range(len(settings)), settings)
    axes.set_ylim(len(settings) - 0.5, -0.5)
    axes.set_xlabel("F1 on test documents")
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
    figure.savefig(path, bbox_inches="tight", dpi=100)
    plt.close(figure)


def main(arguments: list[str] | None = None) -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("study", help="a folder beside this file")
    parser.add_argument("--experiment", help="in MLflow; the study's name unless given")
    parser.add_argument("--keys", nargs="+", help="only runs that set one of these, or nothing")
    parser.add_argument("--folder", type=Path, default=HERE, help="where the studies' folders are")
    given = parser.parse_args(arguments)
    store = os.environ.get("MLFLOW_TRACKING_URI", f"sqlite:///{HERE.parent}/mlflow.db")
    mlflow.set_tracking_uri(store)
    readme = given.folder / given.study / "README.md"
    if not readme.is_file():
        raise SystemExit(f"error: {readme}: no such study")
    text = readme.read_text(encoding="utf-8")
    if BEGIN not in text or END not in text:
        raise SystemExit(f"error: {readme}: lacks the lines {BEGIN!r} and {END!r}")
    runs = runs_of(given.experiment or given.study, given.keys)
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    write_text(readme, f"{before}{BEGIN}\n\n{table(runs)}\n\n{END}{after}")
    plot(runs, readme.parent / "f1.png")
    print(f"{readme}: {len(runs)} runs")


if __name__ == "__main__":
    main()
