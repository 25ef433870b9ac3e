import os
from pathlib import Path

import pytest

from embedlink.files.atomic import written_aside
from embedlink.problems import EmbedLinkError


def test_a_folder_appears_whole_and_replaces_the_old(tmp_path):
    for text in ("old", "new"):
        with written_aside(tmp_path / "out" / "pack") as aside:
            aside.mkdir()
            (aside / "file").write_text(text)
    assert (tmp_path / "out" / "pack" / "file").read_text() == "new"
    assert os.listdir(tmp_path / "out") == ["pack"]


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    with written_aside(tmp_path / "pack") as aside:
        aside.mkdir()

    def fail() -> None:
        with written_aside(tmp_path / "pack") as aside:
            aside.mkdir()
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.listdir(tmp_path) == ["pack"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EmbedLinkError, match=r"file/pack: cannot be written"),
        written_aside(tmp_path / "file" / "pack") as aside,
    ):
        aside.mkdir()


def test_a_full_disk_is_an_error_that_says_so(tmp_path):
    def fill() -> None:
        with written_aside(tmp_path / "p") as aside:
            aside.mkdir()
            Path("/dev/full").write_text("x")

    with pytest.raises(EmbedLinkError, match="No space left"):
        fill()
    assert os.listdir(tmp_path) == []


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "file").write_text("old")
    rename = Path.rename

    def only_away(path: Path, target: Path) -> Path:
        if path.name == ".pack.partial":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", only_away)
    with pytest.raises(EmbedLinkError, match="Input/output"), written_aside(tmp_path / "pack") as a:
        a.mkdir()
    assert (tmp_path / "pack" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["pack"]
