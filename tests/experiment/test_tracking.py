"""How a run ends in MLflow."""

import mlflow
import pytest

from embedlink.experiment.logger import RunLogger
from embedlink.experiment.signals import Stopped
from embedlink.experiment.tracking import run_ends


@pytest.fixture
def logger(tmp_path) -> RunLogger:
    made = RunLogger(
        "study", tracking_uri=f"sqlite:///{tmp_path / 'mlflow.db'}", run_name="one",
        folder=str(tmp_path / "run"),
    )  # fmt: skip
    made.log_metrics({"test/f1": 0.5})
    return made


def status(logger: RunLogger) -> str:
    client = mlflow.MlflowClient(logger.tracking_uri)
    (run,) = client.search_runs([client.get_experiment_by_name("study").experiment_id])
    return run.info.status


def test_a_stage_that_ends_does_not_end_the_run(logger):
    with run_ends([logger]):
        assert status(logger) == "RUNNING"
        logger.finalize("success")  # As Lightning does after every stage.
        assert status(logger) == "RUNNING"
    assert status(logger) == "FINISHED"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (ValueError(), "FAILED"),
        (SystemExit(), "FAILED"),
        (KeyboardInterrupt(), "KILLED"),
        (Stopped(15), "KILLED"),
    ],
)
def test_a_run_that_is_left_by_an_error_has_failed_or_was_killed(logger, error, said):
    with pytest.raises(type(error)), run_ends([logger]):
        raise error
    assert status(logger) == said
