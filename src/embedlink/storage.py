"""Writing folders whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from embedlink.types import EmbedLinkError


@contextmanager
def written_aside(folder: Path) -> Iterator[Path]:
    """Yield a path beside `folder` to write to; it takes the folder's name when all went well.

    On failure nothing is left behind and an older folder stays as it was. A full disk or a
    place that cannot be written becomes an `EmbedLinkError`.
    """
    aside = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(aside, ignore_errors=True)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        yield aside
        if folder.exists():
            shutil.rmtree(folder)
        aside.rename(folder)
    except OSError as error:
        shutil.rmtree(aside, ignore_errors=True)
        reason = error.strerror or str(error)
        raise EmbedLinkError(
            f"{folder}: cannot be written ({reason}); free some space or choose another folder"
        ) from error
    except BaseException:
        shutil.rmtree(aside, ignore_errors=True)
        raise
