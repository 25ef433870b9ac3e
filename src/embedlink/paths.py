"""Paths as configurations write them: `~`, and files that come with the package.

`package://embedlink/demo/notes.json` names a file inside the installed package, so that the
demonstration runs from any folder without a path of its own.
"""

from importlib.resources import files
from pathlib import Path

PACKAGE = "package://"


def resolve(path: str | Path) -> Path:
    """The file or folder that a configured path means; whether it exists is not checked."""
    text = str(path)
    if not text.startswith(PACKAGE):
        return Path(path).expanduser()
    package, _, rest = text.removeprefix(PACKAGE).partition("/")
    return Path(str(files(package).joinpath(rest)))
