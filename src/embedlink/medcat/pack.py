"""Writes MedCAT model packs that use a linker.

A pack holds MedCAT's concept database with its configuration, and a `manifest.json`. Its folder
`saved_components` holds the linker folder (`core_linking`). If EmbedLink detects, it also holds the
tagger (`core_ner`).

A run makes a pack from its concept database with `linking_cat`. `relink` puts a linker into an
existing pack. Both give a CAT that links in the same way as a measured run, and `save_pack` writes
it. MedCAT's own writer adds a hash to a pack's name and may leave half a pack. Here a pack gets its
exact name and is written whole or not at all.
"""

import logging
import shutil
import zipfile
import zlib
from pathlib import Path

from medcat.cat import CAT
from medcat.cdb import CDB
from medcat.vocab import Vocab

from embedlink.concepts.database import load_cdb
from embedlink.concepts.enrichment import add_names
from embedlink.detection.config import EmbedLinkNer
from embedlink.files.atomic import written_aside
from embedlink.files.manifest import MANIFEST, read_manifest, verify
from embedlink.linking.parts import SETTINGS, read_settings
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.sealed import seal
from embedlink.plugin import TRAINABLE
from embedlink.problems import EmbedLinkError, Problems

log = logging.getLogger(__name__)


def linking_cat(linker_folder: Path, cdb: CDB) -> CAT:
    """A CAT of this concept database that links with the linker of this folder.

    Inside MedCAT the linker trains as `train.py` trained it. The configuration of the database is
    changed in place, but keeps its detection and its filters. Raises `EmbedLinkError` if the folder
    holds no linker and no encoder.
    """
    cdb.config.components.linking = _linking(linker_folder, cdb)
    return CAT(cdb, Vocab())


def relink(
    pack: Path, linker_folder: Path, tagger: Path | None = None, names: Path | None = None
) -> CAT:
    """Load a model pack and put this linker in the place of its own.

    With `tagger` the pack detects by the tagger, as training does by default. Without it, the
    pack's detection stays. `names` is another pack, and its names are added. The filters of the old
    linker stay, its other settings do not. The packs on disk are not changed. Raises
    `EmbedLinkError` if a pack or the linker is missing.
    """
    cat = load_pack(pack)
    if names is not None:
        added = add_names(cat.cdb, load_cdb(names, Problems()), cat.pipe.tokenizer)
        log.info("%d names of %s were added", added, names)
    if tagger is not None:
        cat.config.components.ner = EmbedLinkNer(min_name_len=2, tagger=str(tagger))
    cat.config.components.linking = _linking(linker_folder, cat.cdb)
    cat._recreate_pipe()  # MedCAT's way to make a changed configuration take effect.
    return cat


def is_pack(path: Path) -> bool:
    """Whether this looks like a MedCAT model pack, as a folder or a zip."""
    return path.suffix == ".zip" or (path / "model_card.json").is_file()


def load_pack(pack: Path) -> CAT:
    """Load a model pack from a folder or a zip.

    If EmbedLink wrote the pack, all of it is verified before anything is read. MedCAT reads other
    packs and does not report missing parts. Raises `EmbedLinkError` if there is no pack or if it is
    damaged.
    """
    folder = pack_folder(pack)
    if (folder / MANIFEST).is_file():
        verify(folder, read_manifest(folder).kind)
    return CAT.load_model_pack(str(folder))


def pack_folder(pack: Path) -> Path:
    """The folder of a pack, which may be given as a zip. Raises `EmbedLinkError` if it is missing.

    A zip is unpacked beside itself.
    """
    if not pack.exists():
        raise EmbedLinkError(f"pack={pack}: no such model pack; give a MedCAT folder or zip")
    return unpacked(pack) if pack.suffix == ".zip" else pack


def unpacked(archive: Path) -> Path:
    """Unpack a zipped pack beside the zip, where MedCAT looks for it. Returns the folder.

    It is unpacked under another name and then renamed, so it is never incomplete. An existing
    folder of this name is used only if it holds the files of the zip. Raises `EmbedLinkError` if it
    holds others, or if the zip is damaged.
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
    """Raise `EmbedLinkError` if a folder differs from the zip that it was unpacked from."""
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
    """The CRC-32 checksum of a file, which a zip stores for each of its files."""
    crc = 0
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            crc = zlib.crc32(block, crc)
    return crc


def _extract(file: zipfile.ZipFile, folder: Path) -> None:
    with written_aside(folder) as aside:
        file.extractall(aside)


def save_pack(cat: CAT, folder: Path, overwrite: bool = False) -> Path:
    """Save the pack as exactly this folder, whole or not at all. Returns the folder.

    With `overwrite` an older pack that EmbedLink wrote is replaced. Raises `EmbedLinkError` if the
    folder cannot be written, or if it holds anything else.
    """
    with written_aside(folder, overwrite) as aside:
        write_pack(cat, aside)
        seal(aside)
    return folder


def write_pack(cat: CAT, folder: Path) -> None:
    """Write the pack into this folder, without the hash that MedCAT adds to names.

    The folder may hold other files. If writing fails, incomplete files stay. `save_pack` prevents
    that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    saved = cat.save_model_pack(
        str(folder), pack_name="pack", make_archive=False, add_hash_to_pack_name=False
    )
    # MedCAT makes a folder inside the given one, so its parts are moved up.
    for part in Path(saved).iterdir():
        shutil.move(part, folder / part.name)
    Path(saved).rmdir()


def _linking(linker_folder: Path, cdb: CDB) -> EmbedLinkLinking:
    filters = cdb.config.components.linking.filters
    # Without pre-inference a span without candidates is compared with every name, as in evaluation.
    made = EmbedLinkLinking(
        comp_name=TRAINABLE,
        filters=filters,
        embedding_model_name=str(linker_folder),
        use_pre_inference=False,
    )
    # An encoder or upstream's folder says nothing of its training.
    own = (linker_folder / SETTINGS).is_file()
    training = read_settings(linker_folder).get("training", {}) if own else {}
    for field, value in training.items():
        setattr(made, field, value)  # Pydantic checks each value.
    return made
