"""What a command may write to: nothing that EmbedLink did not write is ever replaced."""

import os
from pathlib import Path

import pytest

from embedlink.files.atomic import written_aside
from embedlink.files.manifest import MANIFEST, write_manifest
from embedlink.files.outputs import free_files, old_of, output_folder
from embedlink.problems import EmbedLinkError


def written(folder: Path, text: str = "old") -> Path:
    """A folder as EmbedLink writes it."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "part").write_text(text)
    write_manifest(folder, "linker")
    return folder


def test_a_missing_and_an_empty_folder_may_be_written(tmp_path):
    (tmp_path / "empty").mkdir()
    for name in ("missing", "empty"):
        assert output_folder(tmp_path / name) == tmp_path / name


def test_a_result_is_written_after_the_working_folder_was_removed(tmp_path, monkeypatch):
    (tmp_path / "working").mkdir()
    monkeypatch.chdir(tmp_path / "working")
    (tmp_path / "working").rmdir()
    assert output_folder(tmp_path / "linker") == tmp_path / "linker"


def test_our_own_folder_is_replaced_only_when_asked(tmp_path):
    folder = written(tmp_path / "linker")
    with pytest.raises(EmbedLinkError, match=r"linker: is there already.*overwrite=true"):
        output_folder(folder)
    assert output_folder(folder, overwrite=True) == folder


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_folder_of_others_is_never_replaced(tmp_path, overwrite):
    for name in ("notes", "damaged"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "letter.txt").write_text("mine")
    (tmp_path / "damaged" / MANIFEST).write_text('{"name": "a browser extension"}')
    for name in ("notes", "damaged"):
        with pytest.raises(EmbedLinkError, match="EmbedLink did not write"):
            output_folder(tmp_path / name, overwrite)
    ours = written(tmp_path / "linker")
    (ours / "letter.txt").write_text("mine")
    with pytest.raises(EmbedLinkError, match=r"holds letter.txt, which EmbedLink did not write"):
        output_folder(ours, overwrite=True)


def test_a_folder_inside_ours_that_has_its_own_manifest_is_ours(tmp_path):
    pack = tmp_path / "pack"
    written(pack / "saved_components" / "core_linking")
    write_manifest(pack, "pack")
    (pack / "saved_components" / "core_linking" / ".serialised_by").write_text("MedCAT's")
    assert output_folder(pack, overwrite=True) == pack
    (pack / "saved_components" / "core_linking" / "mine").write_text("")
    with pytest.raises(EmbedLinkError, match="core_linking/mine"):
        output_folder(pack, overwrite=True)


def test_a_file_in_the_place_of_the_folder(tmp_path):
    (tmp_path / "out").write_text("mine")
    with pytest.raises(EmbedLinkError, match="out: is a file"):
        output_folder(tmp_path / "out", overwrite=True)


@pytest.mark.parametrize("name", [".", "/", "..", "sub/..", "/tmp/.."])
def test_the_folder_that_the_command_runs_in(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(EmbedLinkError, match="the command runs in this folder"):
        output_folder(Path(name), overwrite=True)


def test_relative_paths_mean_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "mine")
    with pytest.raises(EmbedLinkError, match="mine: is there already"):
        output_folder(Path("other/../mine"))
    assert output_folder(Path("new")) == tmp_path / "new"


def test_a_link_is_followed(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "letter.txt").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "home")
    with pytest.raises(EmbedLinkError, match="did not write"):
        output_folder(tmp_path / "link", overwrite=True)
    (tmp_path / "away").symlink_to(tmp_path / "disk" / "out")
    with written_aside(tmp_path / "away") as aside:
        written(aside)
    assert (tmp_path / "away").is_symlink()
    assert (tmp_path / "disk" / "out" / "part").read_text() == "old"
    ours = written(tmp_path / "linker")
    (ours / "photos").symlink_to(tmp_path / "home")  # Something of the user's all the same.
    with pytest.raises(EmbedLinkError, match="holds photos"):
        output_folder(ours, overwrite=True)


@pytest.mark.parametrize(
    ("output", "key", "source"),
    [
        ("run/linker", "linker", "run/linker"),
        ("run", "linker", "run/linker"),
        ("run/linker/encoder", "linker", "run/linker"),
        ("run/other/../linker", "tagger", "run/linker"),
        ("pack", "pack", "pack.zip"),
        ("alias", "linker", "run/linker"),
    ],
)
def test_an_output_that_meets_an_input(tmp_path, output, key, source):
    written(tmp_path / "run" / "linker")
    (tmp_path / "run" / "other").mkdir()
    (tmp_path / "alias").symlink_to(tmp_path / "run")
    (tmp_path / "pack.zip").write_bytes(b"")
    with pytest.raises(EmbedLinkError, match=f"what is read \\({key}="):
        output_folder(tmp_path / output, True, {key: tmp_path / source, "names": None})


def test_an_output_beside_an_input(tmp_path):
    written(tmp_path / "run" / "linker")
    inputs = {"linker": tmp_path / "run" / "linker", "pack": tmp_path / "pack.zip"}
    for name in ("run/linker2", "packs", "out"):
        assert output_folder(tmp_path / name, inputs=inputs) == tmp_path / name


def test_a_folder_whose_replacement_was_cut_short_comes_back(tmp_path):
    place = tmp_path / "pack"
    written(old_of(place), "old")
    with pytest.raises(EmbedLinkError, match="is there already"):
        output_folder(place)
    assert (place / "part").read_text() == "old"
    assert os.listdir(tmp_path) == ["pack"]


def test_files_that_are_there_already(tmp_path):
    (tmp_path / "test_documents.csv").write_text("")
    with pytest.raises(EmbedLinkError, match=r"test_documents.csv: is there already"):
        free_files([tmp_path / "none.csv", tmp_path / "test_documents.csv"])
    free_files([tmp_path / "test_documents.csv"], overwrite=True)
