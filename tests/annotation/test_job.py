import os
import re

import pandas as pd
import pytest

from embedlink.annotation.job import annotate_notes
from embedlink.annotation.local import LocalEngine
from embedlink.annotation.parts import PLAN, PartsFolder
from embedlink.corpora.unlabelled import NoteFiles
from embedlink.problems import EmbedLinkError


@pytest.fixture
def annotate(pack, notes, tmp_path):
    def run(output="links", engine=None, path=notes, **options):
        source = NoteFiles(str(path), id_column="id")
        said = annotate_notes(
            pack, source, tmp_path / output, engine or LocalEngine(1),
            **{"notes_per_part": 3} | options,
        )  # fmt: skip
        return said, pd.read_parquet(tmp_path / output)

    return run


def test_every_note_is_annotated_once(annotate):
    said, links = annotate()
    assert re.match(r".*links: 10 notes with \d+ links, 4 notes with an error", said)
    assert int(re.search(r"(\d+) links", said)[1]) == links["cui"].notna().sum() > 5
    assert sorted(links["note_id"][links["error"].notna()]) == [
        "none", "notes.jsonl:3", "notes.jsonl:6", "number",
    ]  # fmt: skip
    assert not any("secret" in str(value) for value in links.to_numpy().flat)


def test_several_processes_write_the_same(annotate, tmp_path):
    _, one = annotate("one")
    said, two = annotate("two", LocalEngine(2))
    assert "10 notes" in said
    pd.testing.assert_frame_equal(one, two)
    for part in sorted((tmp_path / "one").glob("part-*")):
        assert part.read_bytes() == (tmp_path / "two" / part.name).read_bytes()
        assert part.stat().st_mode & 0o077 == 0


class Stopping:
    """An engine that fails before its last part."""

    def __call__(self, worker, parts):
        for part in parts[:-1]:
            yield worker(part)
        raise KeyboardInterrupt


def test_work_that_was_stopped_goes_on(annotate, tmp_path):
    _, whole = annotate("whole")
    with pytest.raises(KeyboardInterrupt):
        annotate(engine=Stopping())
    before = {part: os.stat(part).st_ino for part in (tmp_path / "links").glob("part-*")}
    assert len(before) == 3
    said, links = annotate()
    assert "1 notes with" in said
    assert "9 notes were there already" in said
    assert {part: os.stat(part).st_ino for part in before} == before
    pd.testing.assert_frame_equal(links, whole)
    assert "0 notes with 0 links" in annotate()[0]


def test_other_notes_are_not_mixed_in(annotate, tmp_path):
    annotate()
    other = tmp_path / "other.jsonl"
    other.write_text('{"id": 1, "text": "Pyrexia."}\n')
    with pytest.raises(EmbedLinkError, match="annotations with another notes, count; name another"):
        annotate(path=other)
    with pytest.raises(EmbedLinkError, match="another notes_per_part"):
        annotate(notes_per_part=2)
    _, links = annotate(path=other, overwrite=True)
    assert list(links["note_id"]) == ["1"]


def test_foreign_files_are_left_alone(annotate, tmp_path):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "thesis.txt").write_text("mine")
    with pytest.raises(EmbedLinkError, match=r"thesis.txt, which annotate.py did not write"):
        annotate(overwrite=True)
    assert (tmp_path / "links" / "thesis.txt").read_text() == "mine"


def test_an_output_inside_the_pack_is_refused(annotate, pack):
    with pytest.raises(EmbedLinkError, match="pack="):
        annotate(str(pack / "links"))


def test_one_process_writes_at_a_time(annotate, tmp_path):
    annotate()
    folder = PartsFolder(tmp_path / "links")
    plan = folder.plan()
    with folder.prepared(plan, False, {}), pytest.raises(EmbedLinkError, match="writes here"):
        annotate()


def test_what_a_kill_left_is_removed(annotate, tmp_path):
    annotate()
    left = tmp_path / "links" / ".part-000001.parquet.0a.embedlink-partial"
    left.write_bytes(b"half")
    (tmp_path / "links" / "part-000001.parquet").unlink()
    annotate()
    assert not left.exists()
    assert (tmp_path / "links" / PLAN).is_file()
    assert (tmp_path / "links" / "part-000001.parquet").is_file()


def test_no_notes_are_an_error(annotate, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(EmbedLinkError, match="holds no notes"):
        annotate(path=tmp_path / "empty")
