"""What a process needs that searches a stored index: bfloat16 vectors, mapped from their file."""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from benchmarks.inputs import queries_near, spread
from benchmarks.linking import DOCUMENT, K, index_over, real_vectors
from benchmarks.measure import Timing, whole_peak
from benchmarks.options import Options
from embedlink.linking.parts import read_tensors

QUERIES = 512


def run(options: Options) -> list[Timing]:
    """Every size, each in a process of its own, whose whole peak is reported."""
    base = real_vectors(options)
    timings = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "index.safetensors"
        for size in options.sizes:
            save_file({"vectors": _bfloat16(base, size)}, path)
            command = [sys.executable, "-m", "benchmarks.stored", str(path)]
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            found = json.loads(done.stdout.splitlines()[-1])
            seconds, peak = found.pop("seconds"), found.pop("peak_mib")
            found["file_mib"] = path.stat().st_size / 2**20
            name, contestant = "search in a stored index", f"{size} names"
            timings.append(Timing(name, contestant, QUERIES, seconds, 0.0, peak, found))
            print(f"  stored: {size} names: {found}", flush=True)
    return timings


def _bfloat16(base: Tensor, size: int, part: int = 262_144) -> Tensor:
    """Unit vectors around the given ones. Shape: base (names, dim) -> (size, dim)."""
    vectors = torch.empty(size, base.shape[1], dtype=torch.bfloat16)
    for number, low in enumerate(range(0, size, part)):
        count = min(part, size - low)
        vectors[low : low + count] = spread(base, count, number).bfloat16()
    return vectors


def measure(path: Path) -> dict[str, float]:
    """Load the index and search it."""
    start = time.perf_counter()
    index = index_over(read_tensors(path)["vectors"])
    loaded = time.perf_counter()
    queries = queries_near(index.vectors[:100_000].float(), QUERIES)
    index.search_names(queries[:DOCUMENT], K)
    first = time.perf_counter()
    index.search_names(queries, K)
    return {
        "load_s": loaded - start,
        "first_six_s": first - loaded,
        "seconds": time.perf_counter() - first,
        "peak_mib": whole_peak(),
    }


if __name__ == "__main__":
    print(json.dumps(measure(Path(sys.argv[1]))))
