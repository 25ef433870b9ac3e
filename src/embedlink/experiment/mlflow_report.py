"""The data report in MLflow: each corpus as a dataset of name and digest, never its content."""

import mlflow
from mlflow.data.code_dataset_source import CodeDatasetSource
from mlflow.data.meta_dataset import MetaDataset

from embedlink.corpora.report import CorpusFigures, DataReport


class Fingerprint(MetaDataset):
    """A dataset for MLflow that is its name, its digest and two counts."""

    def __init__(self, name: str, digest: str, row: CorpusFigures) -> None:
        super().__init__(CodeDatasetSource(tags={"corpus": name}), name, digest)
        self._row = row

    @property
    def profile(self) -> dict[str, int]:
        """What MLflow shows as the dataset's size."""
        return {"documents": self._row.documents, "mentions": self._row.mentions}


def log_report(report: DataReport) -> None:
    """Log each corpus as a dataset (name and digest) and all counts to the active MLflow run.

    Problems are logged as counts: their values and files stay on the terminal.
    """
    for corpus, row in report.corpora.items():
        mlflow.log_input(Fingerprint(corpus, report.digests[corpus], row), context="data")
    mlflow.log_metrics(report.figures())
