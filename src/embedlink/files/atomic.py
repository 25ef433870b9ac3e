"""Writing files and folders whole or not at all.

A linker, a tagger or a pack consists of several files that only fit together. They are written to a
folder with a temporary name. The folder gets its own name when all files are in it, so nobody meets
half a folder. A single file is written in the same way. If a run is killed, the next run that
writes there removes what was left.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from embedlink.files.outputs import aside_of, old_of, output_folder
from embedlink.problems import EmbedLinkError

PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
"""Permissions of files that may hold the wording of notes: only the owner can read them."""


@contextmanager
def written_aside(folder: Path, overwrite: bool = False) -> Iterator[Path]:
    """Yield an empty folder beside `folder` to write to. It takes that name if all goes well.

    Only its owner can read it. With `overwrite`, a folder that EmbedLink wrote is replaced. Any
    other folder that holds files is never replaced, see `output_folder`. If writing fails, nothing
    is left behind and an older folder stays as it was. A full disk or a place that cannot be
    written becomes an `EmbedLinkError`.
    """
    place = output_folder(folder, overwrite)
    aside = aside_of(place)
    try:
        with write_errors(folder):
            shutil.rmtree(aside, ignore_errors=True)  # A killed process may have left it.
            place.parent.mkdir(parents=True, exist_ok=True)
            aside.mkdir(mode=PRIVATE_FOLDER)
            yield aside
            _close(aside)
            output_folder(folder, overwrite)  # Hours may have passed since.
            _put(aside, place)
    except BaseException:  # Also if the user breaks off.
        shutil.rmtree(aside, ignore_errors=True)
        raise


@contextmanager
def file_written_aside(path: Path, private: bool = False, several: bool = False) -> Iterator[Path]:
    """Yield a path beside `path` to write one file to. It takes that name if all goes well.

    An older file is replaced in one step. If `private`, only the owner can read the file. If
    `several` processes may write this file at once, each writes to a path of its own. A full disk
    or a place that cannot be written becomes an `EmbedLinkError`.
    """
    place = Path(os.path.realpath(path))  # A link stays one.
    aside = aside_of(place.with_name(f"{place.name}.{uuid4().hex}") if several else place)
    try:
        with write_errors(path):
            place.parent.mkdir(parents=True, exist_ok=True)
            aside.unlink(missing_ok=True)
            if private:
                aside.touch(mode=PRIVATE_FILE)
            yield aside
            _to_disk(aside)
            aside.replace(place)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise


def write_text(path: Path, text: str, private: bool = False) -> None:
    """Write a text file in UTF-8, whole or not at all. Line ends stay as they are."""
    with file_written_aside(path, private) as aside:
        aside.write_text(text, encoding="utf-8", newline="")


@contextmanager
def write_errors(place: Path) -> Iterator[None]:
    """Turn what libraries raise on a full disk or a read-only place into an `EmbedLinkError`."""
    try:
        yield
    except Exception as error:
        if not (isinstance(error, OSError) or _is_of_the_disk(error)):
            raise
        reason = getattr(error, "strerror", None) or str(error).strip().splitlines()[0]
        raise EmbedLinkError(
            f"{place}: cannot be written ({reason}; {free_space(place)}); free some space or "
            "choose another folder"
        ) from error


def free_space(place: Path) -> str:
    """How much space is free on the disk of this file or folder, which need not exist yet."""
    for folder in (place, *place.absolute().parents):
        try:
            return f"{shutil.disk_usage(folder).free / 1e6:,.0f} MB free there"
        except OSError:
            continue
    return "free space unknown"


def _is_of_the_disk(error: Exception) -> bool:
    """Whether an error of another type than `OSError` says that a file could not be written.

    safetensors and torch wrap the system's error in types of their own.
    """
    said = str(error)
    return any(sign in said for sign in ("os error", "PytorchStreamWriter", "inline_container"))


def _close(folder: Path) -> None:
    """Let only the owner read the folder, and have the system write it to the disk."""
    for place, _, files in os.walk(folder):
        os.chmod(place, PRIVATE_FOLDER)
        for name in files:
            path = Path(place, name)
            if not path.is_symlink():
                path.chmod(PRIVATE_FILE)
                _to_disk(path)


def _to_disk(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())


def _put(aside: Path, place: Path) -> None:
    """Give the new folder its name. The old one is removed only after that."""
    old = old_of(place)
    # A folder cannot be renamed onto one that holds files, so the old one moves away first. If
    # the process is killed in between, `outputs.recover` gives it its name back.
    replaced = place.is_dir() and any(place.iterdir())
    if replaced:
        shutil.rmtree(old, ignore_errors=True)
        place.rename(old)
    try:
        aside.rename(place)
    except OSError:
        if replaced:
            old.rename(place)
        raise
    shutil.rmtree(old, ignore_errors=True)
