import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from embedlink.files.atomic import file_written_aside, write_errors, write_text, written_aside
from embedlink.files.manifest import write_manifest
from embedlink.problems import EmbedLinkError


def fill(aside: Path, text: str) -> None:
    """A folder as EmbedLink writes it."""
    (aside / "file").write_text(text)
    write_manifest(aside, "linker")


def test_a_folder_appears_whole_and_replaces_the_old_when_asked(tmp_path):
    for text in ("old", "new"):
        with written_aside(tmp_path / "out" / "pack", overwrite=text == "new") as aside:
            fill(aside, text)
    assert (tmp_path / "out" / "pack" / "file").read_text() == "new"
    assert os.listdir(tmp_path / "out") == ["pack"]


def test_what_others_wrote_stays(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack" / "file").write_text("mine")
    with (
        pytest.raises(EmbedLinkError, match="did not write"),
        written_aside(tmp_path / "pack", overwrite=True),
    ):
        pytest.fail("nothing is to be done")
    assert (tmp_path / "pack" / "file").read_text() == "mine"


def test_what_appears_in_the_meantime_stays(tmp_path):
    def write() -> None:
        with written_aside(tmp_path / "pack") as aside:
            fill(aside, "new")
            (tmp_path / "pack").mkdir()
            (tmp_path / "pack" / "file").write_text("mine")

    with pytest.raises(EmbedLinkError, match="did not write"):
        write()
    assert (tmp_path / "pack" / "file").read_text() == "mine"
    assert os.listdir(tmp_path) == ["pack"]


def test_an_empty_folder_is_filled(tmp_path):
    (tmp_path / "pack").mkdir()
    with written_aside(tmp_path / "pack") as aside:
        fill(aside, "new")
    assert (tmp_path / "pack" / "file").read_text() == "new"


def test_a_failure_leaves_the_old_folder_and_nothing_else(tmp_path):
    with written_aside(tmp_path / "pack") as aside:
        fill(aside, "old")

    def fail() -> None:
        with written_aside(tmp_path / "pack", overwrite=True):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert os.listdir(tmp_path) == ["pack"]


def test_a_place_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(EmbedLinkError, match=r"file/pack: cannot be written .*MB free"),
        written_aside(tmp_path / "file" / "pack"),
    ):
        pass


def full_disk(aside: Path) -> None:
    Path("/dev/full").write_text("x")


def full_disk_for_tensors(aside: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 16, limits[1]))
    try:
        save_file({"weight": torch.zeros(1 << 20)}, aside / "weights")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)


def full_disk_for_torch(aside: Path) -> None:
    with Path("/dev/full").open("wb") as file:
        torch.save({"weight": torch.zeros(1 << 20)}, file)


@pytest.mark.parametrize("write", [full_disk, full_disk_for_tensors, full_disk_for_torch])
def test_a_full_disk_is_an_error_that_says_so(tmp_path, write):
    with (
        pytest.raises(EmbedLinkError, match=r"p: cannot be written .*MB free"),
        written_aside(tmp_path / "p") as aside,
    ):
        write(aside)
    assert os.listdir(tmp_path) == []


def test_an_error_of_another_kind_stays_what_it_is(tmp_path):
    with pytest.raises(RuntimeError, match="shapes"), write_errors(tmp_path):
        raise RuntimeError("shapes do not fit")


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    with written_aside(tmp_path / "pack") as aside:
        fill(aside, "old")
    rename = Path.rename

    def only_away(path: Path, target: Path) -> Path:
        if path.name == ".pack.embedlink-partial":
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", only_away)
    with (
        pytest.raises(EmbedLinkError, match="Input/output"),
        written_aside(tmp_path / "pack", overwrite=True) as aside,
    ):
        fill(aside, "new")
    assert (tmp_path / "pack" / "file").read_text() == "old"
    assert os.listdir(tmp_path) == ["pack"]


KILLED = """
import os, signal, sys
from pathlib import Path
from embedlink.files.atomic import written_aside
from embedlink.files.manifest import write_manifest
rename, left = Path.rename, [int(sys.argv[2])]
def killed(path, target):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return rename(path, target)
Path.rename = killed
with written_aside(Path(sys.argv[1]), overwrite=True) as aside:
    (aside / "file").write_text("new")
    write_manifest(aside, "linker")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("renames", "text"), [(0, "old"), (1, "old"), (2, "new")])
def test_a_kill_between_the_renames_loses_nothing(tmp_path, renames, text):
    with written_aside(tmp_path / "pack") as aside:
        fill(aside, "old")
    command = [sys.executable, "-c", KILLED, str(tmp_path / "pack"), str(renames)]
    assert subprocess.run(command, check=False).returncode == -signal.SIGKILL
    # The next command that writes there gives the folder its name back before anything else.
    with pytest.raises(EmbedLinkError, match="is there already"), written_aside(tmp_path / "pack"):
        pass
    assert (tmp_path / "pack" / "file").read_text() == text
    with written_aside(tmp_path / "pack", overwrite=True) as aside:
        fill(aside, "newest")
    assert (tmp_path / "pack" / "file").read_text() == "newest"
    assert os.listdir(tmp_path) == ["pack"]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_reads_a_folder(tmp_path, umask):
    before = os.umask(umask)
    try:
        with written_aside(tmp_path / "pack") as aside:
            assert stat.S_IMODE(aside.stat().st_mode) == 0o700
            (aside / "sub").mkdir()
            (aside / "sub" / "names").write_text("wording")
        write_text(tmp_path / "private.txt", "wording", private=True)
    finally:
        os.umask(before)
    pack = tmp_path / "pack"
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (pack, pack / "sub")]
    assert modes == [0o700, 0o700]
    for file in (pack / "sub" / "names", tmp_path / "private.txt"):
        assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_a_file_appears_whole_and_an_older_one_stays_on_failure(tmp_path):
    write_text(tmp_path / "sub" / "a.txt", "one\r\n")
    assert (tmp_path / "sub" / "a.txt").read_bytes() == b"one\r\n"

    def fail() -> None:
        with file_written_aside(tmp_path / "sub" / "a.txt") as aside:
            aside.write_text("half")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail()
    assert (tmp_path / "sub" / "a.txt").read_bytes() == b"one\r\n"
    (tmp_path / "sub" / ".a.txt.embedlink-partial").write_text("what a killed run left")
    write_text(tmp_path / "sub" / "a.txt", "two")
    assert (tmp_path / "sub" / "a.txt").read_text() == "two"
    assert os.listdir(tmp_path / "sub") == ["a.txt"]


def test_a_file_on_a_full_disk(tmp_path):
    with (
        pytest.raises(EmbedLinkError, match=r"a.txt: cannot be written \(No space left"),
        file_written_aside(tmp_path / "a.txt"),
    ):
        Path("/dev/full").write_text("x")
    assert os.listdir(tmp_path) == []
