"""Small corpora and concept databases written in the true published formats."""

import csv
import json
import os
from collections.abc import Sequence
from pathlib import Path

import pytest

LINKING_HEADER = ["filename", "mark", "label", "off0", "off1", "span", "code", "semantic_rel"]
COMETA_HEADER = [
    "ID",
    "Term",
    "General SNOMED Label",
    "General SNOMED ID",
    "Specific SNOMED Label",
    "Specific SNOMED ID",
    "Example",
    "Example Link",
    "Origin_Sheet",
]
LONG = os.environ.get("EMBEDLINK_LONG") == "1"
"""The long mode of the suite: 10,000 and more cases of the property-based tests."""


def published(folder: str) -> Path:
    """A folder of the published data, or a skip where it is not there."""
    root = os.environ.get("EMBEDLINK_DATA")
    if not root:
        pytest.skip("set EMBEDLINK_DATA to the folder of the published corpora")
    if not (Path(root) / folder).is_dir():
        pytest.skip(f"EMBEDLINK_DATA holds no {folder}")
    return Path(root) / folder


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode())
    return path


def tsv(rows: Sequence[Sequence[object]]) -> str:
    return "".join("\t".join(map(str, row)) + "\n" for row in rows)


def linking_row(name: str, mark: str, text: str, span: str, code: str) -> list[object]:
    start = text.index(span)
    return [name, mark, "ENFERMEDAD", start, start + len(span), span, code, "EXACT"]


def write_distemist(folder: Path) -> Path:
    """Both parts of the Zenodo layout: 3 texts, one without codes, and a test text."""
    texts = {
        "caso-1": "Paciente con asma y dolor torácico.\nSin fiebre.",
        "caso-2": "Mujer con diabetes y neumonía bilateral.",
        "caso-3": "Varón con tos.",
    }
    for name, text in texts.items():
        write(folder / "training" / "text_files" / f"{name}.txt", text)
    linked = [
        linking_row("caso-1", "T1", texts["caso-1"], "asma", "195967001"),
        linking_row("caso-1", "T2", texts["caso-1"], "dolor torácico", "29857009+22253000"),
        linking_row("caso-2", "T1", texts["caso-2"], "diabetes", "73211009"),
        linking_row("caso-2", "T2", texts["caso-2"], "neumonía bilateral", "NOMAP"),
    ]
    unlinked = linking_row("caso-3", "T1", texts["caso-3"], "tos", "")
    training = folder / "training"
    for part, rows in (("training1", linked[:2]), ("training2", linked[2:])):
        name = f"distemist_subtrack2_{part}_linking.tsv"
        write(training / "subtrack2_linking" / name, tsv([LINKING_HEADER, *rows]))
    crossmappings = (
        training / "subtrack2_linking" / "distemist_subtrack2_training1_linking_crossmappings.tsv"
    )
    write(crossmappings, "not read\n")
    mentions = [row[:6] for row in [*linked, unlinked]]
    entities = training / "subtrack1_entities" / "distemist_subtrack1_training_mentions.tsv"
    write(entities, tsv([LINKING_HEADER[:6], *mentions]))
    test = folder / "test_annotated"
    text = "Niño con asma grave."
    write(test / "text_files" / "caso-9.txt", text)
    row = linking_row("caso-9", "T1", text, "asma", "195967001")
    write(
        test / "subtrack2_linking" / "distemist_subtrack2_test_linking.tsv",
        tsv([LINKING_HEADER, row]),
    )
    return folder


def write_snomed(folder: Path, notes: int = 6) -> Path:
    """Both pairs of the SNOMED CT benchmark, the notes over several lines and with commas."""
    folder.mkdir(parents=True, exist_ok=True)
    for split, name, annotations in (
        ("train", "mimic-iv_notes_training_set.csv", "train_annotations.csv"),
        ("test", "mimic-iv_notes_test_set.csv", "test_annotations.csv"),
    ):
        texts = {
            f"{split}-{n}-DS-{n}": f'Admitted, {n} days.\nHx: "asthma"\nand diabetes in week {n}.'
            for n in range(notes)
        }
        rows = [
            [note, text.index(word), text.index(word) + len(word), code]
            for note, text in texts.items()
            for word, code in (("asthma", 195967001), ("diabetes", 73211009))
        ]
        write_csv(folder / name, ["note_id", "text"], list(texts.items()))
        write_csv(folder / annotations, ["note_id", "start", "end", "concept_id"], rows)
    return folder


def broken_deflate(zipped: bytes) -> bytes:
    """A zip whose first file, which must be deflated, begins with a block of no known type."""
    names = int.from_bytes(zipped[26:28], "little") + int.from_bytes(zipped[28:30], "little")
    return zipped[: 30 + names] + b"\xff" + zipped[31 + names :]


def write_csv(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[object]], delimiter: str = ","
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, lineterminator="\n")
        writer.writerows([header, *rows])
    return path


def cometa_row(number: int, term: str, example: str, code: int) -> list[object]:
    return [number, term, "label", code, "label", code + 1, example, "link", "sheet"]


def write_cometa(folder: Path) -> Path:
    """All parts of COMETA: located, tokenised, repeated and absent terms."""
    rows = {
        "train": [
            cometa_row(1, "Asthma", "my asthma is bad", 195967001),
            cometa_row(2, "type 2 diabetes", "i have type-free Type  2 diabetes !", 73211009),
            cometa_row(3, "can't sleep", "I can ' t sleep and can't sleep", 301345002),
            cometa_row(4, "migraines", "no such word here", 37796009),
        ],
        "dev": [cometa_row(5, "asthma", "asthma again", 195967001)],
        "test": [cometa_row(6, "diabetes", "diabetes runs in the family", 73211009)],
    }
    parts = [
        "random",
        *(f"{a}_{b}" for a in ("stratified", "zeroshot") for b in ("general", "specific")),
    ]
    for part in parts:
        for split, found in rows.items():
            write_csv(folder / "splits" / part / f"{split}.csv", COMETA_HEADER, found, "\t")
    write_csv(
        folder / "chv.csv", COMETA_HEADER, [row for found in rows.values() for row in found], "\t"
    )
    return folder


def write_snomed_table(path: Path) -> Path:
    """A concept table with the concepts of the three SNOMED CT corpora above."""
    names = {
        195967001: ["asthma", "asma", "bronchial asthma"],
        73211009: ["diabetes", "diabetes mellitus"],
        29857009: ["chest pain"],
        301345002: ["can't sleep", "insomnia"],
        37796009: ["migraine"],
    }
    rows = [
        [cui, name, "SNOMEDCT", "A" if position else "P", "T047", ""]
        for cui, strings in names.items()
        for position, name in enumerate(strings)
    ]
    header = ["cui", "name", "ontologies", "name_status", "type_ids", "description"]
    return write_csv(path, header, rows)


def write_release(folder: Path, date: str = "20240101") -> Path:
    """A SNOMED CT RF2 release in the true layout, with inactive concepts and descriptions."""
    root = folder / f"SnomedCT_InternationalRF2_PRODUCTION_{date}T120000Z"
    terminology = root / "Snapshot" / "Terminology"
    concept = ["id", "effectiveTime", "active", "moduleId", "definitionStatusId"]
    write(
        terminology / f"sct2_Concept_Snapshot_INT_{date}.txt",
        tsv(
            [
                concept,
                *(
                    [id_, date, active, 1, 2]
                    for id_, active in ((195967001, 1), (73211009, 1), (11, 0))
                ),
            ]
        ),
    )
    header = [
        "id",
        "effectiveTime",
        "active",
        "moduleId",
        "conceptId",
        "languageCode",
        "typeId",
        "term",
        "caseSignificanceId",
    ]
    full, synonym = "900000000000003001", "900000000000013009"
    rows = [
        (101, 1, 195967001, full, "Asthma (disorder)"),
        (102, 1, 195967001, synonym, 'Bronchial "asthma"'),
        (103, 0, 195967001, synonym, "Retired name"),
        (104, 1, 73211009, full, "Diabetes mellitus (disorder)"),
        (105, 1, 11, full, "Retired concept (finding)"),
    ]
    lines = [[i, date, active, 1, cui, "en", kind, term, 3] for i, active, cui, kind, term in rows]
    write(terminology / f"sct2_Description_Snapshot-en_INT_{date}.txt", tsv([header, *lines]))
    return root


def write_json(path: Path, value: object) -> Path:
    return write(path, json.dumps(value))


def write_ncbi(folder: Path) -> Path:
    """The three PubTator files and the concept table that `data=ncbi` reads."""
    diseases = {"D001": "ataxia", "D002": "colorectal cancer", "D003": "Wilson disease"}
    parts = {"train": 4, "develop": 2, "test": 2}
    number = 0
    for part, count in parts.items():
        blocks = []
        for _ in range(count):
            number += 1
            title = f"A family with {diseases['D001']}, report {number}."
            abstract = f"Two sibs had {diseases['D002']} and one had {diseases['D003']}."
            text = f"{title} {abstract}"
            lines = [f"{number}|t|{title}", f"{number}|a|{abstract}"]
            for code, name in diseases.items():
                at = text.index(name)
                lines.append(f"{number}\t{at}\t{at + len(name)}\t{name}\tDisease\t{code}")
            blocks.append("\n".join(lines) + "\n")
        write(folder / "ncbi_disease" / f"NCBI{part}set_corpus.txt", "\n".join(blocks))
    rows = [f"{code},{name},MESH,P,," for code, name in diseases.items()]
    header = "cui,name,ontologies,name_status,type_ids,description"
    write(folder / "concepts" / "mesh_disease.csv", "\n".join([header, *rows]) + "\n")
    return folder
