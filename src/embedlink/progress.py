"""The progress bar of work that may take long: with its rate, and only where someone looks on.

That is a terminal: logs of jobs and tests stay free of bars. A bar leaves no line when it ends.
"""

from collections.abc import Collection, Iterable
from typing import Any, TypeVar

from tqdm.auto import tqdm

Item = TypeVar("Item")

DELAY = 2
"""Seconds of work before a bar shows."""


def progress_bar(total: int, description: str | None, unit: str) -> tqdm:
    """A bar over `total` units that the caller updates; without a description there is none."""
    return tqdm(total=total, desc=description, **_looks(description, unit))


def watched(items: Collection[Item], description: str, unit: str) -> Iterable[Item]:
    """The items, under a bar that moves as they are taken."""
    bar: Iterable[Item] = tqdm(items, description, **_looks(description, unit))
    return bar


def _looks(description: str | None, unit: str) -> dict[str, Any]:
    hidden = True if description is None else None  # None: hidden where no one looks on.
    return {"disable": hidden, "unit": f" {unit}", "leave": False, "delay": DELAY}
