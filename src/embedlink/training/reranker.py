"""Trains a reranker on the training mentions and the concepts nearest to each.

The linker is trained by then and stays as it is. `Choices` finds once what each mention chooses
from, `ChoiceData` makes pairs of it, `RerankerModule` learns from batches of mentions, each with
all of its pairs: what is learned is an order among concepts, not a probability of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import lightning as L
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.tokens import EncoderBatch, TokenSequences
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.mention_table import MentionTable
from embedlink.linking.reranker import SCALE, Reranker
from embedlink.problems import EmbedLinkError
from embedlink.training.datamodule import LengthBatches, Rows
from embedlink.training.heads import HeadedModule

DEPTH = 64
"""Names searched for the concepts nearest to a training mention."""


@dataclass(frozen=True)
class Choices:
    """What training mentions choose from: the nearest concepts, each by its nearest name.

    A mention's own wording is no choice: it would teach to compare strings alone, and unseen
    wordings are what a reranker is for. Nor is a name that several concepts share: it fits all of
    them, and `Reranking` never reads it. Shape: mention (n,) rows of the table; name (n, k) rows
    of texts, -1 where there are fewer; score (n, k) cosine and prior, what `Reranking` adds the
    logits to; gold (n,) column of the gold concept.
    """

    mention: Tensor
    name: Tensor
    score: Tensor
    gold: Tensor

    @classmethod
    def of(cls, table: MentionTable, vectors: Tensor, index: ConceptIndex, k: int) -> "Choices":
        """The choices of mentions whose gold concept is near: it and up to k - 1 others.

        A mention is left out where its gold concept has none of the `DEPTH` nearest names, its own
        wording aside. Choices stand best first. Shape: vectors (spans, dim) of the table.
        """
        mention = torch.nonzero(table.gold >= 0).squeeze(1)
        hits = index.search_names(vectors[mention], DEPTH)
        gold, own = table.gold[mention], table.candidates.name[mention]
        columns = (mention, gold, own, hits.rows, hits.scores)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        # A mention, the name and score of each of its concepts, the column of the gold one.
        found: list[tuple[int, list[tuple[int, float]], int]] = []
        for row, right, wording, names, scores in rows:
            best = _nearest(names, scores, wording, index)
            if right in best:
                # The gold concept is one of the k also where k others are better.
                order = sorted(best, key=lambda cui: -best[cui][1])
                others = [cui for cui in order if cui != right][: k - 1]
                chosen = [cui for cui in order if cui == right or cui in others]
                found.append((row, [best[cui] for cui in chosen], chosen.index(right)))
        name = torch.full((len(found), k), -1, dtype=torch.int64)
        score = torch.full((len(found), k), -torch.inf)
        for at, (_, choices, _) in enumerate(found):
            name[at, : len(choices)] = torch.tensor([row for row, _ in choices])
            score[at, : len(choices)] = torch.tensor([score for _, score in choices])
        return cls(
            torch.tensor([row for row, *_ in found], dtype=torch.int64),
            name,
            score,
            torch.tensor([column for *_, column in found], dtype=torch.int64),
        )

    def __len__(self) -> int:
        return len(self.mention)


def _nearest(
    names: Sequence[int], scores: Sequence[float], own: int, index: ConceptIndex
) -> dict[int, tuple[int, float]]:
    """Concepts by their nearest name with cosine and prior, without `own` and shared names."""
    best: dict[int, tuple[int, float]] = {}
    for name, cosine in zip(names, scores, strict=True):
        cuis = index.concepts_of_name[name].tolist() if name not in (own, -1) else []
        # Names come nearest first: a concept keeps the first.
        if len(cuis) == 1 and cuis[0] not in best:
            prior = 0.0 if index.prior is None else float(index.prior[cuis[0]])
            best[cuis[0]] = (name, cosine + prior)
    return best


class ChoiceData(L.LightningDataModule):
    """Batches of choices, all pairs of a mention in one.

    `texts` are the strings of the index' rows. Raises `EmbedLinkError` where nothing is to be
    chosen at all.
    """

    def __init__(
        self,
        reranker: Reranker,
        table: MentionTable,
        choices: Choices,
        texts: Sequence[str],
        batch_size: int,
        seed: int,
    ) -> None:
        super().__init__()
        self.choices, self.batch_size, self.seed = choices, batch_size, seed
        at, column = torch.nonzero(choices.name >= 0, as_tuple=True)
        if not len(at):
            raise EmbedLinkError(
                "model.rerank: no training mention has a concept with another name than its own "
                "wording nearby; choose model.rerank=null"
            )
        names = [texts[name] for name in choices.name[at, column].tolist()]
        self.pairs: TokenSequences = reranker.pairs(table.windows, choices.mention[at], names)
        self.pair = torch.full_like(choices.name, -1)  # (n, k) rows of pairs
        self.pair[at, column] = torch.arange(len(at))

    def train_dataloader(self) -> DataLoader[int]:
        """Mentions in batches of like length, shuffled by (seed, epoch)."""
        # The pairs of a mention differ in the name alone: the first stands for all.
        lengths = self.pairs.lengths[self.pair[:, 0]]
        every = torch.arange(len(self.choices))
        sampler = LengthBatches(every, lengths, self.batch_size, self.seed)
        return DataLoader(Rows(len(every)), batch_sampler=sampler, collate_fn=self._batch)

    def _batch(self, chosen: list[int]) -> tuple[EncoderBatch, Tensor, Tensor]:
        """All pairs of the mentions, one mention after the other, with cosines and gold columns.

        Shape: pairs (pairs, tokens), scores (batch, k), gold (batch,).
        """
        rows = torch.tensor(chosen)
        pair = self.pair[rows]  # (batch, k)
        pairs = self.pairs.batch(pair[pair >= 0])
        return pairs, self.choices.score[rows], self.choices.gold[rows]

    def transfer_batch_to_device(
        self,
        batch: tuple[EncoderBatch, Tensor, Tensor],
        device: torch.device,
        dataloader_idx: int,
    ) -> tuple[EncoderBatch, Tensor, Tensor]:
        """Move a batch."""
        return batch[0].to(device), batch[1].to(device), batch[2].to(device)


class RerankerModule(HeadedModule):
    """Trains a reranker to tell the gold concept from those beside it."""

    def training_step(self, batch: tuple[EncoderBatch, Tensor, Tensor], batch_idx: int) -> Tensor:
        """Cross-entropy of the gold concept among the nearest, by cosine and logit together.

        A mean over the mentions of the batch. Shape: ().
        """
        self.seed_step()
        pairs, scores, gold = batch
        there = torch.isfinite(scores)  # (batch, k)
        # Logits fill the table row by row, as the batch has its pairs.
        table = torch.full_like(scores, -torch.inf).masked_scatter(there, self.logits(pairs))
        loss = F.cross_entropy(torch.where(there, SCALE * scores + table, -torch.inf), gold)
        self.log("reranker/loss", loss, prog_bar=True, batch_size=len(gold))
        return loss


def learn_reranking(
    reranker: Reranker,
    table: MentionTable,
    vectors: Tensor,
    index: ConceptIndex,
    names: ConceptNames,
    trainer: L.Trainer,
    *,
    lr: float,
    batch_size: int,
    weight_decay: float,
    warmup_share: float,
    seed: int,
) -> Reranker:
    """Train the reranker on these mentions. Shape: vectors (spans, dim).

    `vectors` are the linker's of all spans of the table, `index` is that of `names`. The reranker
    itself is trained, and returned in eval mode; `batch_size` counts mentions. Raises
    `EmbedLinkError` where no mention has anything to choose from.
    """
    choices = Choices.of(table, vectors, index, reranker.settings.top_k)
    data = ChoiceData(reranker, table, choices, names.texts, batch_size, seed)
    module = RerankerModule(
        reranker, lr=lr, weight_decay=weight_decay, warmup_share=warmup_share, seed=seed
    )
    trainer.fit(module, data)
    return reranker.eval()
