"""Documents, detection and windows of a run, as Lightning loads them.

Detection and tokenising run once, over whole splits. What they find lies flat in a mention table,
and every batch is cut out of it by its rows.
"""

from collections.abc import Callable, Collection, Mapping, Sequence

import lightning as L
from torch import Tensor
from torch.utils.data import DataLoader

from embedlink.concepts.names import ConceptNames
from embedlink.corpora.splits import Splits
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.states import StateCache
from embedlink.encoder.tokens import Sequences
from embedlink.encoder.windows import WindowCutter
from embedlink.linking.decision import NameCounts
from embedlink.linking.mention_table import MentionTable, mention_table
from embedlink.linking.senses import SenseReader
from embedlink.objective.batch import TrainBatch
from embedlink.problems import EmbedLinkError
from embedlink.training.batches import EncodeBatch
from embedlink.training.sampling import encoding_loader, training_loader
from embedlink.types import Detection, Document

SPLITS = ("train", "validation", "test")

Detector = Callable[[Sequence[Document]], list[list[Detection]]]
"""Runs detection over documents and returns the detections of each, in MedCAT's order."""


class LinkingDataModule(L.LightningDataModule):
    """The mention tables of the three splits, and batches of their windows.

    `batch_size` counts windows of a training batch. `token_budget` counts the tokens, with
    padding, of a batch that is only encoded. `seed` decides the order of training batches.

    After `setup` there are `tables` and `sequences` by split, and `counts` of the names in the
    training documents. `sequences` are what an encoder reads of the windows. `detected` are the
    tables as detection left them, before a reader of short forms.
    """

    counts: NameCounts

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
        self.detected: Mapping[str, MentionTable] = {}
        self.sequences: dict[str, Sequences] = {}

    def setup(self, stage: str | None = None) -> None:
        """Detect once and cut all windows once.

        Raises `EmbedLinkError` if the training documents hold nothing to train on, or if the other
        documents hold nothing to measure.
        """
        # Lightning calls this for every fit, validation and test, one after the other.
        if self.tables:
            return
        for split in SPLITS:
            documents: list[Document] = getattr(self.splits, split)
            found = self.detector(documents)
            self.tables[split] = mention_table(
                documents, found, names=self.names, cutter=self.cutter
            )
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
        self.counts = train.name_counts(len(self.names.names))
        self.detected = dict(self.tables)

    def read_senses(
        self, reader: SenseReader, consistency: float = 0.0, splits: Collection[str] = SPLITS
    ) -> None:
        """Say of every detection what its short form means. What was read before is forgotten.

        `consistency` is that of `SenseReader.read`.
        """
        self.setup()
        for split in splits:
            table = self.detected[split]
            self.tables[split] = reader.read_table(table, self.names, consistency)

    def cache_states(self, cache: StateCache, encoder: ContextEncoder) -> None:
        """Compute once what lies below the encoder's trainable layers, for all windows.

        The windows of training take from the cache's budget first, then those of validation, then
        those of test. Tables keep their tokens.
        """
        for split, table in self.tables.items():
            self.sequences[split] = cache.freeze(encoder, table.windows, f"Windows: {split}")

    def train_dataloader(self) -> DataLoader[int]:
        """Training batches across documents, shuffled by seed and epoch."""
        train = self.tables["train"]
        trainable = train.trainable  # (rows,) of the table
        shared = train.windows.shared  # (rows,) of the table
        return training_loader(
            train.windows.lengths[trainable],
            lambda rows: self._train_batch(trainable[rows]),
            batch_size=self.batch_size,
            seed=self.seed,
            shared=None if shared is None else shared[trainable],
        )

    def _train_batch(self, rows: Tensor) -> TrainBatch:
        """Shape: rows (batch,) of the training table."""
        train = self.tables["train"]
        # A document's own counts are left out: the label of a rare name could be read off them.
        detected, linked = (counts[rows] for counts in train.own_counts)
        candidates = train.candidates.select(rows)
        return TrainBatch(
            windows=self.sequences["train"].batch(rows),
            gold=train.gold[rows],
            detected=train.detected[rows],
            linked=train.linked[rows],
            counts=self.counts.features(candidates.name, without=(detected, linked)),
            candidates=candidates,
        )

    def val_dataloader(self) -> DataLoader[int]:
        """All windows of the validation split, the longest first."""
        return self._encoding_loader("validation")

    def test_dataloader(self) -> DataLoader[int]:
        """All windows of the test split, the longest first."""
        return self._encoding_loader("test")

    def _encoding_loader(self, split: str) -> DataLoader[int]:
        """All windows of a split, in batches that are only encoded."""
        windows = self.tables[split].windows

        def batch(rows: Tensor) -> EncodeBatch:
            # `sequences` is read here and not earlier: by now it may hold cached states.
            return EncodeBatch(rows.tolist(), self.sequences[split].batch(rows))

        return encoding_loader(windows.batches(self.token_budget), batch, count=len(windows))
