"""What `prepare.py` does before any training: fetch, read, check and count.

A run that trains stops at what it cannot use; here everything is read to its end, so that one
report names every bad row with its file and line.
"""

import mlflow
from hydra.utils import instantiate
from omegaconf import DictConfig

from embedlink.concepts.codes import align_codes, note_absent_codes
from embedlink.concepts.database import load_cdb
from embedlink.corpora import read_corpora
from embedlink.corpora.report import DataReport, build_report, format_report
from embedlink.experiment.mlflow_report import log_report
from embedlink.files.download import fetch
from embedlink.problems import Problems


def prepare(cfg: DictConfig) -> None:
    """Fetch what may be fetched, print the report and log it.

    Raises `EmbedLinkError` where a strict run would, after the report.
    """
    if cfg.download:
        for source in instantiate(cfg.data.sources, _convert_="all").values():
            fetch(source)
    report, problems = read_all(cfg)
    print(format_report(report))
    if cfg.tracking_uri:
        log(report, cfg)
    if cfg.data.strict:
        problems.raise_if_rejected()


def read_all(cfg: DictConfig) -> tuple[DataReport, Problems]:
    """Read corpora and concept database without stopping at bad rows, and count."""
    corpora = instantiate(cfg.data.corpora, _convert_="all")
    documents, problems = read_corpora(corpora, strict=False)
    cdb = load_cdb(cfg.data.concepts, problems, language=cfg.data.get("language") or "en")
    documents = align_codes(documents, cdb)
    note_absent_codes(documents, cdb, problems)
    return build_report(documents, problems, cdb), problems


def log(report: DataReport, cfg: DictConfig) -> None:
    """Log the report as a run of the MLflow experiment that the configuration names."""
    mlflow.set_tracking_uri(cfg.tracking_uri)
    mlflow.set_experiment(cfg.experiment_name)
    with mlflow.start_run():
        log_report(report)
