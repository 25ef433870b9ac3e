"""Trains a tagger on the mentions of the training documents.

`TaggerData` labels all words once, `TaggerModule` learns from batches of chunks, `learn_tags` puts
both under a trainer. Only training documents are read: on validation documents, which the tagger
does not know, the link decision learns how far to believe it.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import lightning as L
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from embedlink.detection.tagger import BEGIN, INSIDE, OUTSIDE, MentionTagger
from embedlink.encoder.tokens import EncoderBatch
from embedlink.problems import EmbedLinkError
from embedlink.training.datamodule import LengthBatches, Rows
from embedlink.training.heads import HeadedModule
from embedlink.types import Document, Span

IGNORED = -100
"""The label of tokens that no word is tagged by (`torch.nn.CrossEntropyLoss`)."""


class TaggerData(L.LightningDataModule):
    """Batches of chunks of the documents, with the tags of their words.

    `labels` (tokens,) int64 holds them for all chunks, end to end: a word's tag at the token that
    it is tagged by, else `IGNORED`. Raises `EmbedLinkError` where no word begins a mention.
    """

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
        """Chunks, and the tags of their words. Shape: (batch, tokens)."""
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
    """The tag of each word; of mentions that overlap, the longest counts. Shape: (words,).

    The shorter leaves no part beside it. A word is a mention's that shares a character with it, and
    mentions without a concept count like the others.
    """
    tags = np.full(len(words), OUTSIDE, dtype=np.int64)
    starts = np.array([word.start for word in words])
    ends = np.array([word.end for word in words])
    # The longest first: what is tagged already belongs to a longer mention.
    for mention in sorted(document.mentions, key=lambda mention: mention.start - mention.end):
        inner = np.flatnonzero((starts < mention.end) & (ends > mention.start))
        if (tags[inner] == OUTSIDE).all():
            tags[inner] = INSIDE
            tags[inner[:1]] = BEGIN
    return tags


class TaggerModule(HeadedModule):
    """Trains a tagger with a share of the tokens masked.

    The words around a mention then count, and not its wording alone. `masked` is the share, in
    [0, 1]; a tokenizer without a mask token hides nothing.
    """

    special: Tensor

    def __init__(self, tagger: MentionTagger, *, masked: float, **training: Any) -> None:
        super().__init__(tagger, **training)
        self.masked, self.mask_id = masked, tagger.tokenizer.mask_token_id
        # A buffer moves with the module to its device.
        special = torch.tensor(tagger.tokenizer.all_special_ids)
        self.register_buffer("special", special, persistent=False)

    def training_step(self, batch: tuple[EncoderBatch, Tensor], batch_idx: int) -> Tensor:
        """Cross-entropy of the words' tags, a mean over the batch. Shape: ()."""
        self.seed_step()  # Before anything is drawn: masks, then dropout.
        logits = self.logits(self.masked_batch(batch[0]))  # (batch, tokens, tags)
        loss = F.cross_entropy(logits.flatten(0, 1), batch[1].flatten(), ignore_index=IGNORED)
        self.log("tagger/loss", loss, prog_bar=True, batch_size=len(batch[1]))
        return loss

    def masked_batch(self, batch: EncoderBatch) -> EncoderBatch:
        """The batch with a share of its tokens masked; special tokens stay."""
        if self.mask_id is None:
            return batch
        ids = batch.input_ids
        hidden = torch.rand(ids.shape, device=ids.device) < self.masked
        hidden &= ~torch.isin(ids, self.special)
        return batch._replace(input_ids=ids.masked_fill(hidden, self.mask_id))


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
    """Train the tagger on these documents; `masked` is the share of tokens hidden meanwhile.

    The tagger itself is trained, and returned in eval mode. `batch_size` counts chunks; the rest
    is as in `HeadedModule`. Raises `EmbedLinkError` where the documents hold no mention.
    """
    data = TaggerData(tagger, documents, batch_size, seed)
    module = TaggerModule(
        tagger, lr=lr, masked=masked, weight_decay=weight_decay, warmup_share=warmup_share,
        seed=seed,
    )  # fmt: skip
    trainer.fit(module, data)
    return tagger.eval()
