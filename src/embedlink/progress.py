"""The progress bar of long work, with its rate. It shows only if someone looks on.

It shows in a terminal only, so logs of jobs and tests have no bars. A bar leaves no line behind.
"""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from tqdm.auto import tqdm

Item = TypeVar("Item")

DELAY = 2
"""Seconds of work before a bar shows."""


def progress_bar(total: int, description: str | None, unit: str) -> tqdm:
    """A bar over `total` units that the caller updates. Without a description there is none."""
    return tqdm(total=total, desc=description, **_looks(description, unit))


def watched(items: Collection[Item], description: str, unit: str) -> Iterable[Item]:
    """The items, under a bar that moves as they are taken."""
    bar: Iterable[Item] = tqdm(items, description, **_looks(description, unit))
    return bar


def _looks(description: str | None, unit: str) -> dict[str, Any]:
    hidden = True if description is None else None  # None hides it if no one looks on.
    return {"disable": hidden, "unit": f" {unit}", "leave": False, "delay": DELAY}
