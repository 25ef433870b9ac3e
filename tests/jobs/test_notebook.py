"""The notebook runs on what training logs, and is stored without outputs."""

import json

import mlflow
import nbformat
import pytest
from nbclient import NotebookClient

from tests.jobs.command import ROOT

NOTEBOOK = ROOT / "notebooks" / "compare_runs.ipynb"


def test_outputs_are_stripped():
    cells = json.loads(NOTEBOOK.read_text())["cells"]
    assert all(not cell.get("outputs") for cell in cells)


def test_it_reads_runs_and_plots(tmp_path, monkeypatch):
    tracking = f"sqlite:///{tmp_path / 'mlflow.db'}"
    mlflow.set_tracking_uri(tracking)
    mlflow.create_experiment("embedlink", artifact_location=str(tmp_path / "artifacts"))
    mlflow.set_experiment("embedlink")
    # The runs of one corpus, and one of another: they never share a plot.
    for unfreeze, digest in ((0, "one"), (2, "one"), (2, "other")):
        with mlflow.start_run(tags={"data_digest": digest}):
            mlflow.log_params(
                {"unfreeze": unfreeze, "model.encoder": "tiny", "data.concepts": "table"}
            )
            for epoch in range(3):
                mlflow.log_metric("val/f1", 0.1 * epoch, step=epoch)
            mlflow.log_metrics({"baseline/f1": 0.2, "test/f1": 0.3})
    monkeypatch.setenv("MLFLOW_TRACKING_URI", tracking)
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    NotebookClient(notebook, resources={"metadata": {"path": str(tmp_path)}}).execute()
    pictures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert len(pictures) == 4


@pytest.fixture(autouse=True)
def restored_tracking_uri():
    before = mlflow.get_tracking_uri()
    yield
    mlflow.set_tracking_uri(before)
