"""Timing contestants in turn, their memory, and the machine's own limits."""

import gc
import os
import platform
import statistics
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch.nn import functional as F

STATUS = Path("/proc/self/status")


@dataclass
class Timing:
    """What one contestant took. `rate` counts items a second; `memory` is the peak above before.

    `processor` is processor time over wall time: well under the number of threads, the machine
    was doing other work, and wall times say little.
    """

    benchmark: str
    contestant: str
    items: int
    seconds: float
    processor: float
    memory_mib: float
    notes: dict[str, float] = field(default_factory=dict)

    @property
    def rate(self) -> float:
        """Items a second."""
        return self.items / self.seconds

    def row(self) -> dict[str, object]:
        """Plain values for JSON."""
        return {**asdict(self), "rate": self.rate}


def race(
    benchmark: str,
    contestants: Mapping[str, tuple[int, Callable[[], object]]],
    repeats: int,
    clock: str = "wall",
) -> list[Timing]:
    """Run all contestants in turn, `repeats` times, and take medians.

    `contestants` gives the items that each works on and its work; `clock` is wall or processor.
    """
    taken: dict[str, list[tuple[float, float, float]]] = {name: [] for name in contestants}
    for _ in range(repeats):
        for name, (_, work) in contestants.items():
            taken[name].append(_time(work))
    timings = []
    for name, times in taken.items():
        wall, processor, memory = (statistics.median(column) for column in zip(*times, strict=True))
        items = contestants[name][0]
        seconds = processor if clock == "processor" else wall
        timings.append(Timing(benchmark, name, items, seconds, processor / wall, memory))
        print(f"  {benchmark}: {name}: {items / seconds:,.1f}/s", flush=True)
    return timings


def _time(work: Callable[[], object]) -> tuple[float, float, float]:
    gc.collect()
    with peak_memory() as peak:
        start, processor = time.perf_counter(), time.process_time()
        work()
        _wait()
        wall = time.perf_counter() - start
        processor = time.process_time() - processor
    return wall, processor, peak[0]


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@contextmanager
def peak_memory() -> Iterator[list[float]]:
    """Yield a list that ends up with the peak of resident memory above the present, in MiB."""
    before = _resident()
    peak, done = [0.0], threading.Event()

    def watch() -> None:
        while not done.wait(0.005):
            peak[0] = max(peak[0], _resident() - before)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield peak
    finally:
        done.set()
        watcher.join()


def _resident(field: str = "VmRSS") -> float:
    if not STATUS.exists():
        return 0.0
    line = next(row for row in STATUS.read_text().splitlines() if row.startswith(field))
    return int(line.split()[1]) / 1024


def whole_peak() -> float:
    """Most memory that this process ever had resident, in MiB, mapped files included."""
    return _resident("VmHWM")


def matrix_rate(dtype: torch.dtype, clock: str = "wall") -> float:
    """Operations a second of the machine's own matrix product at an encoder's shape."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    rows, inner, width = 65536 if device == "cuda" else 2048, 384, 1536
    left = torch.randn(rows, inner, device=device, dtype=dtype)
    right = torch.randn(width, inner, device=device, dtype=dtype)
    with torch.inference_mode():
        times = [_time(lambda: [F.linear(left, right) for _ in range(3)]) for _ in range(5)]
    seconds = statistics.median(time[clock == "processor"] for time in times)
    return 3 * 2 * rows * width * inner / seconds


def machine(clock: str = "wall") -> dict[str, object]:
    """What the timings were measured on."""
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {
        "processor": processor_name(),
        "threads": torch.get_num_threads(),
        "gpu": gpu,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "load": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "float32_gflops": matrix_rate(torch.float32, clock) / 1e9,
        "bfloat16_gflops": matrix_rate(torch.bfloat16, clock) / 1e9,
    }


def processor_name() -> str:
    """The name of the processor."""
    info = Path("/proc/cpuinfo")
    names: Iterable[str] = info.read_text().splitlines() if info.exists() else ()
    name = next((row.split(":")[1].strip() for row in names if row.startswith("model name")), "")
    return name or platform.processor() or platform.machine()
