import json

import pandas as pd
import pytest

from embedlink.corpora.unlabelled import read_notes
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
        ("notes.jsonl", "{broken", "cannot be read"),
        ("notes.csv", "id,note\n1,secret\n", "no column `text`"),
        ("notes.csv", "", "cannot be read"),
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
