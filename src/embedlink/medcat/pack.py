"""Writes MedCAT model packs that use a linker.

A pack holds MedCAT's concept database with its configuration, a `manifest.json`, and in
`saved_components` the linker folder (`core_linking`) and, if EmbedLink detects, the tagger
(`core_ner`).

A run makes its pack from its concept database (`linking_cat`); a linker is put into a pack of one's
own with `relink`. Both give a CAT that links as runs are measured, which `save_pack` writes. MedCAT
reads and writes packs itself; here they get exact names, and are written whole or not at all.
"""

import logging
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path

from medcat.cat import CAT
from medcat.cdb import CDB
from medcat.vocab import Vocab

from embedlink.concepts.database import load_cdb
from embedlink.concepts.enrichment import add_names
from embedlink.detection.config import EmbedLinkNer
from embedlink.files.atomic import written_aside
from embedlink.files.manifest import MANIFEST, read_manifest, verify
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.sealed import seal
from embedlink.plugin import TRAINABLE
from embedlink.problems import EmbedLinkError, Problems

log = logging.getLogger(__name__)


def linking_cat(linker_folder: Path, cdb: CDB, training: Mapping[str, object] | None = None) -> CAT:
    """A CAT of this concept database that links with the linker of this folder.

    `training` are fields of its configuration that say how it trains further. The database's
    configuration is changed in place: it keeps its detection and its filters. Raises
    `EmbedLinkError` if the folder holds neither a linker nor an encoder.
    """
    cdb.config.components.linking = _linking(linker_folder, cdb, training or {})
    return CAT(cdb, Vocab())


def relink(
    pack: Path, linker_folder: Path, tagger: Path | None = None, names: Path | None = None
) -> CAT:
    """An existing model pack with this linker in place of its own.

    With a tagger it detects as training does by default; without, its detection stays. `names` is a
    pack whose names it gets as well. Of the old linking only the filters stay. The packs on disk
    are not changed. Raises `EmbedLinkError` where there is no pack, or nothing to link with.
    """
    cat = load_pack(pack)
    if names is not None:
        added = add_names(cat.cdb, load_cdb(names, Problems()), cat.pipe.tokenizer)
        log.info("%d names of %s were added", added, names)
    if tagger is not None:
        cat.config.components.ner = EmbedLinkNer(min_name_len=2, tagger=str(tagger))
    cat.config.components.linking = _linking(linker_folder, cat.cdb, {})
    cat._recreate_pipe()  # MedCAT's way to make a changed configuration take effect.
    return cat


def is_pack(path: Path) -> bool:
    """Whether this looks like a MedCAT model pack, folder or zip."""
    return path.suffix == ".zip" or (path / "model_card.json").is_file()


def load_pack(pack: Path) -> CAT:
    """A model pack, folder or zip; `EmbedLinkError` if there is none or it is damaged.

    A pack that EmbedLink wrote is verified as a whole before anything of it is read. Other packs
    are MedCAT's: what it does not find there is lost without a word.
    """
    if not pack.exists():
        raise EmbedLinkError(f"pack={pack}: no such model pack; give a MedCAT folder or zip")
    folder = unpacked(pack) if pack.suffix == ".zip" else pack
    if (folder / MANIFEST).is_file():
        verify(folder, read_manifest(folder).kind)
    return CAT.load_model_pack(str(folder))


def unpacked(archive: Path) -> Path:
    """The folder of a zipped pack, which MedCAT looks for beside the zip.

    It is unpacked aside and renamed, so that it is never half there. A folder of this name that
    was there before is taken for the zip's content only if it holds the same files. An
    `EmbedLinkError` says if it does not, or if the zip is damaged.
    """
    folder = archive.with_suffix("")
    try:
        with zipfile.ZipFile(archive) as file:
            if folder.exists():
                _check_same(file, folder)
            else:
                _extract(file, folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise EmbedLinkError(f"{archive}: not a whole zip archive ({error})") from error
    return folder


def _check_same(file: zipfile.ZipFile, folder: Path) -> None:
    for part in file.infolist():
        there = folder / part.filename
        if not part.is_dir() and not (
            there.is_file() and there.stat().st_size == part.file_size and _crc(there) == part.CRC
        ):
            raise EmbedLinkError(
                f"{there}: is not what {file.filename} holds; move the folder {folder} away, or "
                "give it in place of the zip"
            )


def _crc(path: Path) -> int:
    """The sum by which a zip knows its files."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc


def _extract(file: zipfile.ZipFile, folder: Path) -> None:
    with written_aside(folder) as aside:
        file.extractall(aside)


def save_pack(cat: CAT, folder: Path, overwrite: bool = False) -> Path:
    """Save the pack as exactly this folder, whole or not at all; returns the folder.

    With `overwrite` an older pack of EmbedLink is replaced. Raises `EmbedLinkError` if the folder
    cannot be written, or holds anything else.
    """
    with written_aside(folder, overwrite) as aside:
        write_pack(cat, aside)
        seal(aside)
    return folder


def write_pack(cat: CAT, folder: Path) -> None:
    """Write the pack into this folder, without the hash that MedCAT adds to names.

    The folder may hold other files. Where writing fails, parts stay: see `save_pack`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved = cat.save_model_pack(
        str(folder), pack_name="pack", make_archive=False, add_hash_to_pack_name=False
    )
    # MedCAT makes a folder inside the one it is given: its parts move one up.
    for part in Path(saved).iterdir():
        shutil.move(part, folder / part.name)
    Path(saved).rmdir()


def _linking(linker_folder: Path, cdb: CDB, training: Mapping[str, object]) -> EmbedLinkLinking:
    filters = cdb.config.components.linking.filters
    # Without pre-inference a span without candidates meets every name, as in evaluation.
    made = EmbedLinkLinking(
        comp_name=TRAINABLE,
        filters=filters,
        embedding_model_name=str(linker_folder),
        use_pre_inference=False,
    )
    for field, value in training.items():
        setattr(made, field, value)  # Checked as the field is set.
    return made
