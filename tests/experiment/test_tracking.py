"""What MLflow shows of a run while it goes on and when it has ended."""

from types import SimpleNamespace

import mlflow
import pytest

from embedlink.corpora.report import build_report
from embedlink.experiment.tracking import RunLogger, log_data, run_ends
from embedlink.problems import Problems


@pytest.fixture
def logger(tmp_path) -> RunLogger:
    made = RunLogger("study", tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}")
    assert made.run_id
    return made


def status(logger: RunLogger) -> str:
    return mlflow.MlflowClient(logger._tracking_uri).get_run(logger.run_id).info.status


def test_a_stage_that_ends_does_not_end_the_run(logger, documents, cdb):
    with run_ends([logger]):
        log_data(logger, SimpleNamespace(report=build_report(documents, Problems(), cdb)))
        assert status(logger) == "RUNNING"
        logger.finalize("success")  # As Lightning does after every stage.
        assert status(logger) == "RUNNING"
    assert status(logger) == "FINISHED"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_a_run_that_is_left_by_an_error_has_failed(logger, error):
    with pytest.raises(error), run_ends([logger]):
        raise error
    assert status(logger) == "FAILED"
