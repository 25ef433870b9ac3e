"""A start ends the runs that were killed, and delivers what they left."""

import multiprocessing
import os
import time
from multiprocessing.synchronize import Event

import mlflow
import pytest

from embedlink.experiment.delivery import deliver
from embedlink.experiment.housekeeping import deliver_waiting, end_orphans
from embedlink.experiment.logger import RunLogger
from embedlink.experiment.spool import waiting
from embedlink.experiment.store import experiment_id, open_store


def log(uri: str, folder: str, logged: Event) -> None:
    """Log what a run does, then live on."""
    logger = RunLogger("study", tracking_uri=uri, run_name="one", folder=folder)
    logger.log_metrics({"val/f1": 0.5}, step=1)
    logger._next_try = float("inf")  # What follows is spooled and not delivered.
    logger.log_metrics({"val/f1": 0.6}, step=2)
    logged.set()
    time.sleep(60)


@pytest.fixture
def uri(tmp_path) -> str:
    return f"sqlite:///{tmp_path / 'mlflow.db'}"


def test_a_run_whose_process_was_killed_is_ended_with_all_it_logged(tmp_path, uri):
    folder = tmp_path / "runs" / "2031-05-06" / "10-00-00"
    context = multiprocessing.get_context("forkserver")
    logged = context.Event()
    process = context.Process(target=log, args=(uri, str(folder), logged))
    process.start()
    assert logged.wait(timeout=120)
    client = open_store(uri)
    experiment = experiment_id(client, uri, "study")
    end_orphans(client, experiment)
    (run,) = client.search_runs([experiment])
    assert run.info.status == "RUNNING"  # It lives.
    process.kill()
    process.join()
    end_orphans(client, experiment)
    (run,) = client.search_runs([experiment])
    assert run.info.status == "KILLED"
    assert run.data.metrics == {"val/f1": 0.6}


def test_a_run_of_another_machine_is_left_alone(tmp_path, uri):
    client = open_store(uri)
    experiment = experiment_id(client, uri, "study")
    client.create_run(experiment, tags={"process.host": "elsewhere", "process.pid": "1"})
    gone = {"process.host": os.uname().nodename, "process.pid": "999999999"}
    client.create_run(experiment, tags=gone)
    end_orphans(client, experiment)
    found = {run.data.tags["process.host"]: run.info.status for run in client.search_runs("1")}
    assert found == {"elsewhere": "RUNNING", gone["process.host"]: "KILLED"}


def test_a_start_delivers_what_earlier_runs_left(tmp_path, uri):
    folder = tmp_path / "runs" / "2031-05-06" / "10-00-00"
    logger = RunLogger("study", tracking_uri=uri, run_name="one", folder=str(folder), offline=True)
    logger.log_metrics({"val/f1": 0.5}, step=1)
    logger.end("FINISHED")
    assert waiting(folder) == 4
    deliver_waiting(tmp_path / "runs")
    assert waiting(folder) == 0
    assert deliver(folder) == 0
    (run,) = mlflow.MlflowClient(uri).search_runs(["1"])
    assert run.data.metrics == {"val/f1": 0.5}
