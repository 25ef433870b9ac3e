"""A first stage on the concept database alone: names of one concept come close to each other.

Every name is taken for a mention without context, and its gold concept is its own. It learns from
the other names of that concept, and against the names that are most easily mistaken for them. The
idea is SapBERT's (Liu et al. 2021). No notes are read. Batches are those of the second stage, so
one module and one objective serve both.
"""

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.tokens import Sequences
from embedlink.linking.choice import Candidates
from embedlink.objective.batch import TrainBatch
from embedlink.problems import EmbedLinkError
from embedlink.ragged import Groups
from embedlink.training.sampling import training_loader


class SynonymDataModule(L.LightningDataModule):
    """Batches of the names of concepts that have other names.

    `sequences` are the tokens of all texts of `names`, or their cached states. Each name is one
    example an epoch. If concepts share all of their names, it is an example of the first of them.
    Raises `EmbedLinkError` if no concept has two names to learn from.
    """

    def __init__(
        self, names: ConceptNames, sequences: Sequences, batch_size: int = 64, seed: int = 0
    ) -> None:
        super().__init__()
        self.names, self.sequences = names, sequences
        self.batch_size, self.seed = batch_size, seed
        own_names = names.distinct_names_of_concept
        # (links,) each: a concept and one of the names that tell it apart.
        concept, name = own_names.expand(torch.arange(len(names.cuis)))
        several = own_names.sizes[concept] > 1
        self.rows, example = name[several].unique(return_inverse=True)  # (examples,) names
        first = torch.zeros(len(self.rows), dtype=torch.int64)
        first = first.scatter_reduce(0, example, concept[several], "amin", include_self=False)
        self.concepts = first  # (examples,) the gold concept of each
        if not len(self.rows):
            raise EmbedLinkError(
                "pretraining=synonyms: no concept has two names of its own, so there is nothing to "
                "learn; leave the stage out or give data.concepts with synonyms"
            )

    def train_dataloader(self) -> DataLoader[int]:
        """Names in batches of like length, shuffled by seed and epoch."""
        lengths = self.sequences.lengths[self.rows]
        return training_loader(lengths, self._batch, batch_size=self.batch_size, seed=self.seed)

    def _batch(self, examples: Tensor) -> TrainBatch:
        """Shape: examples (batch,)."""
        rows = self.rows[examples]
        # Nothing is detected, so the link decision learns nothing here.
        nothing = torch.zeros(len(rows), dtype=torch.bool)
        no_candidates = Groups.of([] for _ in rows)
        return TrainBatch(
            windows=self.sequences.batch(rows),
            gold=self.concepts[examples],
            detected=nothing,
            linked=nothing,
            counts=torch.zeros(len(rows), 2),
            # A name equals itself, so it would learn from itself if it were not hidden.
            candidates=Candidates(
                no_candidates,
                name=rows,
                tagged=torch.zeros(len(rows)),
                outside=torch.zeros(len(rows)),
            ),
            hide_own_name=True,
        )
