"""`python train.py data=all` on the three corpora in their true formats."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.jobs.command import metrics_table
from tests.written import write_cometa, write_distemist, write_snomed, write_snomed_table

ROOT = Path(__file__).parents[2]


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_one_model_with_metrics_for_each_corpus_and_overall(tmp_path: Path) -> None:
    write_snomed(tmp_path / "snomed_benchmark")
    write_distemist(tmp_path / "distemist")
    write_cometa(tmp_path / "cometa")
    write_snomed_table(tmp_path / "concepts.csv")
    tracking = f"sqlite:///{tmp_path / 'mlflow.db'}"
    command = [
        sys.executable,
        str(ROOT / "train.py"),
        "data=all",
        "debug=fast",
        f"data_dir={tmp_path}",
        f"data.concepts={tmp_path / 'concepts.csv'}",
        f"hydra.run.dir={tmp_path / 'run'}",
    ]
    environment = {**os.environ, "MLFLOW_TRACKING_URI": tracking, "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    table = metrics_table(tmp_path / "run")
    for corpus in ("", "snomed/", "distemist/", "cometa/"):
        for metric in ("precision", "recall", "f1"):
            assert f"test/{corpus}{metric}" in table
