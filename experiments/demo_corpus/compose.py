"""Composes the demonstration corpus: a concept table and annotated notes of invented patients.

Run `python experiments/demo_corpus/compose.py --overwrite`; the same seed gives the same bytes.
"""

import argparse
import csv
import json
import random
from pathlib import Path

from bank import Concept, read_common, read_concepts, read_pools, read_scenarios
from notes import Composer, Note
from short_notes import read_short_notes
from surface import Wording

HERE = Path(__file__).resolve().parent
TARGET = HERE.parents[1] / "src" / "embedlink" / "demo"
KINDS = {"D": "disorder", "S": "finding", "P": "procedure", "M": "medication"}
KINDS |= {"O": "observable", "A": "anatomy"}
COLUMNS = ["cui", "name", "ontologies", "name_status", "type_ids", "description"]
DATED = "2024-01-01T00:00:00"


def write_concepts(concepts: dict[str, Concept], path: Path) -> None:
    """The table in the columns of MedCAT's CDB maker, one row a name."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for concept in concepts.values():
            for number, name in enumerate(concept.names):
                status = "A" if number else "P"
                writer.writerow([concept.cui, name.text, "DEMO", status, KINDS[concept.kind], ""])


def _annotation(number: int, start: int, end: int, cui: str, text: str) -> dict[str, object]:
    flags = {"validated": True, "correct": True, "killed": False, "deleted": False}
    place = {"id": number, "start": start, "end": end, "cui": cui, "value": text[start:end]}
    return place | flags


def project(
    name: str, number: int, notes: list[Note], concepts: dict[str, Concept]
) -> dict[str, object]:
    """One project of a MedCATtrainer export; ids differ between projects."""
    documents: list[dict[str, object]] = []
    mention = number * 100_000
    for index, note in enumerate(notes, start=1):
        annotations = []
        for start, end, slug in note.mentions:
            mention += 1
            annotations.append(_annotation(mention, start, end, concepts[slug].cui, note.text))
        document = {"id": number * 10_000 + index, "name": f"{name}-{index:04d}-{note.scenario}"}
        document |= {"text": note.text, "last_modified": DATED, "annotations": annotations}
        documents.append(document)
    return {"name": name, "id": number, "cuis": "", "tuis": "", "documents": documents}


def compose(seed: int) -> tuple[dict[str, Concept], dict[str, list[Note]]]:
    """The concepts, and the notes of both parts."""
    rng = random.Random(seed)
    concepts = read_concepts(HERE / "concepts.txt")
    files = sorted((HERE / "phrases").glob("*.txt"))
    scenarios = [scenario for file in files for scenario in read_scenarios(file)]
    common, pools = read_common(HERE / "common.txt"), read_pools(HERE / "pools.txt")
    composer = Composer(Wording(concepts, rng), scenarios, common, pools, rng)
    parts = {"train": composer.train_notes(), "test": composer.test_notes()}
    short = read_short_notes(HERE / "short_notes.txt")
    return concepts, {name: notes + short[name] for name, notes in parts.items()}


def main() -> None:
    """Write `concepts.csv` and `notes.json`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=392)
    parser.add_argument("--target", type=Path, default=TARGET)
    parser.add_argument("--overwrite", action="store_true", help="replace what is there")
    options = parser.parse_args()
    files = [options.target / name for name in ("concepts.csv", "notes.json")]
    there = [file for file in files if file.exists()]
    if there and not options.overwrite:
        raise SystemExit(f"error: {there[0]}: is there already; --overwrite replaces it")
    concepts, parts = compose(options.seed)
    options.target.mkdir(parents=True, exist_ok=True)
    write_concepts(concepts, options.target / "concepts.csv")
    projects = [project(name, n, parts[name], concepts) for n, name in enumerate(parts, start=1)]
    export = json.dumps({"projects": projects}, ensure_ascii=False) + "\n"
    (options.target / "notes.json").write_text(export, encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
