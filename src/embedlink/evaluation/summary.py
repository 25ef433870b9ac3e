"""Metrics as tables for the terminal: one line for each linker or baseline, one for each group."""

from collections.abc import Mapping, Sequence

Metrics = Mapping[str, float]
"""Metrics of one split by key, as `split_metrics` and `intervals` name them."""

HEADLINE = ("precision", "recall", "f1", "accuracy_at_1")
"""The metrics of the first table. Each has a 95 % interval if there are two or more documents."""

ACCURACY = "accuracy_at_1/"
"""What the key of a group's accuracy begins with."""


def results_table(results: Mapping[str, Metrics]) -> str:
    """Precision, recall, F1 and accuracy@1 of each result, with 95 % intervals by document.

    `results` are metrics by what they are of, such as `untrained`. The table has a line for each,
    in their order. A metric that a result lacks is left empty.
    """
    rows = [
        [name, *(_with_interval(metrics, metric) for metric in HEADLINE)]
        for name, metrics in results.items()
    ]
    return _aligned([["", "precision", "recall", "F1", "accuracy@1"], *rows])


def groups_table(metrics: Metrics) -> str:
    """Accuracy@1 and recall@64 of each group of gold mentions. Empty if no group was measured."""
    groups = [key.removeprefix(ACCURACY) for key in metrics if key.startswith(ACCURACY)]
    if not groups:
        return ""
    rows = [
        [
            group.replace("_", " "),
            f"{metrics[f'mentions/{group}']:.0f}",
            _share(metrics, f"{ACCURACY}{group}"),
            _share(metrics, f"recall_at_64/{group}"),
        ]
        for group in groups
    ]
    return _aligned([["gold mentions", "number", "accuracy@1", "recall@64"], *rows])


def corpora_table(metrics: Metrics) -> str:
    """Precision, recall and F1 of each corpus. Empty if there is only one corpus."""
    corpora = [key.removesuffix("/char_iou") for key in metrics if key.endswith("/char_iou")]
    if len(corpora) < 2:
        return ""
    columns = ("precision", "recall", "f1")
    rows = [[name, *(_share(metrics, f"{name}/{each}") for each in columns)] for name in corpora]
    return _aligned([["corpus", "precision", "recall", "F1"], *rows])


def link_line(metrics: Metrics) -> str:
    """The counts of links, and the threshold and calibration of the link decision if there is one.

    An example is `412 links are right, 58 wrong, 61 are missing.`
    """
    line = (
        f"{metrics['tp']:.0f} links are right, {metrics['fp']:.0f} wrong, "
        f"{metrics['fn']:.0f} are missing."
    )
    if "threshold" in metrics:
        line += (
            f" Link threshold {metrics['threshold']:.3f}, "
            f"calibration error {metrics['calibration_error']:.3f}."
        )
    return line


def split_summary(name: str, metrics: Metrics) -> str:
    """All tables of one result on one split, with empty lines between them."""
    parts = [results_table({name: metrics}), link_line(metrics)]
    return "\n\n".join([*parts, *filter(None, (corpora_table(metrics), groups_table(metrics)))])


def _share(metrics: Metrics, key: str) -> str:
    return f"{metrics[key]:.3f}" if key in metrics else ""


def _with_interval(metrics: Metrics, metric: str) -> str:
    shown = _share(metrics, metric)
    if f"{metric}_low" not in metrics:
        return shown
    return f"{shown} [{metrics[f'{metric}_low']:.3f}, {metrics[f'{metric}_high']:.3f}]"


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    """The rows with columns of one width. The first column is aligned left, all others right."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    )
