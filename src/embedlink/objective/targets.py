"""What mentions are compared with in training, and what each target is to each mention."""

from dataclasses import dataclass

import torch
from torch import Tensor

from embedlink.encoder.tokens import Sequences
from embedlink.index.concept_index import ConceptIndex
from embedlink.objective.negatives import HIDDEN, POSITIVE
from embedlink.objective.settings import Targets
from embedlink.ragged import Groups


@dataclass(frozen=True)
class TargetTable:
    """The targets of one index. They carry no gradient, because the index is built now and then.

    `sequences` are the texts of the index' rows. They are needed only to encode targets anew.
    """

    index: ConceptIndex
    targets: Targets
    sequences: Sequences | None
    vectors: Tensor  # (targets, dim) unit vectors, on the encoder's device
    row: Tensor  # (targets,) int64 row of each target in the index
    column: Tensor  # (texts,) int64 target of each row of the index, -1 if it is none
    shared: Groups  # for each concept, its targets that are names of other concepts as well

    @classmethod
    def of(
        cls,
        index: ConceptIndex,
        *,
        targets: Targets,
        sequences: Sequences | None,
        device: torch.device,
    ) -> "TargetTable":
        """Take the targets from an index. Their vectors are copied to the device."""
        rows = index.representative
        if targets == "names":
            # Representative names too, because a concept without names has nothing else.
            rows = torch.cat([index.distinct_names_of_concept.rows, rows])
        rows = rows.unique()
        column = torch.full((len(index.vectors),), -1, dtype=torch.int64)
        column[rows] = torch.arange(len(rows))
        names = rows[rows < len(index.concepts_of_name)]
        names = names[index.concepts_of_name.sizes[names] > 1]
        holders = index.concepts_of_name.select(names).inverted(len(index.representative))
        return cls(
            index=index,
            targets=targets,
            sequences=sequences,
            vectors=index.vectors[rows].to(device),
            row=rows,
            column=column,
            shared=Groups(column[names][holders.rows], holders.starts),
        )

    def labels(self, gold: Tensor, own_name: Tensor) -> Tensor:
        """What each target is to each mention: `POSITIVE`, `NEGATIVE` or `HIDDEN`.

        A mention's own name is hidden if its concept has another target. Otherwise nothing would
        be left to come close to.

        Shape: gold (mentions,) concept rows, own_name (mentions,) name rows, -1 to hide none ->
        (mentions, targets) int8.
        """
        labels = torch.zeros(len(gold), len(self.vectors), dtype=torch.int8)
        # A name of several concepts fits each of them, so it is a negative to none of them. It is
        # a positive only if it represents the concept or is all that the concept has.
        mention, names = self.shared.expand(gold)
        labels[mention, names] = HIDDEN
        own = self.column[self.index.representative[gold]]
        labels[torch.arange(len(gold)), own] = POSITIVE
        if self.targets == "names":
            mention, names = self.index.distinct_names_of_concept.expand(gold)
            labels[mention, self.column[names]] = POSITIVE
        # Most shared names are no target and have column -1: there is nothing to hide.
        column = torch.where(own_name >= 0, self.column[own_name.clamp(min=0)], -1)
        others = (labels == POSITIVE).sum(1) > 1
        row = torch.nonzero((column >= 0) & others).squeeze(1)
        labels[row, column[row]] = HIDDEN
        return labels
