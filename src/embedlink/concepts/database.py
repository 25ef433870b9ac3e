"""Loads a concept database in every form that users have, recognised by its files."""

import re
import tempfile
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from medcat.cdb import CDB
from medcat.config import Config

from embedlink.concepts.release import has_release_files, is_release_file
from embedlink.concepts.tables import read_snomed, read_table
from embedlink.files.decoding import suffix_of
from embedlink.files.paths import resolve
from embedlink.problems import EmbedLinkError, Problems

Kind = Literal["model pack", "cdb", "table", "release"]
_FORMS = (
    "a MedCAT model pack (folder or zip), a serialised CDB, a concept table (.csv, .tsv), "
    "or an unpacked SNOMED CT RF2 release"
)


def load_cdb(
    path: str | Path, problems: Problems, config: Config | None = None, language: str = "en"
) -> CDB:
    """Load a concept database, recognising what the path holds.

    `config` (how names are prepared) applies to tables and releases. A model pack and a CDB bring
    their own. `language` chooses the names of an RF2 release (`en`, `en-GB`, `es`). Names come in
    the order of the input, whatever the hash seed. Bad rows are noted in `problems`. Raises
    `EmbedLinkError` if the path is missing or not recognised, if its content does not load, or if
    it gives no concept.
    """
    source = resolve(path)
    if not source.exists():
        raise EmbedLinkError(f"{path}: no such file or folder; set data.concepts to {_FORMS}")
    with _unpacked(source) as folder:
        match recognise(folder, named=source):
            case "model pack":
                cdb = _deserialise(next(iter(_pack_parts(folder))), source)
            case "cdb":
                cdb = _deserialise(folder, source)
            case "release":
                cdb = read_snomed(folder, language, problems=problems, config=config)
            case "table":
                cdb = read_table(folder, problems, config)
    if not cdb.cui2info:
        first = f": {problems.found[-1]}" if problems.found else ""
        raise EmbedLinkError(f"{path}: no concepts were read{first}; set data.concepts to {_FORMS}")
    return cdb


def recognise(path: Path, named: Path | None = None) -> Kind:
    """What the path holds, judged by its files. A single file is judged by its suffix.

    Raises `EmbedLinkError` if it has none of the known forms. An archive must be unpacked before.
    The error says `named` in place of the path if it is given.
    """
    named = path if named is None else named
    if path.is_file():
        if is_release_file(path.name):
            raise EmbedLinkError(f"{named}: one file of an RF2 release; give the release's folder")
        if suffix_of(path) == ".dat":
            return "cdb"
        if suffix_of(path) in (".csv", ".tsv", ".txt"):
            return "table"
    elif _pack_parts(path):
        return "model pack"
    elif (path / "raw_dict.dat").is_file() and (path / "config").is_dir():
        return "cdb"
    elif has_release_files(path) or (path / "Snapshot").is_dir():
        return "release"
    raise EmbedLinkError(f"{named}: not recognised as a concept database; expected {_FORMS}")


def _pack_parts(folder: Path) -> list[Path]:
    """Where a model pack keeps its CDB: `cdb` since MedCAT 2, `cdb.dat` or `cdb.zip` as well."""
    return [folder / name for name in ("cdb", "cdb.zip", "cdb.dat") if (folder / name).exists()]


def _deserialise(path: Path, source: Path) -> CDB:
    """A CDB as MedCAT saved it. This unpickles, so load only what you trust."""
    try:
        return CDB.load(str(path))
    except Exception as error:  # a damaged pickle can raise anything
        raise EmbedLinkError(
            f"{source}: its concept database does not load ({type(error).__name__}); "
            "copy it again, or load it with the MedCAT version that saved it"
        ) from error


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The path itself, or a temporary folder with the needed parts if the path is an archive.

    Raises `EmbedLinkError` if the archive cannot be read. Nothing is written beside it.
    """
    if suffix_of(path) != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory() as name:
        try:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(name, _needed(archive.namelist()))
        # Unknown compression raises `NotImplementedError`, a missing password `RuntimeError`.
        except (
            zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError
        ) as error:  # fmt: skip
            raise EmbedLinkError(
                f"{path}: truncated or damaged zip ({type(error).__name__}); copy it again"
            ) from error
        folder = Path(name)
        entries = list(folder.iterdir())
        # A single folder is the one that was zipped, unless it is the part `cdb` of a bare pack.
        nested = len(entries) == 1 and entries[0].is_dir() and entries[0].name != "cdb"
        yield entries[0] if nested else folder


def _needed(names: Sequence[str]) -> list[str]:
    """The CDB of a model pack, or the snapshot of a release. The rest can take gigabytes."""
    parts = [name for name in names if re.match(r"([^/]+/)?cdb(/|\.zip$|\.dat$)", name)]
    return parts or list(filter(is_release_file, names)) or list(names)
