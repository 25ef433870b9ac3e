"""Download, check and report the data of a configuration: `python prepare.py data=distemist`."""

import sys

import hydra
import mlflow
from hydra.utils import instantiate
from omegaconf import DictConfig

from embedlink.concepts import align_codes, load_cdb, note_absent_codes
from embedlink.corpora import read_corpora
from embedlink.download import fetch
from embedlink.report import DataReport, build_report, format_report, log_report
from embedlink.types import EmbedLinkError, Problems


def prepare(config: DictConfig) -> tuple[DataReport, Problems]:
    """Fetch the sources, read everything without stopping at bad rows, and count."""
    if config.download:
        for source in instantiate(config.data.sources, _convert_="all").values():
            fetch(source)
    corpora = instantiate(config.data.corpora, _convert_="all")
    documents, problems = read_corpora(corpora, strict=False)
    cdb = load_cdb(config.data.concepts, problems)
    documents = align_codes(documents, cdb)
    note_absent_codes(documents, cdb, problems)
    return build_report(documents, problems, cdb), problems


def log(report: DataReport, config: DictConfig) -> None:
    """Log the report to MLflow where an address is configured."""
    if config.tracking_uri:
        mlflow.set_tracking_uri(config.tracking_uri)
        mlflow.set_experiment(config.experiment)
        with mlflow.start_run():
            log_report(report)


@hydra.main(config_path="conf", config_name="prepare", version_base="1.3")
def main(config: DictConfig) -> None:
    """Report the data, and fail when a strict run would."""
    try:
        report, problems = prepare(config)
        print(format_report(report))
        log(report, config)
        if config.data.strict:
            problems.raise_if_rejected()
    except EmbedLinkError as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
