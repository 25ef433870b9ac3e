import json

import pandas as pd
import pytest

from embedlink.corpora.unlabelled import Note, NoteFiles, read_notes
from embedlink.problems import EmbedLinkError

TEXTS = ["Seen in clinic, úlcera healed.", 'She said "no",\nand left.']


def test_every_form_gives_the_same_texts(tmp_path):
    table = pd.DataFrame({"id": ["a", "b", "c"], "text": [*TEXTS, " "]})
    table.to_csv(tmp_path / "notes.csv", index=False)
    table.to_parquet(tmp_path / "notes.parquet")
    lines = "".join(json.dumps({"id": 1, "text": text}) + "\n" for text in [*TEXTS, ""])
    (tmp_path / "notes.JSONL").write_text(lines, encoding="utf-8")
    (tmp_path / "folder" / "deep").mkdir(parents=True)
    (tmp_path / "folder" / "a.txt").write_text(TEXTS[0], encoding="utf-8")
    (tmp_path / "folder" / "deep" / "b.TXT").write_text(TEXTS[1], encoding="utf-8")
    (tmp_path / "folder" / "c.pdf").write_bytes(b"\x00")
    for name in ("notes.csv", "notes.parquet", "notes.JSONL", "folder"):
        assert read_notes(tmp_path / name) == TEXTS


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        (
            "notes.jsonl",
            "{broken secret",
            "1 of 1 notes cannot be read, the first is",
        ),
        ("notes.csv", "id,note\n1,secret\n", "missing text"),
        ("notes.csv", "", "empty file"),
        ("notes.parquet", "secret", "not a whole parquet file"),
        ("notes.csv", "text\n", "holds no text"),
        ("notes.doc", "secret", ".doc is not read"),
    ],
)
def test_what_cannot_be_read_is_named_without_its_text(tmp_path, name, content, said):
    (tmp_path / name).write_text(content)
    with pytest.raises(EmbedLinkError) as error:
        read_notes(tmp_path / name)
    assert said in str(error.value)
    assert name in str(error.value)
    assert "secret" not in str(error.value)


def test_a_missing_path_is_named(tmp_path):
    with pytest.raises(EmbedLinkError, match="no such file"):
        read_notes(tmp_path / "none")


def test_a_note_that_cannot_be_read_costs_itself(tmp_path):
    folder = tmp_path / "notes"
    folder.mkdir()
    (folder / "a.txt").write_bytes("\ufeffTwo\r\nlines".encode())
    (folder / "b.txt").write_bytes("Ictère".encode("latin-1"))
    (folder / "c.jsonl").write_bytes(b'{"text": "One"}\n\n{"text": 1}\n\xff\n[1]\n{"text": "Last"}')
    (folder / "d.csv").write_text('id,text\nx,"One, ""quoted"""\ny\n,Last\n')
    pd.DataFrame({"id": [7, 8], "text": ["One", None]}).to_parquet(folder / "e.parquet")
    (folder / "_SUCCESS.csv").write_text("")
    (folder / ".hidden.txt").write_text("secret")
    read = list(NoteFiles(str(folder)))
    assert [(note.id, note.text) for note in read if not note.error] == [
        ("a.txt", "Two\r\nlines"), ("c.jsonl:1", "One"), ("c.jsonl:6", "Last"),
        ("d.csv:2", 'One, "quoted"'), ("d.csv:4", "Last"), ("e.parquet:1", "One"),
    ]  # fmt: skip
    assert {note.id: note.error for note in read if note.error} == {
        "b.txt": "byte 4 is not UTF-8; save the file as UTF-8",
        "c.jsonl:3": "its `text` is a int, not a string",
        "c.jsonl:4": "unknown encoding (byte 1); save the file as UTF-8 (it may be in Latin-1 or "
        "Windows-1252)",
        "c.jsonl:5": "the line is not a JSON object",
        "d.csv:3": "wrong number of cells (1 cells); write 2 cells, as in the header",
        "e.parquet:2": "has no `text`",
    }


def test_ids_come_from_their_column(tmp_path):
    table = tmp_path / "notes.csv"
    table.write_text("Note,Body\n17,One\n,Two\n")
    read = list(NoteFiles(str(table), text_column="Body", id_column="Note"))
    assert read == [Note("17", "One"), Note("notes.csv:3", "Two")]
