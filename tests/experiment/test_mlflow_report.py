from pathlib import Path

import mlflow
import pytest

from embedlink.corpora.report import build_report
from embedlink.experiment.mlflow_report import log_report
from embedlink.problems import Problems


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_mlflow_gets_digest_and_counts_and_no_text(tmp_path: Path, documents) -> None:
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path / 'mlflow.db'}")
    problems = Problems()
    problems.add("f", 1, "1-2", "end before start", "swap them")
    report = build_report(documents, problems, None)
    experiment = mlflow.create_experiment("data", artifact_location=str(tmp_path / "artifacts"))
    with mlflow.start_run(experiment_id=experiment) as run:
        log_report(report)
    found = mlflow.get_run(run.info.run_id)
    inputs = {each.dataset.name: each.dataset for each in found.inputs.dataset_inputs}
    assert {name: each.digest for name, each in inputs.items()} == report.digests
    assert found.data.metrics == report.metrics()
    assert all("fever" not in str(each) for each in inputs.values())
