"""Where a command may write.

EmbedLink replaces only what it wrote itself, and only if the user asks for it. This is checked
before any work, and again when the result is written.
"""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from embedlink.files.manifest import MANIFEST, foreign_files
from embedlink.problems import EmbedLinkError

OVERWRITE = "overwrite=true replaces it (of a script: --overwrite)"


def output_folder(
    folder: Path, overwrite: bool = False, inputs: Mapping[str, Path | None] | None = None
) -> Path:
    """The real path of a folder to write, after links have been followed.

    The folder may be missing or empty. With `overwrite` it may also hold what EmbedLink wrote.
    `inputs` are the paths that the command reads, by the key that named them. Raises
    `EmbedLinkError` if the folder holds anything else. It also raises if the folder is, contains or
    lies in an input.
    """
    place = apart_from(inputs or {}, folder)
    recover(place)
    if os.path.lexists(place):
        _check_replaceable(folder, place, overwrite)
    return place


def apart_from(inputs: Mapping[str, Path | None], folder: Path) -> Path:
    """The real path of a folder to write, after links have been followed.

    Raises `EmbedLinkError` if it is, contains or lies in an input, or if the command runs in it.
    """
    place = Path(os.path.realpath(folder))
    for key, path in inputs.items():
        if path is not None:
            _check_apart(folder, place, key=key, path=path)
    if place == place.parent or _holds_working_folder(place):
        raise EmbedLinkError(f"{folder}: the command runs in this folder; name another one")
    return place


def free_files(paths: Iterable[Path], overwrite: bool = False) -> None:
    """Raise `EmbedLinkError` if one of these files is there already and may not be replaced."""
    for path in paths:
        if os.path.lexists(path) and not overwrite:
            raise EmbedLinkError(f"{path}: is there already; {OVERWRITE}")


def aside_of(place: Path) -> Path:
    """Where a folder or file is written before it gets its name."""
    return place.with_name(f".{place.name}.embedlink-partial")


def old_of(place: Path) -> Path:
    """Where a folder that is being replaced lies until the new one has its name."""
    return place.with_name(f".{place.name}.embedlink-old")


def recover(place: Path) -> None:
    """Give a folder its name back if a run was killed while it replaced that folder."""
    old = old_of(place)
    if old.is_dir() and not os.path.lexists(place):
        old.rename(place)


def _check_apart(folder: Path, place: Path, key: str, path: Path) -> None:
    """Raise `EmbedLinkError` if the output meets an input, also through a link."""
    source = Path(os.path.realpath(path))
    # MedCAT unpacks a zip beside itself, into a folder of its name.
    for read in (source, source.with_suffix("")) if source.suffix == ".zip" else (source,):
        if place == read or place in read.parents or read in place.parents:
            raise EmbedLinkError(
                f"{folder}: is, holds or lies in what is read ({key}={path}); name another folder"
            )


def _holds_working_folder(place: Path) -> bool:
    try:
        working = Path.cwd()
    except FileNotFoundError:  # It was removed during a run, whose result must still be written.
        return False
    return place == working or place in working.parents


def _check_replaceable(folder: Path, place: Path, overwrite: bool) -> None:
    """Raise `EmbedLinkError` unless the folder is empty, or EmbedLink's own and to be replaced."""
    if not place.is_dir():
        raise EmbedLinkError(f"{folder}: is a file; name a folder")
    if not os.listdir(place):
        return
    foreign = foreign_files(place)
    if foreign is None:
        raise EmbedLinkError(
            f"{folder}: holds files that EmbedLink did not write (it has no readable {MANIFEST}); "
            "name another folder, or empty this one yourself"
        )
    if foreign:
        raise EmbedLinkError(
            f"{folder}: holds {foreign[0]}, which EmbedLink did not write; move it elsewhere, or "
            "name another folder"
        )
    if not overwrite:
        raise EmbedLinkError(f"{folder}: is there already; name another folder, or {OVERWRITE}")
