"""Running the entry scripts as a user does, each in a process of its own.

The process is forked from a server that has imported `tests.preloaded`: the imports of a fresh one
take longer than all else that a small run does.
"""

import atexit
import csv
import multiprocessing
import os
import runpy
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
FORKED = multiprocessing.get_context("forkserver")


def metrics_table(run_folder: Path) -> dict[str, float]:
    """The last value of each metric that a run logged, charted or not."""
    with (run_folder / "metrics.csv").open(newline="") as file:
        return {row["metric"]: float(row["value"]) for row in csv.DictReader(file)}


class Entry:
    """`python <script> <overrides>`, started in `folder`, with MLflow there too."""

    def __init__(self, script: str, *overrides: str, folder: Path) -> None:
        self.command = [str(ROOT / script), *overrides]
        self._said = tempfile.TemporaryDirectory()
        self._files = [Path(self._said.name) / name for name in ("stdout", "stderr")]
        environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{folder / 'mlflow.db'}"}
        self.process = FORKED.Process(
            target=_run, args=(self.command, folder, environment, self._files)
        )
        self.process.start()

    def end(self, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Wait for the end, at most so many seconds. Nothing is asserted."""
        self.process.join(timeout)
        code = self.process.exitcode
        if code is None:
            self.process.kill()
            raise TimeoutError(f"{self.command} runs for more than {timeout} s")
        with self._said:
            said = [file.read_text() for file in self._files]
        return subprocess.CompletedProcess(self.command, code, *said)


def run_entry(script: str, *overrides: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `python <script> <overrides>` to its end. Nothing is asserted."""
    return Entry(script, *overrides, folder=folder).end()


def _run(command: list[str], folder: Path, environment: dict[str, str], files: list[Path]) -> None:
    """Become the process that `python <command>` starts."""
    for number, file in enumerate(files, start=1):
        os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT), number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.argv = command
    sys.path.insert(0, str(ROOT))
    try:
        runpy.run_path(command[0], run_name="__main__")
    finally:
        atexit._run_exitfuncs()  # multiprocessing ends a process without them.
