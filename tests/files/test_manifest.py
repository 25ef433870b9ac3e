"""What a folder's manifest finds: every part that is not what was written."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from embedlink import __version__
from embedlink.files.manifest import MANIFEST, read_manifest, verify, verify_part, write_manifest
from embedlink.problems import EmbedLinkError


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "linker"
    (folder / "encoder").mkdir(parents=True)
    (folder / "linker.json").write_text('{"format": 1}')
    (folder / "encoder" / "weights").write_bytes(bytes(range(256)) * 40)
    (folder / ".DS_Store").write_text("a file manager's")
    write_manifest(folder, "linker", {"names": "abc"})
    return folder


def test_a_whole_folder_is_verified(folder):
    manifest = verify(folder, "linker")
    assert sorted(manifest.parts) == ["encoder/weights", "linker.json"]
    assert (manifest.made_from, manifest.version) == ({"names": "abc"}, __version__)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 4
    path.write_bytes(content)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: list[Callable[[Path], object]] = [flip, cut, Path.unlink, lambda path: path.write_text("")]


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("part", ["linker.json", "encoder/weights", MANIFEST])
def test_a_damaged_part_is_named(folder, part, damage):
    damage(folder / part)
    with pytest.raises(EmbedLinkError, match=rf"linker/{part}: .*(missing|damaged)") as error:
        verify(folder, "linker")
    assert "\n" not in str(error.value)


def test_every_byte_of_the_manifest_counts(folder):
    """Whatever a flipped bit makes of it, it is refused or says the same."""
    whole = (folder / MANIFEST).read_bytes()
    before = read_manifest(folder)
    for at in range(len(whole)):
        content = bytearray(whole)
        content[at] ^= 1
        (folder / MANIFEST).write_bytes(content)
        try:
            assert read_manifest(folder) == before
        except EmbedLinkError:
            continue


def test_a_file_too_many_is_named(folder):
    (folder / "encoder" / "added_tokens.json").write_text("{}")
    with pytest.raises(EmbedLinkError, match=r"added_tokens.json: is no part of the linker"):
        verify(folder, "linker")


def test_a_part_that_is_verified_later_must_be_there(folder):
    (folder / "linker.json").write_text("other")
    manifest = verify(folder, "linker", later=["linker.json"])
    with pytest.raises(EmbedLinkError, match="damaged or exchanged"):
        verify_part(folder, manifest, "linker.json")
    (folder / "linker.json").unlink()
    with pytest.raises(EmbedLinkError, match="missing"):
        verify(folder, "linker", later=["linker.json"])


def test_contents_are_not_compared_if_the_user_says_so(folder, monkeypatch):
    (folder / "linker.json").write_text("other")
    monkeypatch.setenv("EMBEDLINK_VERIFY", "false")
    verify(folder, "linker")
    (folder / "linker.json").unlink()
    with pytest.raises(EmbedLinkError, match="missing"):
        verify(folder, "linker")


def test_a_folder_of_another_kind_or_format(folder):
    with pytest.raises(EmbedLinkError, match="the folder holds a linker, not a tagger"):
        verify(folder, "tagger")
    for content in ("[]", "{}", "7", "[" * 5000, '{"digest": 1}'):
        (folder / MANIFEST).write_text(content)
        with pytest.raises(EmbedLinkError, match="damaged"):
            read_manifest(folder)


def test_a_folder_inside_is_verified_by_its_own_manifest(tmp_path, folder):
    inner = folder / "reranker"
    inner.mkdir()
    (inner / "head").write_text("weights")
    write_manifest(inner, "reranker")
    write_manifest(folder, "linker")
    assert "reranker/manifest.json" in verify(folder, "linker").parts
    assert "reranker/head" not in verify(folder, "linker").parts
    # A part of the inner folder is found by whoever reads that, an exchanged folder by both.
    (inner / "head").write_text("others")
    verify(folder, "linker")
    with pytest.raises(EmbedLinkError, match="reranker/head"):
        verify(inner, "reranker")
    write_manifest(inner, "reranker")
    with pytest.raises(EmbedLinkError, match=r"reranker/manifest.json: .*exchanged"):
        verify(folder, "linker")


def test_only_covered_folders_are_closed(folder):
    (folder / "addons").mkdir()
    (folder / "addons" / "later").write_text("")
    write_manifest(folder, "pack", covered=(".", "encoder"))
    parts = verify(folder, "pack").parts
    assert sorted(parts) == [".DS_Store", "encoder/weights", "linker.json"]
    (folder / "encoder" / "more").write_text("")
    with pytest.raises(EmbedLinkError, match="encoder/more"):
        verify(folder, "pack")


def test_the_format_is_said(folder):
    fields = json.loads((folder / MANIFEST).read_text())
    assert (fields["format"], fields["kind"], fields["embedlink"]) == (1, "linker", __version__)
