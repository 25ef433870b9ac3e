"""Trains a tagger on the mentions of the training documents."""

from collections.abc import Sequence
from itertools import chain

import lightning as L
import numpy as np
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.optim import AdamW, Optimizer
from torch.utils.data import DataLoader

from embedlink.datamodule import LengthBatches, Rows
from embedlink.module import scheduled
from embedlink.objective import parameter_groups
from embedlink.precision import computing_in
from embedlink.tagger import BEGIN, INSIDE, OUTSIDE, MentionTagger
from embedlink.tokens import EncoderBatch
from embedlink.types import Document, EmbedLinkError, Span

IGNORED = -100
"""The label of tokens that no word is tagged by (`torch.nn.CrossEntropyLoss`)."""
HEAD_LR = 10
"""How much faster than the encoder the head learns, which starts from nothing."""


class TaggerData(L.LightningDataModule):
    """Batches of chunks of the documents, with the tags of their words."""

    def __init__(
        self, tagger: MentionTagger, documents: Sequence[Document], batch_size: int, seed: int
    ) -> None:
        super().__init__()
        self.batch_size, self.seed = batch_size, seed
        self.chunks = tagger.chunks([document.text for document in documents])
        tags = chain.from_iterable(map(tags_of, documents, self.chunks.words))
        self.labels = torch.full((len(self.chunks.sequences.ids),), IGNORED)
        self.labels[self.chunks.position] = torch.tensor(list(tags), dtype=torch.int64)
        if not bool((self.labels == BEGIN).any()):
            raise EmbedLinkError(
                "detection.tagger: the training documents hold no mention to learn from; choose "
                "detection=variants"
            )

    def train_dataloader(self) -> DataLoader[int]:
        """Chunks in batches of like length, shuffled by (seed, epoch)."""
        lengths = self.chunks.sequences.lengths
        every = torch.arange(len(lengths))
        sampler = LengthBatches(every, lengths, self.batch_size, self.seed)
        return DataLoader(Rows(len(every)), batch_sampler=sampler, collate_fn=self._batch)

    def _batch(self, chosen: list[int]) -> tuple[EncoderBatch, Tensor]:
        rows = torch.tensor(chosen)
        source, filled = self.chunks.sequences.positions(rows)
        labels = torch.where(filled, self.labels[source], IGNORED)  # (batch, tokens)
        return self.chunks.sequences.batch(rows), labels

    def transfer_batch_to_device(
        self, batch: tuple[EncoderBatch, Tensor], device: torch.device, dataloader_idx: int
    ) -> tuple[EncoderBatch, Tensor]:
        """Move a batch."""
        return batch[0].to(device), batch[1].to(device)


def tags_of(document: Document, words: Sequence[Span]) -> NDArray[np.int64]:
    """The tag of each word; of mentions that overlap, the longest. Shape: (words,)."""
    tags = np.full(len(words), OUTSIDE, dtype=np.int64)
    starts = np.array([word.start for word in words])
    ends = np.array([word.end for word in words])
    for mention in sorted(document.mentions, key=lambda mention: mention.end - mention.start):
        inner = np.flatnonzero((starts < mention.end) & (ends > mention.start))
        tags[inner] = INSIDE
        tags[inner[:1]] = BEGIN
    return tags


class TaggerModule(L.LightningModule):
    """Trains all layers of a tagger; embeddings stay as they are.

    A share of the tokens is masked while it learns, so that the words around a mention count and
    not its wording alone.
    """

    special: Tensor

    def __init__(
        self,
        tagger: MentionTagger,
        *,
        lr: float,
        masked: float,
        weight_decay: float,
        warmup_share: float,
        seed: int,
    ) -> None:
        super().__init__()
        self.tagger, self.lr, self.masked, self.seed = tagger, lr, masked, seed
        self.weight_decay, self.warmup_share = weight_decay, warmup_share
        special = torch.tensor(tagger.tokenizer.all_special_ids)
        self.register_buffer("special", special, persistent=False)
        tagger.language_model.get_input_embeddings().requires_grad_(False)

    def training_step(self, batch: tuple[EncoderBatch, Tensor], batch_idx: int) -> Tensor:
        """Cross-entropy of the words' tags."""
        torch.manual_seed((self.seed << 32) + self.global_step)
        with computing_in("auto", self.device):
            logits = self.tagger(self.masked_batch(batch[0]))  # (batch, tokens, tags)
        loss = F.cross_entropy(logits.flatten(0, 1), batch[1].flatten(), ignore_index=IGNORED)
        self.log("tagger/loss", loss, prog_bar=True, batch_size=len(batch[1]))
        return loss

    def masked_batch(self, batch: EncoderBatch) -> EncoderBatch:
        """The batch with a share of its tokens masked; special tokens stay."""
        ids = batch.input_ids
        hidden = torch.rand(ids.shape, device=ids.device) < self.masked
        hidden &= ~torch.isin(ids, self.special)
        mask = self.tagger.tokenizer.mask_token_id
        return batch if mask is None else batch._replace(input_ids=ids.masked_fill(hidden, mask))

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with linear warm-up and decay; the head learns faster."""
        head = {"params": list(self.tagger.head.parameters()), "lr": HEAD_LR * self.lr}
        groups = parameter_groups(self.tagger.language_model, self.weight_decay)
        optimizer: Optimizer = AdamW([*groups, head], lr=self.lr)
        return scheduled(optimizer, self.trainer, self.warmup_share)


def learn_tags(
    tagger: MentionTagger,
    documents: Sequence[Document],
    trainer: L.Trainer,
    *,
    lr: float,
    batch_size: int,
    masked: float,
    weight_decay: float,
    warmup_share: float,
    seed: int,
) -> MentionTagger:
    """Train the tagger on these documents; `masked` is the share of tokens hidden meanwhile."""
    data = TaggerData(tagger, documents, batch_size, seed)
    module = TaggerModule(
        tagger, lr=lr, masked=masked, weight_decay=weight_decay, warmup_share=warmup_share,
        seed=seed,
    )  # fmt: skip
    trainer.fit(module, data)
    return tagger.eval()
