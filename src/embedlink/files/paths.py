"""Paths as configurations write them: `~`, and files that come with the package.

`package://embedlink/demo/notes.json` names a file inside the installed package. So the
demonstration runs from any folder without a path of its own.
"""

from importlib.resources import files
from pathlib import Path

PACKAGE = "package://"


def resolve(path: str | Path) -> Path:
    """The file or folder that a configured path means. It need not exist.

    A relative path stays relative. If the package is not installed, this is a
    `ModuleNotFoundError`.
    """
    text = str(path)
    if not text.startswith(PACKAGE):
        return Path(path).expanduser()
    package, _, rest = text.removeprefix(PACKAGE).partition("/")
    # Other libraries need a plain path. There is one, because pip unpacks packages on disk.
    return Path(str(files(package).joinpath(rest)))
