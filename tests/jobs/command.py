"""Running the entry scripts as a user does, in a process of their own."""

import csv
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def metrics_table(run_folder: Path) -> dict[str, float]:
    """The last value of each metric that a run logged, charted or not."""
    with (run_folder / "metrics.csv").open(newline="") as file:
        return {row["metric"]: float(row["value"]) for row in csv.DictReader(file)}


def run_entry(
    script: str, *overrides: str, folder: Path, seed: str = "0"
) -> subprocess.CompletedProcess[str]:
    """Run `python <script> <overrides>` with MLflow in `folder`; nothing is asserted."""
    environment = {
        **os.environ,
        "MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}",
        "PYTHONHASHSEED": seed,
        "OMP_WAIT_POLICY": "PASSIVE",
    }
    return subprocess.run(
        [sys.executable, str(ROOT / script), *overrides],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
