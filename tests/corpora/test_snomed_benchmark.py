import csv
import re
from pathlib import Path

import pytest

from embedlink.corpora.shifted import Repair, find_repair
from embedlink.corpora.snomed_benchmark import NOTES, SnomedBenchmark
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document, Span
from tests.written import write_csv, write_snomed

WORDS = re.compile("asthma|copd|oxygen|fever|cough")
LINES = ["Hx of ", "asthma and copd", " on oxygen, no fever", " cough", "today"]


def read(folder: Path, repair: bool = True) -> tuple[list[Document], Problems]:
    problems = Problems()
    return list(SnomedBenchmark("snomed", str(folder), repair).read(problems)), problems


def surfaces(document: Document) -> list[str]:
    return [document.text[m.start : m.end] for m in document.mentions]


def test_both_pairs(tmp_path: Path) -> None:
    documents, problems = read(write_snomed(tmp_path))
    assert [document.split for document in documents] == ["train"] * 6 + ["test"] * 6
    assert all(surfaces(document) == ["asthma", "diabetes"] for document in documents)
    assert [m.code for m in documents[0].mentions] == ["195967001", "73211009"]
    assert not problems.found


def test_a_note_published_twice_has_its_annotations_twice(tmp_path: Path) -> None:
    folder = write_snomed(tmp_path, notes=1)
    notes = folder / "mimic-iv_notes_training_set.csv"
    with notes.open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(["train-0-DS-0", 'Admitted, 0 days.\nHx: "asthma"\nand diabetes'])
    documents, _ = read(folder)
    assert [surfaces(d) for d in documents if d.split == "train"] == [["asthma", "diabetes"]] * 2


@pytest.mark.parametrize("split", ["train", "test"])
def test_other_file_names_and_one_pair_alone(tmp_path: Path, split: str) -> None:
    folder = write_snomed(tmp_path)
    old, new = NOTES[split]
    (folder / old).rename(folder / new)
    other = "test" if split == "train" else "train"
    (folder / NOTES[other][0]).unlink()
    documents, problems = read(folder)
    assert {document.split for document in documents} == {split}
    assert [(p.reason, p.counted) for p in problems.found] == [("one file of a pair", True)]


def test_missing_files_name_folder_names_and_access(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(EmbedLinkError) as caught:
            read(path)
        assert str(path) in str(caught.value)
        assert "https://physionet.org" in str(caught.value)
    with pytest.raises(EmbedLinkError, match=r"train_notes\.csv with train_annotations\.csv"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("row", "reason", "line"),
    [
        (["train-0-DS-0", 0, 9999, 1], "offsets outside the text", 14),
        (["train-0-DS-0", 9, 2, 1], "end before start", 14),
        (["train-0-DS-0", "x", 2, 1], "offset is not a number", 14),
        (["train-0-DS-0", "9" * 5000, 2, 1], "offset is not a number", 14),
        (["train-0-DS-0", 9, 12, "7.3E+17"], "the identifier has lost digits: a power of ten", 14),
        (["train-0-DS-0", 9, 12, "1959670.0"], "the identifier has decimals", 14),
        (["nobody-1", 1, 2, 1], "missing note", 14),
    ],
)
def test_bad_rows(tmp_path: Path, row: list[object], reason: str, line: int) -> None:
    folder = write_snomed(tmp_path)
    with (folder / "train_annotations.csv").open("a", encoding="utf-8") as file:
        file.write(",".join(map(str, row)) + "\n")
    documents, problems = read(folder)
    assert [(p.reason, p.line) for p in problems.rejected] == [(reason, line)]
    assert sum(len(document.mentions) for document in documents) == 24


@pytest.mark.parametrize(
    ("note", "annotated"),
    [
        ("<br>", "\n"),
        ("<br>", ""),
        ("<BR />", "\n"),
        ("\n", "<br>"),
        ("\n", "<br>\n"),
        ("\r\n", "\n"),
        ("\n", "\r\n"),
    ],
)
def test_annotations_shifted_by_line_breaks_are_repaired(
    tmp_path: Path, note: str, annotated: str
) -> None:
    spans = [match.span() for match in WORDS.finditer(annotated.join(LINES))]
    write_csv(tmp_path / "train_notes.csv", ["note_id", "text"], [["n-1", note.join(LINES)]])
    rows = [["n-1", start, end, 100 + start] for start, end in spans]
    write_csv(tmp_path / "train_annotations.csv", ["note_id", "start", "end", "concept_id"], rows)
    (document,), problems = read(tmp_path)
    assert surfaces(document) == ["asthma", "copd", "oxygen", "fever", "cough"]
    (shift,) = [problem for problem in problems.found if problem.reason != "CRLF"]
    assert (shift.reason, shift.value) == (
        "offsets of another version of the text",
        "n-1 5 annotations",
    )
    assert shift.repaired
    (unmoved,), problems = read(tmp_path, repair=False)
    assert surfaces(unmoved) != surfaces(document)


def test_right_offsets_are_left_alone() -> None:
    text = "<br>".join(LINES)
    assert find_repair(text, [Span(*match.span()) for match in WORDS.finditer(text)]) == Repair()
    assert not find_repair(text, [Span(1, 3), Span(2, 5)]).doubtful  # too few to tell


def test_a_shift_that_nothing_explains_is_counted_and_kept(tmp_path: Path) -> None:
    text = " ".join(LINES)
    rows = [["n-1", m.start() + 2, m.end() + 2, 1] for m in WORDS.finditer(text)]
    write_csv(tmp_path / "train_notes.csv", ["note_id", "text"], [["n-1", text]])
    write_csv(tmp_path / "train_annotations.csv", ["note_id", "start", "end", "concept_id"], rows)
    (document,), problems = read(tmp_path)
    assert [m.start for m in document.mentions] == [row[1] for row in rows]
    assert [(p.reason, p.counted) for p in problems.found] == [("annotations look shifted", True)]
