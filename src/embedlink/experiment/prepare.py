"""Fetches, reads, checks and counts data before any training, for `prepare.py`.

A training run stops at a row that it cannot use. Here everything is read to its end, so that one
report names every bad row with its file and line.
"""

import mlflow
from omegaconf import DictConfig

from embedlink.concepts.codes import align_codes, note_absent_codes
from embedlink.concepts.database import load_cdb
from embedlink.corpora import read_corpora
from embedlink.corpora.report import DataReport, build_report, format_report
from embedlink.corpora.settings import DataSettings
from embedlink.experiment.config import check_values
from embedlink.experiment.mlflow_report import log_report
from embedlink.experiment.parts import Inputs
from embedlink.files.download import fetch
from embedlink.problems import Problems


def prepare(cfg: DictConfig) -> None:
    """Fetch the sources that may be fetched, print the report and log it.

    If a strict run would stop at bad rows, `EmbedLinkError` is raised after the report.
    """
    check_values(cfg)
    data = Inputs.of(cfg).data
    if cfg.download:
        for source in data.sources.values():
            fetch(source)
    report, problems = read_all(data)
    print(format_report(report))
    if cfg.tracking_uri:
        log(report, cfg.tracking_uri, cfg.experiment_name)
    if data.strict:
        problems.raise_if_rejected()


def read_all(data: DataSettings) -> tuple[DataReport, Problems]:
    """Read and count corpora and concept database without stopping at bad rows."""
    documents, problems = read_corpora(data.corpora, strict=False)
    cdb = load_cdb(data.concepts, problems, language=data.language)
    documents = align_codes(documents, cdb)
    note_absent_codes(documents, cdb, problems)
    return build_report(documents, problems, cdb), problems


def log(report: DataReport, tracking_uri: str, experiment_name: str) -> None:
    """Log the report as a run of this MLflow experiment."""
    mlflow.set_tracking_uri(tracking_uri)
    mlflow.set_experiment(experiment_name)
    with mlflow.start_run():
        log_report(report)
