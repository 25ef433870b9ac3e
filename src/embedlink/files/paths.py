"""Paths as configurations write them: `~`, and files that come with the package.

`package://embedlink/demo/notes.json` names a file inside the installed package, so that the
demonstration runs from any folder without a path of its own.
"""

from importlib.resources import files
from pathlib import Path

PACKAGE = "package://"


def resolve(path: str | Path) -> Path:
    """The file or folder that a configured path means; whether it exists is not checked.

    A relative path stays relative. A package that is not installed is a `ModuleNotFoundError`.
    """
    text = str(path)
    if not text.startswith(PACKAGE):
        return Path(path).expanduser()
    package, _, rest = text.removeprefix(PACKAGE).partition("/")
    # A plain path, as other libraries open it: the package lies unpacked on disk, as pip has it.
    return Path(str(files(package).joinpath(rest)))
