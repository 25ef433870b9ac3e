"""The progress bar of work that may take long: with its rate, and only where someone looks on."""

from tqdm.auto import tqdm

DELAY = 2
"""Seconds of work before a bar shows."""


def progress_bar(total: int, description: str | None, unit: str) -> tqdm:
    """A bar over `total` units; without a description there is none."""
    return tqdm(
        total=total,
        desc=description,
        disable=True if description is None else None,  # None: hidden where no one looks on.
        unit=f" {unit}",
        leave=False,
        delay=DELAY,
    )
