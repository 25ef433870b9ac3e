"""Damages to a folder on disk, and what a program then sees.

A damage is one file that a bad day has changed: a byte flipped, the file cut, emptied, removed, or
exchanged with that of another run; or a file too many. What is done with the folder afterwards ends
in our error, in the same result as before, in another result (silent), or in a raw error.
"""

import os
import random
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from embedlink.problems import EmbedLinkError

KINDS = ("flip", "cut", "empty", "remove", "exchange", "extra")
ERROR, SAME, SILENT, RAW = "our error", "no change", "silent", "raw"


def files_of(folder: Path) -> list[Path]:
    """All files of a folder, hidden ones too, by their paths inside."""
    return sorted(path.relative_to(folder) for path in folder.rglob("*") if path.is_file())


def copied(folder: Path, target: Path) -> Path:
    """A copy whose files are links to the same bytes, so that it costs nothing."""
    return Path(shutil.copytree(folder, target, copy_function=os.link))


def damage(copy: Path, name: Path, kind: str, other: Path, rng: random.Random) -> None:
    """Damage one file of a copy; `other` is the folder of another run."""
    path = copy / name
    content = path.read_bytes()
    path.unlink()  # The bytes are shared with the whole folder.
    if kind == "flip" and content:
        changed = bytearray(content)
        changed[rng.randrange(len(content))] ^= 1 << rng.randrange(8)
        path.write_bytes(changed)
    elif kind == "cut":
        path.write_bytes(content[: rng.randrange(len(content))] if content else content)
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "exchange":
        there = other / name
        path.write_bytes(there.read_bytes() if there.is_file() else b"another run's")
    elif kind == "extra":
        path.write_bytes(content)
        (path.parent / f"added_{rng.randrange(100)}{path.suffix}").write_bytes(content)


def outcome(use: Callable[[Path], object], copy: Path, before: object) -> tuple[str, str]:
    """What using the copy ends in, and what was said."""
    try:
        after = use(copy)
    except EmbedLinkError as error:
        said = str(error)
        # One line that names the folder is what the user is promised.
        return (ERROR if "\n" not in said and copy.name in said else RAW), said
    except Exception as error:
        return RAW, f"{type(error).__name__}: {error}"
    return (SAME if after == before else SILENT), ""


def table(found: Counter[tuple[str, str]]) -> str:
    """Rows of kinds, columns of what they ended in."""
    columns = (ERROR, SAME, SILENT, RAW)
    lines = [f"{'':10}" + "".join(f"{column:>11}" for column in columns)]
    for kind in KINDS:
        lines.append(f"{kind:10}" + "".join(f"{found[kind, column]:>11}" for column in columns))
    return "\n".join(lines)
