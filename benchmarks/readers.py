"""How long the readers take, and how much memory, on input of the size that users have.

    python benchmarks/readers.py --gigabytes 1 --names 3000000

Generated input: a MedCATtrainer export of that size and a concept table with that many names
(five for each concept). Each is read in a process of its own; memory is that process' peak.
"""

import argparse
import multiprocessing
import random
import resource
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from embedlink.concepts.database import load_cdb
from embedlink.corpora.medcattrainer import MedCATtrainer, write_export
from embedlink.corpora.reading import read_corpora
from embedlink.problems import Problems
from embedlink.types import Document, Mention

NAMES_PER_CONCEPT = 5
WORDS_PER_NOTE = 500
MENTIONS_PER_NOTE = 40


def generate_documents(size: int) -> Iterator[Document]:
    """Documents whose export takes about `size` bytes: 500 words, 40 mentions each."""
    generator = random.Random(0)
    words = [
        "".join(generator.choices("abcdefghij", k=generator.randint(3, 9))) for _ in range(5000)
    ]
    written = number = 0
    while written < size:
        number += 1
        text, mentions = "", []
        for position in range(WORDS_PER_NOTE):
            word = generator.choice(words)
            if position % (WORDS_PER_NOTE // MENTIONS_PER_NOTE) == 0:
                mentions.append(Mention(len(text), len(text) + len(word), str(position)))
            text += word + " "
        yield Document(
            f"note-{number}", text, mentions=tuple(mentions), corpus="generated", split="train"
        )
        written += len(text) + 115 * len(mentions)


def generate_table(path: Path, names: int) -> None:
    """A concept table of three-word names, as a SNOMED CT release has them on average."""
    generator = random.Random(0)
    words = ["".join(generator.choices("abcdefghijklmnop", k=8)) for _ in range(60_000)]
    with path.open("w", encoding="utf-8") as file:
        file.write("cui,name,ontologies,name_status,type_ids,description\n")
        for row in range(names):
            status = "A" if row % NAMES_PER_CONCEPT else "P"
            name = " ".join(generator.choices(words, k=3))
            file.write(f"{10_000_000 + row // NAMES_PER_CONCEPT},{name},GEN,{status},T1,\n")


def read_export(path: Path) -> str:
    """Read the export as a run does."""
    documents, _ = read_corpora({"export": MedCATtrainer("generated", str(path))}, strict=True)
    return f"{len(documents)} documents, {sum(len(d.mentions) for d in documents)} mentions"


def read_table(path: Path) -> str:
    """Load the table as a run does."""
    cdb = load_cdb(path, Problems())
    return f"{len(cdb.cui2info)} concepts, {len(cdb.name2info)} names"


def measure(read: Callable[[Path], str], path: Path, answers: "multiprocessing.Queue[str]") -> None:
    """Read in this process, and answer with what was read, the seconds and the peak memory."""
    start = time.perf_counter()
    what = read(path)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    answers.put(f"{what}: {seconds:.0f} s, {peak:.1f} GiB peak")


def main() -> None:
    """Generate, measure, report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=1.0, help="size of the export")
    parser.add_argument("--names", type=int, default=3_000_000, help="names in the table")
    options = parser.parse_args()
    context = multiprocessing.get_context("spawn")  # a fork would inherit our memory
    with tempfile.TemporaryDirectory() as name:
        export, table = Path(name) / "export.json", Path(name) / "concepts.csv"
        write_export(generate_documents(int(options.gigabytes * 2**30)), export)
        generate_table(table, options.names)
        for read, path in ((read_export, export), (read_table, table)):
            answers = context.Queue()
            process = context.Process(target=measure, args=(read, path, answers))
            process.start()
            size = path.stat().st_size / 2**30
            print(f"{read.__name__} of {size:.2f} GiB: {answers.get()}", flush=True)
            process.join()


if __name__ == "__main__":
    main()
