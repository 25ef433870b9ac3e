"""Seals packs, so that they are compared with their manifest before MedCAT reads them.

MedCAT does not notice if parts of a pack are missing or exchanged. A sealed pack names `SealedPack`
as its reader. MedCAT imports that class, which verifies the manifest and then lets MedCAT read the
pack. If MedCAT itself saves a pack, our component seals it.
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
"""Prefixes of the folders in a pack that MedCAT reads later, with the components."""


class SealedPack(AbstractManualSerialisable):
    """The class that a sealed pack names as its reader. It gives an ordinary `CAT`."""

    def serialise_to(self, folder_path: str) -> None:
        """Raise `NotImplementedError`: this class only reads, and MedCAT saves a `CAT`."""
        raise NotImplementedError("CAT.save_model_pack saves a pack")

    @classmethod
    def deserialise_from(cls, folder_path: str, **init_kwargs: Any) -> CAT:
        """Verify the pack, and let MedCAT read it.

        Raises an `EmbedLinkError` with the first part that is missing, damaged or from another
        pack.
        """
        verify(Path(folder_path), PACK)
        reader = _PackReader(folder_path)
        cat = reader.deserialise_all(folder_path, ignore_folders_prefix=_NOT_PARTS, **init_kwargs)
        return cast(CAT, cat)


class _PackReader(DillSerialiser):
    """MedCAT's reader, which reads a sealed folder as if MedCAT alone had written it."""

    def __init__(self, folder: str) -> None:
        self.sealed = folder

    # This is a class method in MedCAT, which still calls it on the object.
    def get_manually_serialised_path(self, folder: str) -> str | None:  # type: ignore[override]
        """None for the sealed folder. Otherwise MedCAT would call `SealedPack` again."""
        return None if folder == self.sealed else super().get_manually_serialised_path(folder)

    def check_ser_type(self, folder: str) -> None:
        """Check the type of every folder except the sealed one, which names none."""
        if folder != self.sealed:
            super().check_ser_type(folder)


def seal(folder: Path, covered: tuple[str, ...] = ("",)) -> None:
    """Let MedCAT read this pack through `SealedPack`, and list its parts.

    Only its owner may read it, because a concept database holds names that were learnt from notes.
    """
    reader = f"{SealedPack.__module__}.{SealedPack.__name__}"
    (folder / SERIALISED).write_text(f"{MANUAL_SERIALISED_TAG}{reader}", encoding="utf-8")
    write_manifest(folder, PACK, covered=covered)
    folder.chmod(PRIVATE_FOLDER)


def seal_around(component: Path) -> None:
    """Seal the pack that MedCAT is saving, when it writes our component to this folder.

    The seal covers the concept database, the configuration and the earlier components, which are
    already written. It does not cover later components and notes. If the folder is not inside a
    pack, nothing is done.
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
