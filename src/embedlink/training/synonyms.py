"""A first stage on the concept database alone: names of one concept come close to each other.

Every name is a mention without context whose gold concept is its own; it learns from the
concept's other names, against the names that its concept is most easily mistaken for. The idea
is SapBERT's (Liu et al. 2021). Batches are those of the second stage, so one module and one
objective serve both; no notes are read.
"""

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.tokens import Sequences
from embedlink.linking.choice import Candidates
from embedlink.objective.objective import TrainBatch
from embedlink.problems import EmbedLinkError
from embedlink.ragged import Groups
from embedlink.training.datamodule import LengthBatches, Rows


class SynonymDataModule(L.LightningDataModule):
    """Batches of the names whose concept has other names.

    `sequences` are the tokens of all names, or their cached states, in rows of `names.texts`.
    Each name is one example an epoch, also where concepts share all of their names: then it is an
    example of the first of them. Raises `EmbedLinkError` when no concept has two names to learn
    from.
    """

    def __init__(
        self, names: ConceptNames, sequences: Sequences, batch_size: int = 64, seed: int = 0
    ) -> None:
        super().__init__()
        self.names, self.sequences = names, sequences
        self.batch_size, self.seed = batch_size, seed
        # (links,) each: concepts, and rows of the names that tell them apart.
        owner, rows = names.distinct_names_of_concept.expand(torch.arange(len(names.cuis)))
        several = names.distinct_names_of_concept.sizes[owner] > 1
        self.rows, first = rows[several].unique(return_inverse=True)
        cuis = torch.zeros(len(self.rows), dtype=torch.int64)
        self.cuis = cuis.scatter_reduce(0, first, owner[several], "amin", include_self=False)
        if not len(self.rows):
            raise EmbedLinkError(
                "stage=synonyms: no concept has two names of its own, so there is nothing to "
                "learn; leave the stage out or give data.concepts with synonyms"
            )

    def train_dataloader(self) -> DataLoader[int]:
        """Names in batches of like length, shuffled by (seed, epoch), the last one partial."""
        lengths = self.sequences.lengths[self.rows]
        every = torch.arange(len(self.rows))
        sampler = LengthBatches(every, lengths, self.batch_size, self.seed)
        return DataLoader(Rows(len(every)), batch_sampler=sampler, collate_fn=self._batch)

    def _batch(self, chosen: list[int]) -> TrainBatch:
        """The chosen examples, by their number in `self.rows`."""
        rows = self.rows[torch.tensor(chosen)]
        # Nothing is detected, so the link decision learns nothing here. A name is its own matching
        # name, so that `hide_own_name` can keep it from being its own positive.
        none: Tensor = torch.zeros(len(rows), dtype=torch.bool)
        return TrainBatch(
            self.sequences.batch(rows),
            self.cuis[torch.tensor(chosen)],
            detected=none,
            linked=none,
            counts=torch.zeros(len(rows), 2),
            candidates=Candidates(Groups.of([] for _ in chosen), rows, torch.zeros(len(rows))),
        )

    def transfer_batch_to_device(
        self, batch: TrainBatch, device: torch.device, dataloader_idx: int
    ) -> TrainBatch:
        """Move a batch."""
        return batch.to(device)
