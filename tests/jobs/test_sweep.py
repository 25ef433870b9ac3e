"""A sweep: comparable members under one parent, of which a bad one stops no other."""

import csv

import mlflow
import pytest

from tests.jobs.command import run_entry


@pytest.fixture(scope="module")
def swept(tiny_encoder, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sweep")
    done = run_entry(
        "train.py", "-m", "unfreeze=0,9,1", f"model.encoder={tiny_encoder}", "debug=fast",
        "limit_documents=6", "detection=variants", "baselines=[]", "pack=false",
        "operating_point={recall:0.9}", f"hydra.sweep.dir={folder / 'sweep'}",
        folder=folder,
    )  # fmt: skip
    client = mlflow.MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")
    found = client.search_runs([client.get_experiment_by_name("embedlink").experiment_id])
    children = [run for run in found if "mlflow.parentRunId" in run.data.tags]
    (parent,) = [run for run in found if run not in children]
    return folder / "sweep", done, client, parent, children


def test_a_bad_member_stops_no_other_and_is_reported_first_and_last(swept):
    _, done, _, _, children = swept
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    said = done.stdout + done.stderr
    assert said.index("member 1 will fail: unfreeze=9") < said.index("#0 : unfreeze=0")
    assert "failed: member 1 (unfreeze=9): unfreeze=9 is out of range" in done.stdout
    assert sorted(run.data.params["unfreeze"] for run in children) == ["0", "1"]
    assert [run.info.status for run in children] == ["FINISHED"] * 2


def test_members_differ_in_what_was_swept_alone(swept):
    *_, children = swept
    assert len({run.data.tags["data_digest"] for run in children}) == 1
    assert len({run.info.run_name for run in children}) == 2
    one, other = (run.data.params for run in children)
    assert {key for key in one if one[key] != other[key]} == {"unfreeze"}


def test_the_parent_holds_the_ranking_and_the_best(swept):
    folder, done, client, parent, children = swept
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    rows = list(csv.DictReader((folder / "sweep.csv").open()))
    assert [row["error"] == "" for row in rows] == [True, True, False]
    assert float(rows[0]["val F1"]) >= float(rows[1]["val F1"])
    best = rows[0]["unfreeze"]
    assert parent.data.params["best.unfreeze"] == best
    assert parent.data.metrics["best/test_f1"] == pytest.approx(float(rows[0]["test F1"]), abs=1e-4)
    assert "2 of 3 members finished" in parent.data.tags["mlflow.note.content"]
    assert "test/f1" not in parent.data.metrics
    assert parent.data.tags["best.linker"] == f"{rows[0]['folder']}/linker"
    logged = {artifact.path for artifact in client.list_artifacts(parent.info.run_id)}
    assert {"sweep.csv", "sweep_unfreeze.png"} <= logged
    assert f"Repeat the best with: python train.py unfreeze={best}" in done.stdout
