"""What starting costs: processes that do nothing but import, and what their time goes to."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path

from benchmarks import upstream
from benchmarks.measure import Timing, race
from benchmarks.options import Options

ROOT = Path(__file__).resolve().parents[1]
COSTLY = 5
"""Packages named for each process, the most costly first."""

Starts = dict[str, list[str]]


def run(options: Options) -> list[Timing]:
    """Each start in processes of its own, by wall time: processor time would not be theirs."""
    every = starts()
    work: dict[str, tuple[int, Callable[[], object]]] = {
        name: (1, partial(_start, arguments)) for name, arguments in every.items()
    }
    timings = race("start-up", work, options.repeats)
    for timing in timings:
        traced = _start(["-X", "importtime", *every[timing.contestant]])
        timing.notes |= costly(traced.splitlines())
    return timings


def starts() -> Starts:
    """What is started, by name: the arguments of Python."""
    found = {
        "train.py --help": [str(ROOT / "train.py"), "--help"],
        "medcat": ["-c", "import medcat"],
        "embedlink plugin": ["-c", "import embedlink.plugin"],
        "embedlink components": ["-c", "import embedlink.medcat.trainable"],
    }
    if upstream.AVAILABLE:
        found["upstream plugin"] = ["-c", "import medcat_embedding_linker"]
    return found


def _start(arguments: list[str]) -> str:
    """Run Python; returns what it said of its imports."""
    command = [sys.executable, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stderr


def costly(trace: Iterable[str]) -> dict[str, float]:
    """Seconds of the packages that cost most by themselves, of a trace by `-X importtime`."""
    seconds: dict[str, float] = {}
    for line in trace:
        found = re.match(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\w+)", line)
        if found:
            package = found[2]
            seconds[package] = seconds.get(package, 0.0) + int(found[1]) / 1e6
    most = sorted(seconds, key=lambda package: -seconds[package])[:COSTLY]
    return {f"{package}_s": seconds[package] for package in most}
