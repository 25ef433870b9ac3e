"""Many notes through `annotate.py`: rate, memory, and rows after three kills.

`python -m benchmarks.annotation <pack> --notes 10000` repeats the demonstration's notes, each with
another first sentence. It annotates them in one process, in two, and on a local Ray cluster of two
nodes if Ray is installed. A further job in two processes is killed three times and started again.
All rows are compared with those of one process. `annotation.png` shows notes and memory over time.
"""

import argparse
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from itertools import cycle, islice
from pathlib import Path

import pandas as pd
import psutil

from embedlink.files.paths import resolve

DEMO = "package://embedlink/demo/notes.json"
ENTRY = Path(__file__).parents[1] / "annotate.py"


@dataclass
class Course:
    """What was seen of a job, every second: seconds, parts that were there, bytes of memory."""

    seconds: float = 0.0
    processor: float = 0.0  # seconds, of the job's own processes
    seen: list[tuple[float, int, int]] = field(default_factory=list)


def write_notes(path: Path, count: int) -> None:
    """Write this many notes of the demonstration, none twice the same."""
    projects = json.loads(resolve(DEMO).read_text("utf-8"))["projects"]
    texts = [document["text"] for project in projects for document in project["documents"]]
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(islice(cycle(texts), count)):
            note = {"id": f"note-{number}", "text": f"Visit {number}. {text}"}
            file.write(json.dumps(note) + "\n")


def run(arguments: Sequence[str], output: Path, kill_at: Sequence[int] = ()) -> Course:
    """Run the job, killed once for each number of parts in `kill_at` and started again."""
    course, start, before = Course(), time.monotonic(), _processor()
    waiting = list(kill_at)
    while True:
        command = [sys.executable, str(ENTRY), *arguments, f"output={output}"]
        job = subprocess.Popen(command)
        while job.poll() is None:
            time.sleep(1)
            parts = len(list(output.glob("part-*.parquet")))
            course.seen.append((time.monotonic() - start, parts, _memory(job.pid)))
            if waiting and parts >= waiting[0]:
                waiting.pop(0)
                job.send_signal(signal.SIGKILL)
        if job.returncode not in (0, -signal.SIGKILL):
            raise SystemExit(f"{output.name} ended with {job.returncode}")
        if job.returncode == 0:
            course.seconds = time.monotonic() - start
            course.processor = _processor() - before
            return course


def _processor() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _memory(pid: int) -> int:
    """Resident bytes of a process and all below it. What they share counts several times."""
    total = 0
    try:
        job = psutil.Process(pid)
        for each in (job, *job.children(recursive=True)):
            total += each.memory_info().rss
    except psutil.Error:  # It has just ended.
        pass
    return total


@contextmanager
def cluster() -> Iterator[str]:
    """The address of a local Ray cluster of two nodes with one core each."""
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    made.add_node(num_cpus=1)
    try:
        yield made.address
    finally:
        made.shutdown()


def plot(courses: dict[str, Course], per_part: int, path: Path) -> None:
    """Notes and memory over the time of each job."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot

    figure, (notes, memory) = pyplot.subplots(2, sharex=True)
    for name, course in courses.items():
        seconds, parts, used = zip(*course.seen, strict=True)
        notes.plot(seconds, [part * per_part for part in parts], label=name)
        memory.plot(seconds, [each / 2**20 for each in used], label=name)
    notes.set(ylabel="notes")
    memory.set(ylabel="MiB", xlabel="seconds")
    notes.legend()
    figure.savefig(path)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack", type=Path)
    parser.add_argument("--notes", type=int, default=10_000)
    parser.add_argument("--per-part", type=int, default=100)
    parser.add_argument("--folder", type=Path, default=Path("bench/annotation"))
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True)
    notes = asked.folder / "notes.jsonl"
    write_notes(notes, asked.notes)
    common = [
        f"pack={asked.pack}",
        f"notes={notes}",
        "id_column=id",
        f"notes_per_part={asked.per_part}",
    ]
    parts = -(-asked.notes // asked.per_part)
    quarters = [max(1, parts * share // 4) for share in (1, 2, 3)]
    courses: dict[str, Course] = {}
    for name, own, kills in (
        ("one", ["processes=1"], []),
        ("two", ["processes=2"], []),
        ("killed", ["processes=2"], quarters),
    ):
        courses[name] = run([*common, *own], asked.folder / name, kills)
    if find_spec("ray"):
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        with cluster() as address:
            own = ["engine=ray", f"ray.address={address}"]
            courses["ray"] = run([*common, *own], asked.folder / "ray")
    expected = pd.read_parquet(asked.folder / "one")
    print("| job | notes a second | processor ms a note | same rows |\n|---|---|---|---|")
    for name, course in courses.items():
        same = pd.read_parquet(asked.folder / name).equals(expected)
        rate, cost = asked.notes / course.seconds, 1000 * course.processor / asked.notes
        print(f"| {name} | {rate:.2f} | {cost:.0f} | {same} |")
    print(f"{len(expected)} rows of {expected['note_id'].nunique()} notes")
    plot(courses, asked.per_part, asked.folder / "annotation.png")


if __name__ == "__main__":
    main()
