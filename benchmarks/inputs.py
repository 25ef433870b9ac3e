"""Names and vectors to measure on: real ones as far as a table has them, then variations."""

import csv
import random
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from embedlink.files.paths import resolve

DEMO = "package://embedlink/demo/concepts.csv"
WORDS = ["acute", "chronic", "recurrent", "severe", "mild", "familial", "bilateral", "late"]


def read_names(table: str | Path, count: int) -> list[str]:
    """`count` different names: those of the table in random order, then with words before them."""
    with resolve(table).open(encoding="utf-8", newline="") as file:
        names = sorted({row["name"].strip().lower() for row in csv.DictReader(file)})
    random.Random(0).shuffle(names)
    made, turn = list(names), 0
    while len(made) < count:
        turn += 1
        made += [f"{WORDS[turn % len(WORDS)]} type {turn} {name}" for name in names]
    return made[:count]


def spread(vectors: Tensor, count: int, seed: int = 0, noise: float = 0.02) -> Tensor:
    """`count` unit vectors around the given ones, as variations of a name lie.

    Shape: vectors (n, dim) -> (count, dim).
    """
    generator = torch.Generator().manual_seed(seed)
    made = torch.empty(count, vectors.shape[1])
    for low in range(0, count, len(vectors)):
        part = made[low : low + len(vectors)]
        part.normal_(generator=generator).mul_(noise if low else 0.0).add_(vectors[: len(part)])
    return F.normalize(made, dim=1)


def queries_near(vectors: Tensor, count: int, seed: int = 1) -> Tensor:
    """Unit vectors a little off some of the given. Shape: (n, dim) -> (count, dim)."""
    generator = torch.Generator().manual_seed(seed)
    rows = torch.randint(len(vectors), (count,), generator=generator)
    off = 0.03 * torch.randn(count, vectors.shape[1], generator=generator)
    return F.normalize(vectors[rows] + off, dim=1)
