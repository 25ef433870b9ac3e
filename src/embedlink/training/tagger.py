"""Trains a tagger on the mentions of the training documents.

`TaggerData` labels all words once, `TaggerModule` learns from batches of chunks, and `learn_tags`
puts both under a trainer. Only training documents are read. The tagger does not know validation
documents, so the link decision learns there how far to believe it.
"""

from collections.abc import Sequence
from itertools import chain
from typing import Any, NamedTuple

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
from embedlink.training.heads import HeadedModule
from embedlink.training.sampling import training_loader
from embedlink.types import Document, Span

IGNORED = -100
"""The tag of tokens that no word is tagged by, as `torch.nn.CrossEntropyLoss` has it."""


class TagBatch(NamedTuple):
    """Chunks of documents with the tags of their words."""

    chunks: EncoderBatch
    tags: Tensor  # (batch, tokens) int64, `IGNORED` if no word is tagged by the token


class TaggerData(L.LightningDataModule):
    """Batches of chunks of the documents.

    A word's tag stands at the token that the word is tagged by. Raises `EmbedLinkError` if no word
    begins a mention.
    """

    def __init__(
        self, tagger: MentionTagger, documents: Sequence[Document], batch_size: int, seed: int
    ) -> None:
        super().__init__()
        self.batch_size, self.seed = batch_size, seed
        self.chunks = tagger.chunks([document.text for document in documents])
        tags = chain.from_iterable(map(tags_of, documents, self.chunks.words))
        # (tokens,) of all chunks, end to end
        self.tags = torch.full((len(self.chunks.sequences.ids),), IGNORED)
        self.tags[self.chunks.position] = torch.tensor(list(tags), dtype=torch.int64)
        if not bool((self.tags == BEGIN).any()):
            raise EmbedLinkError(
                "detection.tagger: the training documents hold no mention to learn from; choose "
                "detection=variants"
            )

    def train_dataloader(self) -> DataLoader[int]:
        """Chunks in batches of like length, shuffled by seed and epoch."""
        lengths = self.chunks.sequences.lengths
        return training_loader(lengths, self._batch, batch_size=self.batch_size, seed=self.seed)

    def _batch(self, rows: Tensor) -> TagBatch:
        """Shape: rows (batch,) of chunks."""
        sequences = self.chunks.sequences
        source, filled = sequences.positions(rows)
        return TagBatch(sequences.batch(rows), torch.where(filled, self.tags[source], IGNORED))


def tags_of(document: Document, words: Sequence[Span]) -> NDArray[np.int64]:
    """The tag of each word: `BEGIN`, `INSIDE` or `OUTSIDE`.

    A word belongs to a mention if both share a character. If mentions overlap, only the longest
    is tagged. A mention without a concept counts like any other.

    Shape: -> (words,).
    """
    tags = np.full(len(words), OUTSIDE, dtype=np.int64)
    starts = np.array([word.start for word in words])
    ends = np.array([word.end for word in words])
    # The longest come first, so what is tagged already belongs to a longer mention.
    for mention in sorted(document.mentions, key=lambda mention: mention.start - mention.end):
        inner = np.flatnonzero((starts < mention.end) & (ends > mention.start))
        if (tags[inner] == OUTSIDE).all():
            tags[inner] = INSIDE
            tags[inner[:1]] = BEGIN
    return tags


class TaggerModule(HeadedModule):
    """Trains a tagger with a share of the tokens masked.

    Then the words around a mention count, and not its wording alone. `masked` is the share, in
    [0, 1]. If the tokenizer has no mask token, nothing is masked.
    """

    special: Tensor  # (special tokens,) their ids

    def __init__(self, tagger: MentionTagger, *, masked: float, **training: Any) -> None:
        super().__init__(tagger, **training)
        self.masked, self.mask_id = masked, tagger.tokenizer.mask_token_id
        # A buffer moves with the module to its device.
        special = torch.tensor(tagger.tokenizer.all_special_ids)
        self.register_buffer("special", special, persistent=False)

    def training_step(self, batch: TagBatch, batch_idx: int) -> Tensor:
        """Cross-entropy of the words' tags, a mean over the words of the batch. Shape: ()."""
        self.seed_step()  # Before anything is drawn: masks, then dropout.
        logits = self.logits(self.masked_batch(batch.chunks))  # (batch, tokens, tags)
        loss = F.cross_entropy(logits.flatten(0, 1), batch.tags.flatten(), ignore_index=IGNORED)
        self.log("tagger/loss", loss, prog_bar=True, batch_size=len(batch.tags))
        return loss

    def masked_batch(self, batch: EncoderBatch) -> EncoderBatch:
        """The batch with a share of its tokens masked. Special tokens stay."""
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
    """Train the tagger on these documents, in place, and return it in eval mode.

    `batch_size` counts chunks, `masked` is the share of tokens that is masked, and the other
    settings are those of `HeadedModule`. Raises `EmbedLinkError` if the documents hold no mention.
    """
    data = TaggerData(tagger, documents, batch_size=batch_size, seed=seed)
    module = TaggerModule(
        tagger, lr=lr, masked=masked, weight_decay=weight_decay, warmup_share=warmup_share,
        seed=seed,
    )  # fmt: skip
    trainer.fit(module, data)
    return tagger.eval()
