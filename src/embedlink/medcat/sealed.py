"""Packs that are compared with their manifest before MedCAT reads them.

MedCAT reads what lies in a pack's folder, and does not notice what is missing or exchanged there. A
sealed pack names `SealedPack` as what reads it. MedCAT imports that class, which verifies the
manifest and then has MedCAT read the pack. What MedCAT itself saves is sealed by our component.
"""

from pathlib import Path
from typing import Any, cast

from medcat.cat import CAT
from medcat.components.addons.addons import AddonComponent
from medcat.components.types import AbstractCoreComponent
from medcat.storage.serialisables import AbstractManualSerialisable
from medcat.storage.serialisers import MANUAL_SERIALISED_TAG, DillSerialiser
from medcat.tokenizing.tokenizers import TOKENIZER_PREFIX
from medcat.utils.defaults import COMPONENTS_FOLDER

from embedlink.files.atomic import PRIVATE_FOLDER
from embedlink.files.manifest import SERIALISED, verify, write_manifest

PACK = "pack"
_NOT_PARTS = {
    AddonComponent.NAME_PREFIX, AbstractCoreComponent.NAME_PREFIX, TOKENIZER_PREFIX,
    COMPONENTS_FOLDER, ".",
}  # fmt: skip
"""How the folders in a pack begin that MedCAT reads later, with the components."""


class SealedPack(AbstractManualSerialisable):
    """What MedCAT is told to read a sealed pack with. It gives an ordinary `CAT`."""

    def serialise_to(self, folder_path: str) -> None:
        """Nothing is written by this class: a pack is a `CAT`, which MedCAT saves."""
        raise NotImplementedError("CAT.save_model_pack saves a pack")

    @classmethod
    def deserialise_from(cls, folder_path: str, **init_kwargs: Any) -> CAT:
        """Verify the pack, and let MedCAT read it.

        An `EmbedLinkError` names the first part that is missing, damaged or not the pack's.
        """
        verify(Path(folder_path), PACK)
        reader = _PackReader(folder_path)
        cat = reader.deserialise_all(folder_path, ignore_folders_prefix=_NOT_PARTS, **init_kwargs)
        return cast(CAT, cat)


class _PackReader(DillSerialiser):
    """MedCAT's reader, which takes a sealed folder for one that MedCAT's own way has written."""

    def __init__(self, folder: str) -> None:
        self.sealed = folder

    # Of the class in MedCAT, which calls it on the object all the same.
    def get_manually_serialised_path(self, folder: str) -> str | None:  # type: ignore[override]
        """None for the sealed folder: else MedCAT would come back here."""
        return None if folder == self.sealed else super().get_manually_serialised_path(folder)

    def check_ser_type(self, folder: str) -> None:
        """The sealed folder names no type; all that lies inside it does."""
        if folder != self.sealed:
            super().check_ser_type(folder)


def seal(folder: Path, covered: tuple[str, ...] = ("",)) -> None:
    """Let MedCAT read this pack through `SealedPack`, and list its parts.

    Only its owner may read it: a concept database holds names that were learnt from notes.
    """
    reader = f"{SealedPack.__module__}.{SealedPack.__name__}"
    (folder / SERIALISED).write_text(f"{MANUAL_SERIALISED_TAG}{reader}", encoding="utf-8")
    write_manifest(folder, PACK, covered=covered)
    folder.chmod(PRIVATE_FOLDER)


def seal_around(component: Path) -> None:
    """Seal the pack that MedCAT is saving, as its component in this folder is written.

    The concept database, the configuration and the earlier components lie there already. What is
    written later, further components and what MedCAT notes beside them, is not covered. Does
    nothing if the folder lies in no pack.
    """
    components, pack = component.parent, component.parent.parent
    if components.name != COMPONENTS_FOLDER or not (pack / "cdb").is_dir():
        return
    parts = [each.name for each in pack.iterdir() if each.is_dir() and each != components]
    earlier = [
        f"{COMPONENTS_FOLDER}/{each.name}"
        for each in components.iterdir()
        if each.is_dir() and each != component
    ]
    seal(pack, (".", *sorted(parts), *sorted(earlier)))
