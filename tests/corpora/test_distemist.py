from pathlib import Path

import pytest

from embedlink.corpora.distemist import DisTEMIST
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document
from tests.written import LINKING_HEADER, published, tsv, write, write_distemist


def read(folder: Path, linked_only: bool = False) -> tuple[list[Document], Problems]:
    problems = Problems()
    return list(DisTEMIST("dis", str(folder), linked_only).read(problems)), problems


def codes(documents: list[Document]) -> list[list[str]]:
    return [[mention.code for mention in document.mentions] for document in documents]


def test_zenodo_layout(tmp_path: Path) -> None:
    documents, problems = read(write_distemist(tmp_path))
    assert [(d.id, d.split) for d in documents] == [
        ("caso-1", "train"),
        ("caso-2", "train"),
        ("caso-3", "train"),
        ("caso-9", "test"),
    ]
    assert codes(documents) == [
        ["195967001", "29857009+22253000"],
        ["73211009", "NOMAP"],
        [""],
        ["195967001"],
    ]
    assert [m.cui for m in documents[1].mentions] == ["73211009", None]
    assert not problems.found


def test_bare_training_folder_and_linked_only(tmp_path: Path) -> None:
    documents, _ = read(write_distemist(tmp_path) / "training", linked_only=True)
    assert [document.id for document in documents] == ["caso-1", "caso-2"]


def test_a_text_in_both_parts_is_a_duplicate(tmp_path: Path) -> None:
    folder = write_distemist(tmp_path)
    write(folder / "test_annotated" / "text_files" / "caso-1.txt", "Otro texto.")
    documents, problems = read(folder)
    assert documents[3].id == "caso-1#duplicate2"
    assert [p.reason for p in problems.found] == ["duplicate id"]


def test_crlf_texts_are_read_as_annotated(tmp_path: Path) -> None:
    folder = write_distemist(tmp_path) / "training"
    path = folder / "text_files" / "caso-1.txt"
    text = path.read_text(encoding="utf-8")
    row = folder / "subtrack2_linking" / "distemist_subtrack2_training1_linking.tsv"
    start = text.index("Sin fiebre")
    extra = ["caso-1", "T3", "ENFERMEDAD", start, start + 10, "Sin fiebre", "1", "EXACT"]
    row.write_text(row.read_text(encoding="utf-8") + tsv([extra]), encoding="utf-8")
    path.write_bytes(text.replace("\n", "\r\n").encode())
    documents, problems = read(folder)
    (first, *_) = documents
    assert first.text == text.replace("\n", "\r\n")
    surfaces = [first.text[m.start : m.end] for m in first.mentions]
    assert surfaces == ["asma", "dolor torácico", "Sin fiebre"]
    assert [(p.reason, p.repaired) for p in problems.found] == [
        ("offsets of another version of the text", True)
    ]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        (["caso-1", "T9", "E", 0, 999, "Paciente", "1", "EXACT"], "offsets outside the text"),
        (["caso-1", "T9", "E", 8, 0, "Paciente", "1", "EXACT"], "end before start"),
        (["caso-1", "T9", "E", "Paciente", 8, "Paciente", "1", "EXACT"], "offset is not a number"),
        (["caso-7", "T9", "E", 0, 8, "Paciente", "1", "EXACT"], "missing text file"),
        (["caso-1", "T9", "E", 0, 8, "Paciente"], "wrong number of cells"),
    ],
)
def test_bad_rows(tmp_path: Path, row: list[object], reason: str) -> None:
    folder = write_distemist(tmp_path) / "training"
    path = folder / "subtrack2_linking" / "distemist_subtrack2_training3_linking.tsv"
    write(path, tsv([LINKING_HEADER, row]))
    documents, problems = read(folder)
    assert [(p.file, p.line, p.reason) for p in problems.rejected] == [(str(path), 2, reason)]
    assert "Paciente" not in str(problems.rejected[0])
    assert sum(len(d.mentions) for d in documents) == 5


def test_a_document_whose_offsets_nothing_explains_is_left_out(tmp_path: Path) -> None:
    folder = write_distemist(tmp_path) / "training"
    path = folder / "subtrack2_linking" / "distemist_subtrack2_training3_linking.tsv"
    write(path, tsv([LINKING_HEADER, ["caso-1", "T9", "E", 0, 8, "Otra cosa", "1", "EXACT"]]))
    documents, problems = read(folder)
    assert [document.id for document in documents] == ["caso-2", "caso-3"]
    reason = "span text differs from the text at its offsets"
    assert [(p.file, p.line, p.reason) for p in problems.rejected] == [(str(path), 2, reason)]
    assert "Otra" not in str(problems.rejected[0])


@pytest.mark.parametrize(
    ("code", "cuis"),
    [
        ("nan", ()),
        ("CUI-less", ()),
        ("-", ()),
        ("195967001|73211009", ("195967001", "73211009")),
        ("195967001;73211009", ("195967001", "73211009")),
        ("SNOMEDCT:195967001, SNOMEDCT:73211009", ("195967001", "73211009")),
    ],
)
def test_codes_in_other_spellings(tmp_path: Path, code: str, cuis: tuple[str, ...]) -> None:
    folder = write_distemist(tmp_path) / "training"
    path = folder / "subtrack2_linking" / "distemist_subtrack2_training3_linking.tsv"
    write(path, tsv([LINKING_HEADER, ["caso-1", "T9", "E", 0, 8, "Paciente", code, "EXACT"]]))
    assert read(folder)[0][0].mentions[0].cuis == cuis


def test_damaged_codes_and_texts_left_out_are_told(tmp_path: Path) -> None:
    folder = write_distemist(tmp_path) / "training"
    path = folder / "subtrack2_linking" / "distemist_subtrack2_training3_linking.tsv"
    write(path, tsv([LINKING_HEADER, ["caso-1", "T9", "E", 0, 8, "Paciente", "1.9E+8", "E"]]))
    documents, problems = read(folder, linked_only=True)
    assert len(documents) == 2
    assert [(p.line, p.value, p.counted) for p in problems.found] == [
        (2, "1.9E+8", False),
        (None, "1 texts", True),
    ]


def test_wrong_header_and_delimiter(tmp_path: Path) -> None:
    folder = write_distemist(tmp_path) / "training"
    path = folder / "subtrack2_linking" / "distemist_subtrack2_training1_linking.tsv"
    for text, reason in (
        ("a\tb\n", "wrong header"),
        (",".join(LINKING_HEADER) + "\n", "wrong delimiter"),
    ):
        write(path, text)
        assert [p.reason for p in read(folder)[1].rejected] == [reason]


def test_missing_folder_and_wrong_folder(tmp_path: Path) -> None:
    with pytest.raises(EmbedLinkError, match="no such folder; run `python prepare"):
        read(tmp_path / "nowhere")
    with pytest.raises(EmbedLinkError, match="holds neither text_files nor training"):
        read(tmp_path)
    (tmp_path / "text_files").mkdir()
    with pytest.raises(EmbedLinkError, match="no subtrack1_entities"):
        read(tmp_path)


def test_as_published() -> None:
    documents, problems = read(published("distemist"))
    mentions = [(d, m) for d in documents for m in d.mentions]
    coded = [(d, m) for d, m in mentions if m.code]
    assert (len(documents), len(mentions)) == (750, 8065)
    assert (len(coded), len({d.id for d, _ in coded})) == (5136, 583)
    assert sum(len(m.cuis) > 1 for _, m in mentions) == 200
    assert sum(m.code == "NOMAP" for _, m in mentions) == 1
    assert not problems.found  # not even a repair: every span equals its text
