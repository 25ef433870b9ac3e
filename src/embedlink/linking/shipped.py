"""What a run leaves to be used: its linker folder, its tagger and its names."""

from dataclasses import dataclass
from pathlib import Path

from embedlink.linking.parts import SETTINGS


@dataclass(frozen=True)
class Shipped:
    """The folders beside each other in a run's folder. Only the linker must exist.

    `whole` is True if the folder of the run was given, and False if only its linker was.
    """

    linker: Path
    tagger: Path
    names: Path
    whole: bool

    @classmethod
    def of(cls, given: Path | str) -> "Shipped":
        """Take a linker folder, or the run's folder that holds it. No file is opened."""
        folder = Path(given).expanduser()
        whole = not (folder / SETTINGS).is_file() and (folder / "linker" / SETTINGS).is_file()
        run = folder if whole else folder.parent
        linker = folder / "linker" if whole else folder
        return cls(linker=linker, tagger=run / "tagger", names=run / "pack", whole=whole)
