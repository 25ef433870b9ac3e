"""Writing folders whole or not at all.

A linker, a tagger or a pack is several files that only fit together. They are written under another
name, and the folder gets its own when all of them are there, so it is never half written.
"""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedlink.problems import EmbedLinkError


@contextmanager
def written_aside(folder: Path) -> Iterator[Path]:
    """Yield a path beside `folder` to write to; it takes the folder's name when all went well.

    The path does not exist yet: whoever writes makes the folder. When writing fails nothing is left
    behind and an older folder stays as it was. A full disk or a place that cannot be written
    becomes an `EmbedLinkError`, as does any `OSError` of the block.
    """
    aside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)  # What a process that was killed has left.
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        _put(aside, folder)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        reason = error.strerror or str(error)
        raise EmbedLinkError(
            f"{folder}: cannot be written ({reason}); free some space or choose another folder"
        ) from error
    except BaseException:  # Also when the user breaks off.
        shutil.rmtree(aside, ignore_errors=True)
        raise


def _put(aside: Path, folder: Path) -> None:
    """Rename, and remove what had the name only when that has been done."""
    old = folder.with_name(f".{folder.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    # A folder cannot be renamed onto one that holds files, so the older one gives way first.
    replaced = folder.is_dir()
    if replaced:
        folder.rename(old)
    try:
        aside.rename(folder)
    except OSError:
        if replaced:
            old.rename(folder)
        raise
    shutil.rmtree(old, ignore_errors=True)
