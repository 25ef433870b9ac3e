"""What a run leaves to be used: its linker folder, its tagger and its names."""

from dataclasses import dataclass
from pathlib import Path

from embedlink.linking.parts import SETTINGS


@dataclass(frozen=True)
class Shipped:
    """The folders beside each other in a run's folder.

    Only the linker must be there. `whole` says that the run's folder was given, and so all of it.
    """

    linker: Path
    tagger: Path
    names: Path
    whole: bool

    @classmethod
    def of(cls, given: Path | str) -> "Shipped":
        """Take a linker folder, or the run's folder that holds it. Nothing is read."""
        folder = Path(given).expanduser()
        whole = not (folder / SETTINGS).is_file() and (folder / "linker" / SETTINGS).is_file()
        run = folder if whole else folder.parent
        linker = folder / "linker" if whole else folder
        return cls(linker=linker, tagger=run / "tagger", names=run / "pack", whole=whole)
