"""Rows in groups: which names belong to which concept, which candidates to which mention.

Two tensors take the place of millions of small lists, and a whole batch is looked up at once.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Groups:
    """A list of rows for each group, stored flat: group `g` holds `rows[starts[g]:starts[g+1]]`.

    A group may be empty. A row may be in several groups. The order within a group is kept.
    """

    rows: Tensor  # (members,) int64
    starts: Tensor  # (groups + 1,) int64

    @classmethod
    def of(cls, lists: Iterable[list[int]]) -> "Groups":
        """Flatten a list of lists of rows."""
        kept = list(lists)
        sizes = torch.tensor([len(rows) for rows in kept], dtype=torch.int64)
        rows = np.fromiter(chain.from_iterable(kept), np.int64, int(sizes.sum()))
        return cls.sized(torch.from_numpy(rows), sizes)

    @classmethod
    def sized(cls, rows: Tensor, sizes: Tensor) -> "Groups":
        """Groups of these sizes. Shape: rows (members,), sizes (groups,)."""
        return cls(rows, torch.cat([sizes.new_zeros(1), sizes.cumsum(0)]))

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def sizes(self) -> Tensor:
        """Members of each group. Shape: (groups,)."""
        return self.starts[1:] - self.starts[:-1]

    def __getitem__(self, group: int) -> Tensor:
        """Rows of one group. Shape: (members,)."""
        return self.rows[self.starts[group] : self.starts[group + 1]]

    def expand(self, groups: Tensor) -> tuple[Tensor, Tensor]:
        """All members of the given groups, each with the position of its group in `groups`.

        Shape: groups (n,) -> positions (members,), rows (members,).
        """
        sizes = self.sizes[groups]
        positions = torch.repeat_interleave(torch.arange(len(groups)), sizes)
        before = torch.cumsum(sizes, 0) - sizes  # Members of all groups before each.
        within = torch.arange(int(sizes.sum())) - before[positions]
        return positions, self.rows[self.starts[groups][positions] + within]

    def select(self, groups: Tensor) -> "Groups":
        """The given groups only, in the given order. Shape: groups (n,)."""
        return Groups.sized(self.expand(groups)[1], self.sizes[groups])

    def inverted(self, size: int) -> "Groups":
        """The opposite relation: for each of `size` rows the groups that hold it, ascending."""
        owners = torch.repeat_interleave(torch.arange(len(self)), self.sizes)
        order = torch.argsort(self.rows, stable=True)
        counts = torch.bincount(self.rows, minlength=size)
        starts = torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)])
        return Groups(owners[order], starts)
