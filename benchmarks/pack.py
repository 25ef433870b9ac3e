"""A model pack beside upstream's: the same weights, names and documents, from one run.

python -m benchmarks.pack runs/<day>/<time>/pack data/ncbi_disease/NCBItestset_corpus.txt

The pack is exported for `medcat-embedding-linker` first. The sides then take turns, each time in
a process of its own, so that other load on the machine meets both; medians of `--repeats` are
printed. Processor time per document says most where the machine is shared. Loading includes no
imports.
"""

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from benchmarks.measure import whole_peak

Timings = dict[str, float]


def texts(path: Path) -> list[str]:
    """The documents of a PubTator file."""
    from embedlink.corpora.pubtator import PubTator
    from embedlink.problems import Problems

    return [note.text for note in PubTator("notes", {"test": str(path)}).read(Problems())]


def measure(pack: Path, notes: Path, unseen: bool) -> Timings:
    """Load the pack in this process and link the documents one by one, as services do."""
    warnings.simplefilter("ignore")
    import medcat.cat
    import torch
    import transformers  # noqa: F401 (so that loading times no imports)

    documents = texts(notes)
    if unseen:  # Upstream's short cut, in both: a span's only candidate is not looked at.
        given = {"components": {"linking": {"always_calculate_similarity": False}}}
    else:
        given = {"components": {"linking": {"always_calculate_similarity": True}}}
    torch.zeros(1)
    start = time.perf_counter()
    cat = medcat.cat.CAT.load_model_pack(str(pack), config_dict=given)
    loaded = time.perf_counter()
    cat.get_entities(documents[0])
    first, processor = time.perf_counter(), time.process_time()
    found = [cat(text) for text in documents]
    done, processed = time.perf_counter(), time.process_time()
    return {
        "load_s": loaded - start,
        "first_document_s": first - loaded,
        "documents_per_s": len(documents) / (done - first),
        "processor_ms_per_document": 1000 * (processed - processor) / len(documents),
        "linked": sum(len(each.linked_ents) for each in found if each is not None),
        "peak_mb": whole_peak(),
    }


def in_new_process(pack: Path, notes: Path, unseen: bool) -> Timings:
    """`measure`, by itself."""
    command = [sys.executable, "-m", "benchmarks.pack", str(pack), str(notes), "--measure"]
    command += ["--unseen"] if unseen else []
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    run = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    timings: Timings = json.loads(run.stdout.splitlines()[-1])
    return timings


def size_mb(folder: Path) -> float:
    """Megabytes of the files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def compare(pack: Path, notes: Path, repeats: int, unseen: bool) -> None:
    """Print both sides' medians."""
    from embedlink.export.export import export_linker

    core = pack / "saved_components" / "core_linking"
    with tempfile.TemporaryDirectory() as folder:
        theirs = Path(folder) / "upstream"
        export_linker(core, "upstream", theirs, pack)
        sides = {"embedlink": pack, "upstream 0.4.0": theirs}
        print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores")
        runs: dict[str, list[Timings]] = {name: [] for name in sides}
        for _ in range(repeats):
            for name, side in sides.items():
                runs[name].append(in_new_process(side, notes, unseen))
        for name, side in sides.items():
            keys = runs[name][0]
            middle = {key: statistics.median(run[key] for run in runs[name]) for key in keys}
            shown = {"size_mb": size_mb(side)} | middle
            print(name.ljust(16), "  ".join(f"{key} {value:.3g}" for key, value in shown.items()))


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, help="a pack that train.py left")
    parser.add_argument("notes", type=Path, help="a PubTator file")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--unseen", action="store_true", help="link only candidates unseen")
    parser.add_argument("--measure", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        print(json.dumps(measure(given.pack, given.notes, given.unseen)))
    else:
        compare(given.pack, given.notes, given.repeats, given.unseen)


if __name__ == "__main__":
    main()
