"""Documents, detection and windows of a run, as Lightning loads them.

Detection and tokenising run once, over whole splits; what they find lies flat in a `MentionTable`.
Loaders hand out row numbers only, and a batch is cut out of the table by its rows: no sample is
made of a single span, and no worker process is needed.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import lightning as L
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset, Sampler

from embedlink.concepts.names import ConceptNames
from embedlink.corpora.splits import Splits
from embedlink.encoder.tokens import EncoderBatch, Sequences
from embedlink.encoder.windows import WindowCutter
from embedlink.linking.decision import NameCounts
from embedlink.linking.mention_table import MentionTable, mention_table
from embedlink.objective.objective import TrainBatch, shuffled_batches, step_seed
from embedlink.problems import EmbedLinkError
from embedlink.types import Detection, Document

Detector = Callable[[Sequence[Document]], list[list[Detection]]]
"""Runs MedCAT's detection over documents; the detections of each, in MedCAT's order."""


class Rows(Dataset[int]):
    """The rows of a table, by number: batching happens in the table itself."""

    def __init__(self, count: int) -> None:
        self.count = count

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, row: int) -> int:
        return row


class LengthBatches(Sampler[list[int]]):
    """Training batches of like length, in an order that (seed, epoch) decides alone.

    Shape: rows (rows,) to draw from, lengths (rows,) of their sequences in tokens. Every row comes
    once an epoch, `batch_size` at a time; one batch may be smaller. Epoch 0 until told otherwise.
    A run that resumes in epoch 3 thus sees what an uninterrupted one does.
    """

    def __init__(self, rows: Tensor, lengths: Tensor, batch_size: int, seed: int) -> None:
        self.rows, self.lengths = rows, lengths
        self.batch_size, self.seed, self.epoch = batch_size, seed, 0

    @property
    def sampler(self) -> "LengthBatches":
        """Lightning tells a batch sampler's `sampler` which epoch it is."""
        return self

    def set_epoch(self, epoch: int) -> None:
        """Lightning calls this before each epoch."""
        self.epoch = epoch

    def __len__(self) -> int:
        # As `shuffled_batches` cuts them.
        stretches = torch.arange(len(self.rows)).split(32 * self.batch_size)
        return sum(-(-len(stretch) // self.batch_size) for stretch in stretches)

    def __iter__(self) -> Iterator[list[int]]:
        seed = step_seed(self.seed, self.epoch)
        for batch in shuffled_batches(self.lengths, self.batch_size, seed):
            yield self.rows[batch].tolist()


class LinkingDataModule(L.LightningDataModule):
    """Mention tables of the three splits, and batches of their windows.

    `batch_size` counts windows of a training batch, `token_budget` padded tokens of one that is
    only encoded, for validation or test. `seed` decides the order of training batches. After
    `setup` there are `tables` by split, and `counts` of the names in the training documents.
    """

    def __init__(
        self,
        splits: Splits,
        detector: Detector,
        names: ConceptNames,
        cutter: WindowCutter,
        batch_size: int = 32,
        token_budget: int = 8192,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.splits, self.detector, self.names, self.cutter = splits, detector, names, cutter
        self.batch_size, self.token_budget, self.seed = batch_size, token_budget, seed
        self.tables: dict[str, MentionTable] = {}
        self.sequences: dict[str, Sequences] = {}
        """The windows of each split; a callback may put cached states in their place."""

    def setup(self, stage: str | None = None) -> None:
        """Detect once and cut all windows once.

        Raises `EmbedLinkError` where the training documents have nothing to train on, or others
        nothing to measure.
        """
        # Lightning calls this for every fit, validation and test, one after the other.
        if self.tables:
            return
        for split in ("train", "validation", "test"):
            documents: list[Document] = getattr(self.splits, split)
            found = self.detector(documents)
            self.tables[split] = mention_table(documents, found, self.names, self.cutter)
            self.sequences[split] = self.tables[split].windows
            if documents and split != "train" and not len(self.tables[split]):
                raise EmbedLinkError(
                    f"no {split} mention: the {len(documents)} {split} documents hold none, and "
                    "detection proposes nothing in them; choose other shares or another split"
                )
        train = self.tables["train"]
        if not len(train.trainable):
            raise EmbedLinkError(
                "no training mention: the training documents hold no mention whose concept is "
                "in the concept database, and detection proposes nothing in them"
            )
        self.counts: NameCounts = train.name_counts(len(self.names.names))

    def train_dataloader(self) -> DataLoader[int]:
        """Batches across documents, shuffled by (seed, epoch), the last one partial."""
        train = self.tables["train"]
        rows = train.trainable
        sampler = LengthBatches(rows, train.windows.lengths[rows], self.batch_size, self.seed)
        return DataLoader(Rows(len(train)), batch_sampler=sampler, collate_fn=self._train_batch)

    def _train_batch(self, chosen: list[int]) -> TrainBatch:
        """Shape: chosen (batch,) rows of the training table."""
        train, rows = self.tables["train"], torch.tensor(chosen)
        # A document's own counts are left out: the label of a rare name could be read off them.
        own = tuple(counts[rows] for counts in train.own_counts)
        candidates = train.candidates.select(rows)
        return TrainBatch(
            self.sequences["train"].batch(rows),
            train.gold[rows],
            train.detected[rows],
            train.linked[rows],
            self.counts.features(candidates.name, without=(own[0], own[1])),
            candidates,
        )

    def transfer_batch_to_device(
        self, batch: Any, device: torch.device, dataloader_idx: int
    ) -> Any:
        """Move a training batch, or the windows of an evaluation batch."""
        if isinstance(batch, TrainBatch):
            return batch.to(device)
        rows, windows = batch
        return rows, windows.to(device)

    def val_dataloader(self) -> DataLoader[int]:
        """All windows of the validation split, as (rows, windows), longest first."""
        return self._encode_loader("validation")

    def test_dataloader(self) -> DataLoader[int]:
        """All windows of the test split, as (rows, windows), longest first."""
        return self._encode_loader("test")

    def _encode_loader(self, split: str) -> DataLoader[int]:
        windows = self.tables[split].windows
        batches = [rows.tolist() for rows in windows.batches(self.token_budget)]
        # `sequences` is read when a batch is made: by then it may hold cached states.
        return DataLoader(
            Rows(len(windows)),
            batch_sampler=batches,
            collate_fn=lambda rows: self._windows(split, torch.tensor(rows)),
        )

    def _windows(self, split: str, rows: Tensor) -> tuple[Tensor, EncoderBatch]:
        """Shape: rows (batch,). They go along, to tell evaluation whose vectors come back."""
        return rows, self.sequences[split].batch(rows)
