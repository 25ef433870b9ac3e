"""A run that is stopped or killed goes on by the command that it prints, as the same MLflow run."""

import os
import shlex
import signal
import subprocess
import time
from pathlib import Path

import mlflow
import pytest

from tests.jobs.command import Entry, metrics_table, run_entry

FAST = (
    "debug=fast", "limit_documents=6", "detection=variants", "baselines=[]", "pack=false",
    "trainer.max_epochs=4", "callbacks.early_stopping.patience=9",
)  # fmt: skip


def stop(entry: Entry, there: Path, signum: int) -> subprocess.CompletedProcess[str]:
    """Send a signal when a file is there."""
    while not there.exists() and entry.process.is_alive():
        time.sleep(0.05)
    os.kill(entry.process.pid, signum)
    return entry.end()


def the_run(folder: Path):
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("embedlink").experiment_id])
    (run,) = found
    points = client.get_metric_history(run.info.run_id, "val/f1")
    return run, [(point.step, point.value) for point in points]


@pytest.fixture(scope="module")
def whole(tiny_encoder, tmp_path_factory):
    """A run that nobody stopped."""
    folder = tmp_path_factory.mktemp("whole")
    done = run_entry(
        "train.py", f"model.encoder={tiny_encoder}", *FAST, f"hydra.run.dir={folder / 'run'}",
        folder=folder,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_stopped_goes_on_as_the_same_run(whole, tiny_encoder, tmp_path, signum):
    overrides = (f"model.encoder={tiny_encoder}", *FAST)
    first = tmp_path / "runs" / "day" / "first"
    entry = Entry("train.py", *overrides, f"hydra.run.dir={first}", folder=tmp_path)
    done = stop(entry, first / "checkpoints" / "last.ckpt", signum)
    if signum == signal.SIGTERM:
        assert done.returncode == 143
        assert "Traceback" not in done.stderr
        assert the_run(tmp_path)[0].info.status == "KILLED"
        command = shlex.split(done.stderr.strip().splitlines()[-1].split("Go on with: ")[1])
        assert command == ["python", "train.py", *overrides, f"resume={first}"]
    second = tmp_path / "runs" / "day" / "second"
    done = run_entry(
        "train.py", *overrides, "resume=last", f"hydra.run.dir={second}", folder=tmp_path
    )
    assert done.returncode == 0, done.stderr[-2000:]
    run, curve = the_run(tmp_path)
    assert run.info.status == "FINISHED"
    assert curve == the_run(whole)[1]
    same = ("test/f1", "test/accuracy_at_1", "best/val_f1", "test/calibration_error")
    resumed, uninterrupted = metrics_table(second), metrics_table(whole / "run")
    assert [resumed[key] for key in same] == [uninterrupted[key] for key in same]


def test_a_run_that_was_killed_before_its_first_checkpoint_resumes_with_its_tagger(
    tiny_encoder, tmp_path
):
    overrides = (
        f"model.encoder={tiny_encoder}", f"detection.tagger.encoder={tiny_encoder}",
        *(each for each in FAST if each != "detection=variants"),
    )  # fmt: skip
    first = tmp_path / "runs" / "day" / "first"
    entry = Entry("train.py", *overrides, f"hydra.run.dir={first}", folder=tmp_path)
    stop(entry, first / "tagger", signal.SIGKILL)
    done = run_entry(
        "train.py", *overrides, f"resume={first}", f"hydra.run.dir={tmp_path / 'second'}",
        folder=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    weights = "tagger/encoder/model.safetensors"
    assert (tmp_path / "second" / weights).read_bytes() == (first / weights).read_bytes()
    assert the_run(tmp_path)[0].info.status == "FINISHED"


def test_a_tracking_server_that_is_not_there_is_named_before_any_work(tiny_encoder, tmp_path):
    arguments = (f"model.encoder={tiny_encoder}", *FAST, f"hydra.run.dir={tmp_path / 'run'}")
    uri = "logger.tracking_uri=http://127.0.0.1:9"
    done = run_entry("train.py", *arguments, uri, folder=tmp_path)
    assert done.returncode == 1
    assert "error: the tracking store is away: http://127.0.0.1:9: no server answers" in done.stderr
    assert "Traceback" not in done.stderr
    done = run_entry("train.py", *arguments, uri, "logger.offline=true", folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert f"python sync.py run={tmp_path / 'run'}" in done.stdout + done.stderr
    database = f"tracking_uri=sqlite:///{tmp_path / 'mlflow.db'}"
    done = run_entry("sync.py", f"run={tmp_path / 'run'}", database, folder=tmp_path)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "events delivered" in done.stdout
    run, curve = the_run(tmp_path)
    assert run.info.status == "FINISHED"
    assert [step for step, _ in curve] == [0, 1, 2, 3, 4]
