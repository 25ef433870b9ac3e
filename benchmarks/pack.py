"""A model pack beside upstream's: the same weights, names and notes, from one run.

python -m benchmarks.pack runs/<day>/<time>/pack demo data/ncbi_disease/NCBItestset_corpus.txt \
    data/notes.jsonl

Notes are `demo`, a PubTator file, a MedCATtrainer export, or what `data.unlabelled` reads. The pack
is exported for `medcat-embedding-linker` first. The sides then take turns, each in a process of its
own, so that other load on the machine meets both, and medians of `--repeats` are printed. Processor
time per note says most if the machine is shared. Loading includes no imports.

`one` links one note at a time, as services do, and `together` hands 64 notes over. `first` is the
processor time of a character in the first note of the process, over the median of the next seven.
`--parts` prints where the processor time of a note goes.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.measure import processor_name, whole_peak
from benchmarks.stages import OURS, THEIRS, watched

Measured = dict[str, Any]
TOGETHER = 64
"""Notes that are handed over at once."""
SIDES = ("embedlink", "upstream 0.4.0")
COLUMNS = ("one_ms", "one_notes_per_s", "together_ms", "together_notes_per_s", "first", "load_s",
           "peak_mb", "linked")  # fmt: skip


def texts(notes: str) -> list[str]:
    """The texts of notes in any form that is named above."""
    from embedlink.corpora.medcattrainer import MedCATtrainer
    from embedlink.corpora.protocol import Corpus
    from embedlink.corpora.pubtator import PubTator
    from embedlink.corpora.unlabelled import read_notes
    from embedlink.problems import Problems

    corpus: Corpus
    path = "package://embedlink/demo/notes.json" if notes == "demo" else notes
    if path.endswith(".json"):
        corpus = MedCATtrainer("notes", path)
    elif path.endswith(".txt"):
        corpus = PubTator("notes", {"test": path})
    else:
        return read_notes(path)
    return [note.text for note in corpus.read(Problems())]


def load(pack: Path) -> Any:
    """The pack's CAT. Each span is compared with its candidates, also if there is only one."""
    from medcat.cat import CAT

    given = {"components": {"linking": {"always_calculate_similarity": True}}}
    return CAT.load_model_pack(str(pack), config_dict=given)


def many(side: str, cat: Any, notes: Sequence[str]) -> Iterator[Any]:
    """The output of each note, handed over together in the best way that a side has."""
    from embedlink.medcat.many import annotate

    if side == SIDES[0]:
        return annotate(cat, notes, notes=TOGETHER)
    found = cat.get_entities_multi_texts(notes, batch_size_chars=-1, batch_size=TOGETHER)
    return (entities for _, entities in found)


def measure(side: str, pack: Path, notes: Sequence[str]) -> Measured:
    """Load the pack in this process and link the notes."""
    import torch
    import transformers  # noqa: F401 (so that loading times no imports)

    torch.zeros(1)
    start = time.perf_counter()
    cat = load(pack)
    loaded = time.perf_counter()
    calls = []  # Seconds of a character, because notes differ in length.
    for text in notes[:8]:
        begun = time.process_time()
        cat.get_entities(text)
        calls.append((time.process_time() - begun) / len(text))
    result: Measured = {
        "load_s": loaded - start,
        "first": calls[0] / statistics.median(calls[1:]),
        "peak_one_mb": whole_peak(),
    }
    ways: dict[str, Callable[[], list[Any]]] = {
        "one": lambda: [cat.get_entities(text) for text in notes],
        "together": lambda: list(many(side, cat, notes)),
    }
    for name, run in ways.items():
        wall, processor = time.perf_counter(), time.process_time()
        found = run()
        processor, wall = time.process_time() - processor, time.perf_counter() - wall
        result[f"{name}_ms"] = 1000 * processor / len(notes)
        result[f"{name}_notes_per_s"] = len(notes) / wall
        links = [sorted((each["start"], each["end"], each["cui"])
                        for each in one["entities"].values()) for one in found]  # fmt: skip
        result[f"{name}_links"] = links
    result["linked"] = sum(map(len, result["one_links"]))
    result["peak_mb"] = whole_peak()
    with watched(OURS if side == SIDES[0] else THEIRS) as taken:
        for text in notes:
            cat.get_entities(text)
    result["parts"] = {part: 1000 * seconds / len(notes) for part, seconds in taken.items()}
    return result


def in_new_process(side: str, pack: Path, notes: str, limit: int, threads: int) -> Measured:
    """`measure`, by itself."""
    command = [sys.executable, "-m", "benchmarks.pack", str(pack), notes, "--measure", side]
    command += ["--limit", str(limit)]
    given = {"HF_HUB_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "false"}
    given |= {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    run = subprocess.run(command, check=True, capture_output=True, text=True,
                         env=os.environ | given)  # fmt: skip
    measured: Measured = json.loads(run.stdout.splitlines()[-1])
    return measured


def size_mb(folder: Path) -> float:
    """Megabytes of the files in a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6


def middle(runs: Sequence[Measured]) -> Measured:
    """The median of every number, and the parts of the run with the median time."""
    result = {key: statistics.median(run[key] for run in runs) for key in COLUMNS}
    ordered = sorted(runs, key=lambda run: float(run["one_ms"]))
    return result | {"parts": ordered[len(runs) // 2]["parts"]}


def compare(given: argparse.Namespace, packs: dict[str, Path]) -> Iterator[str]:
    """Yield the lines of the tables."""
    yield f"{processor_name()}, {os.cpu_count()} cores"
    yield ", ".join(f"{side}: {size_mb(pack):.1f} MB" for side, pack in packs.items())
    for notes in given.notes:
        for threads in given.threads:
            runs: dict[str, list[Measured]] = {side: [] for side in packs}
            for _ in range(given.repeats):
                for side, pack in packs.items():
                    runs[side].append(in_new_process(side, pack, notes, given.limit, threads))
            shown = {side: middle(own) for side, own in runs.items()}
            yield f"\n### {Path(notes).name}, {threads} thread(s)\n"
            yield "| side | " + " | ".join(COLUMNS) + " |"
            yield "|---|" + "---:|" * len(COLUMNS)
            for side, own in shown.items():
                yield f"| {side} | " + " | ".join(f"{own[key]:.4g}" for key in COLUMNS) + " |"
            ours, theirs = (shown[side] for side in SIDES)
            yield (
                f"\nours over upstream's: one {ours['one_ms'] / theirs['one_ms']:.2f}, together "
                f"{ours['together_ms'] / theirs['together_ms']:.2f} of processor time"
            )
            yield from same_links(runs[SIDES[0]][0])
            if given.parts:
                yield from parts_table(shown)


def same_links(run: Measured) -> Iterator[str]:
    """How many links differ between one note at a time and many together."""
    pairs = list(zip(run["one_links"], run["together_links"], strict=True))
    differing = sum(len({*map(tuple, a)} ^ {*map(tuple, b)}) for a, b in pairs)
    yield f"links that differ between one at a time and together: {differing}"


def parts_table(shown: dict[str, Measured]) -> Iterator[str]:
    """The processor time of a note by part."""
    yield "\n| ms of a note | " + " | ".join(shown) + " |\n|---|" + "---:|" * len(shown)
    for part in dict.fromkeys(part for own in shown.values() for part in own["parts"]):
        cells = (f"{own['parts'].get(part, 0):.1f}" for own in shown.values())
        yield f"| {part} | " + " | ".join(cells) + " |"


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pack", type=Path, help="a pack that train.py left")
    parser.add_argument("notes", nargs="+", help="demo, or files of notes")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--limit", type=int, default=TOGETHER, help="notes of each file")
    parser.add_argument("--threads", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--parts", action="store_true", help="where a note's time goes")
    parser.add_argument("--upstream", type=Path, help="an exported pack, to export none anew")
    parser.add_argument("--measure", choices=SIDES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.measure:
        warnings.simplefilter("ignore")
        found = measure(given.measure, given.pack, texts(given.notes[0])[: given.limit])
        print(json.dumps(found))
        return
    from embedlink.export.export import export_linker

    with tempfile.TemporaryDirectory() as folder:
        theirs = given.upstream or Path(folder) / "upstream"
        if not theirs.exists():
            core = given.pack / "saved_components" / "core_linking"
            export_linker(core, "upstream", theirs, given.pack)
        for line in compare(given, dict(zip(SIDES, (given.pack, theirs), strict=True))):
            print(line, flush=True)


if __name__ == "__main__":
    main()
