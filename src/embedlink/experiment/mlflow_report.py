"""Logs the data report to MLflow: each corpus as a name and a digest, never its content."""

from collections.abc import Mapping, Sequence

import mlflow
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import DatasetInput, InputTag

from embedlink.corpora.report import DataReport

Row = Mapping[str, str | int]
"""A corpus: its `name`, its `digest`, and its numbers of `documents` and `mentions`."""


class Fingerprint(MetaDataset):
    """A dataset for MLflow that holds only a name, a digest and two counts."""

    def __init__(self, row: Row) -> None:
        name = str(row["name"])
        super().__init__(CodeDatasetSource(tags={"corpus": name}), name, str(row["digest"]))
        self._row = row

    @property
    def profile(self) -> dict[str, int]:
        """The counts that MLflow shows as the dataset's size."""
        return {key: int(self._row[key]) for key in ("documents", "mentions")}


def dataset_rows(report: DataReport) -> list[Row]:
    """One row for each corpus of a report."""
    return [
        {
            "name": corpus,
            "digest": report.digests[corpus],
            "documents": row.documents,
            "mentions": row.mentions,
        }
        for corpus, row in report.corpora.items()
    ]


def dataset_inputs(rows: Sequence[Row]) -> list[DatasetInput]:
    """The corpora in the form that MLflow's client takes."""
    context = [InputTag("mlflow.data.context", "data")]
    return [DatasetInput(Fingerprint(row)._to_mlflow_entity(), tags=context) for row in rows]


def log_report(report: DataReport) -> None:
    """Log each corpus as a dataset (name and digest) and all counts to the active MLflow run.

    Problems are logged as counts: their values and files stay on the terminal.
    """
    for row in dataset_rows(report):
        mlflow.log_input(Fingerprint(row), context="data")
    mlflow.log_metrics(report.metrics())
