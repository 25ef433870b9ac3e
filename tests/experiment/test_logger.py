"""What a run logs reaches MLflow in order and once, whatever happens to the store."""

import multiprocessing
import shutil
import socket
import sqlite3
from pathlib import Path

import mlflow
import pytest

from embedlink.experiment import logger as logger_module
from embedlink.experiment.delivery import deliver
from embedlink.experiment.logger import RunLogger
from embedlink.experiment.spool import read_events, waiting
from embedlink.experiment.store import KIND, StoreAway, open_store, probe


def made(folder: Path, uri: str, **settings) -> RunLogger:
    settings = {"run_name": "one", "wait": 0.0} | settings
    (folder / ".hydra").mkdir(parents=True, exist_ok=True)  # By it a run's folder is known.
    return RunLogger("study", tracking_uri=uri, folder=str(folder), **settings)


def store(folder: Path) -> str:
    return f"sqlite:///{folder / 'mlflow.db'}"


def closed_address() -> str:
    """An address of this machine on which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def runs(uri: str):
    client = mlflow.MlflowClient(uri)
    found = client.get_experiment_by_name("study")
    return client.search_runs([found.experiment_id]) if found else []


def history(uri: str, key: str) -> list[tuple[int, float]]:
    (run,) = runs(uri)
    points = mlflow.MlflowClient(uri).get_metric_history(run.info.run_id, key)
    return [(point.step, point.value) for point in points]


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(logger_module, "EVERY", 0.0)
    monkeypatch.setattr(logger_module, "PATIENCE", (0.0, 0.0))


def log_epochs(logger: RunLogger, epochs) -> None:
    for epoch in epochs:
        logger.log_metrics({"val/f1": epoch / 10, "val/mrr": 0.5}, step=epoch)


@pytest.fixture(scope="module")
def empty_store(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("store")
    open_store(store(folder))
    return folder / "mlflow.db"


@pytest.fixture(autouse=True)
def copied_store(empty_store, tmp_path) -> None:
    """Making the tables takes seconds, so every test but one gets a copy of an empty store."""
    shutil.copy(empty_store, tmp_path)


def test_everything_arrives_with_its_own_time(tmp_path):
    logger = made(tmp_path / "run", store(tmp_path), headline=["val/f1"], tags={"kind": "test"})
    logger.log_hyperparams({"unfreeze": 2})
    log_epochs(logger, range(3))
    logger.log_text("a: 1", "config.yaml")
    logger.set_tags({"linker": tmp_path})
    logger.log_datasets([{"name": "demo", "digest": "12", "documents": 3, "mentions": 4}])
    logger.end("FINISHED")
    (run,) = runs(store(tmp_path))
    assert (run.info.status, run.info.run_name) == ("FINISHED", "one")
    assert run.data.params == {"unfreeze": "2"}
    assert history(store(tmp_path), "val/f1") == [(0, 0.0), (1, 0.1), (2, 0.2)]
    assert {"kind", "linker", "folder", "process.pid"} <= run.data.tags.keys()
    assert run.inputs.dataset_inputs[0].dataset.name == "demo"
    client = mlflow.MlflowClient(store(tmp_path))
    assert {a.path for a in client.list_artifacts(run.info.run_id)} == {
        "config.yaml", "metrics.csv",
    }  # fmt: skip
    assert run.info.end_time == read_events(tmp_path / "run")[-1]["time"]
    experiment = client.get_experiment_by_name("study")
    assert KIND.items() <= experiment.tags.items()


def test_what_is_no_headline_is_in_the_table_alone(tmp_path):
    logger = made(tmp_path / "run", store(tmp_path), headline=["val/f1"])
    log_epochs(logger, range(2))
    logger.end("FINISHED")
    (run,) = runs(store(tmp_path))
    assert run.data.metrics.keys() == {"val/f1"}
    assert (tmp_path / "run" / "metrics.csv").read_text().splitlines() == [
        "metric,step,value", "val/f1,0,0.0", "val/mrr,0,0.5", "val/f1,1,0.1", "val/mrr,1,0.5",
    ]  # fmt: skip


def test_a_server_that_is_away_costs_one_warning_and_nothing_is_lost(tmp_path, caplog):
    logger = made(tmp_path / "run", closed_address())
    log_epochs(logger, range(4))
    logger.end("FINISHED")
    away = [record for record in caplog.records if "is away" in record.message]
    assert len(away) == 1
    assert f"python sync.py run={tmp_path / 'run'}" in caplog.text
    assert waiting(tmp_path / "run") == 7
    assert deliver(tmp_path / "run", store(tmp_path)) == 7
    assert deliver(tmp_path / "run", store(tmp_path)) == 0
    assert len(history(store(tmp_path), "val/f1")) == 4


def test_a_store_that_goes_away_in_the_middle_gets_the_rest_later(tmp_path):
    logger = made(tmp_path / "run", store(tmp_path))
    log_epochs(logger, range(2))
    with sqlite3.connect(tmp_path / "mlflow.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        log_epochs(logger, range(2, 4))
        assert waiting(tmp_path / "run") == 2
        other.execute("ROLLBACK")
    log_epochs(logger, range(4, 5))
    assert waiting(tmp_path / "run") == 0
    logger.end("FINISHED")
    assert [step for step, _ in history(store(tmp_path), "val/f1")] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("done", [0, 1, 3])
def test_a_delivery_that_was_killed_is_not_repeated(tmp_path, done):
    """What was sent may not have been written down: MLflow must not show it twice."""
    logger = made(tmp_path / "run", store(tmp_path))
    log_epochs(logger, range(3))
    logger.end("FINISHED")
    state = tmp_path / "run" / "tracking" / "delivered.json"
    if done == 0:
        state.unlink()
    else:
        (run,) = runs(store(tmp_path))
        state.write_text(f'{{"delivered": {done}, "run_id": "{run.info.run_id}"}}')
    deliver(tmp_path / "run")
    assert len(history(store(tmp_path), "val/f1")) == 3


def test_offline_sends_nothing(tmp_path):
    logger = made(tmp_path / "run", store(tmp_path), offline=True)
    log_epochs(logger, range(2))
    logger.end("FINISHED")
    assert runs(store(tmp_path)) == []
    assert deliver(tmp_path / "run") == 5


def test_a_deleted_experiment_is_restored(tmp_path, caplog):
    client = open_store(store(tmp_path))
    client.delete_experiment(client.create_experiment("study", str(tmp_path / "artifacts")))
    logger = made(tmp_path / "run", store(tmp_path))
    log_epochs(logger, [1])
    logger.end("FINISHED")
    assert "'study' was deleted; it is restored" in caplog.text
    assert len(runs(store(tmp_path))) == 1


def test_what_mlflow_refuses_for_good_does_not_hold_up_the_rest(tmp_path, caplog):
    logger = made(tmp_path / "run", store(tmp_path))
    logger.log_metrics({"f1 of #1": 0.5})
    log_epochs(logger, [1])
    logger.end("FINISHED")
    assert "MLflow refused metrics" in caplog.text
    assert runs(store(tmp_path))[0].info.status == "FINISHED"


def test_a_run_that_resumes_another_is_the_same_run(tmp_path):
    first = made(tmp_path / "a", store(tmp_path))
    first.log_hyperparams({"unfreeze": 2, "trainer.max_epochs": 2})
    log_epochs(first, range(3))
    first.end("KILLED")
    second = made(tmp_path / "b", store(tmp_path), follows=str(tmp_path / "a"))
    second.log_hyperparams({"unfreeze": 2, "trainer.max_epochs": 4})
    log_epochs(second, range(2, 4))
    second.end("KILLED")
    third = made(tmp_path / "c", store(tmp_path), follows=str(tmp_path / "b"))
    log_epochs(third, range(2, 5))
    third.end("FINISHED")
    (run,) = runs(store(tmp_path))
    assert run.info.status == "FINISHED"
    assert [step for step, _ in history(store(tmp_path), "val/f1")] == [0, 1, 2, 3, 4]
    assert run.data.params["trainer.max_epochs"] == "2"
    assert run.data.tags["resumed.trainer.max_epochs"] == "4"


def test_a_member_is_a_child_of_its_sweep_though_that_was_not_delivered(tmp_path):
    sweep = made(tmp_path, store(tmp_path), run_name="sweep", offline=True)
    sweep.set_tags({"members": 1})
    member = made(tmp_path / "0", store(tmp_path), parent=str(tmp_path))
    log_epochs(member, [1])
    member.end("FINISHED")
    sweep.end("FINISHED")
    by_name = {run.info.run_name: run for run in runs(store(tmp_path))}
    assert by_name["one"].data.tags["mlflow.parentRunId"] == by_name["sweep"].info.run_id


def _log_one(folder: Path, uri: str) -> None:
    logger = made(folder, uri, wait=120.0)
    log_epochs(logger, range(3))
    logger.end("FINISHED")


def test_twelve_runs_started_at_once_make_one_store(tmp_path):
    (tmp_path / "mlflow.db").unlink()
    context = multiprocessing.get_context("fork")  # Each process opens the store for itself.
    started = [
        context.Process(target=_log_one, args=(tmp_path / str(n), store(tmp_path)))
        for n in range(12)
    ]
    for process in started:
        process.start()
    for process in started:
        process.join()
    assert [process.exitcode for process in started] == [0] * 12
    found = runs(store(tmp_path))
    assert [run.info.status for run in found] == ["FINISHED"] * 12
    assert all(run.data.metrics["val/f1"] == 0.2 for run in found)


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "sqlite:////nowhere/at/mlflow.db"])
def test_an_address_that_does_not_answer_is_named_at_once(uri):
    with pytest.raises(StoreAway, match=r"127\.0\.0\.1:9|/nowhere/at"):
        probe(uri)
