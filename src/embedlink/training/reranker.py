"""Trains a reranker on the training mentions and the concepts nearest to each.

The linker is trained before and does not change. `Choices` finds once what each mention chooses
from, `ChoiceData` makes pairs of it, and `RerankerModule` learns from batches of mentions. Each
mention comes with all of its pairs, because an order among concepts is learned, not a probability
of each.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

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
from embedlink.training.heads import HeadedModule
from embedlink.training.sampling import training_loader

DEPTH = 64
"""Names searched for the concepts nearest to a training mention."""


class Nearest(NamedTuple):
    """The nearest name of a concept."""

    name: int  # row of the texts
    score: float  # cosine and prior together


@dataclass(frozen=True)
class Choices:
    """What training mentions choose from: the nearest concepts, each by its nearest name.

    The name that equals a mention is no choice. It would teach to compare strings alone, and a
    reranker is for wordings that were never seen. A name that several concepts share is no choice
    either. It fits all of them, and `Reranking` never reads it.
    """

    mention: Tensor  # (mentions,) row of the mention table
    name: Tensor  # (mentions, k) row of the texts, -1 behind the last choice
    score: Tensor  # (mentions, k) cosine and prior, to which `Reranking` adds the logits
    gold: Tensor  # (mentions,) column of the gold concept

    @classmethod
    def of(cls, table: MentionTable, vectors: Tensor, index: ConceptIndex, k: int) -> "Choices":
        """The choices of each mention: its gold concept and up to k - 1 others, best first.

        A mention is left out if none of the `DEPTH` nearest names leads to its gold concept.

        Shape: vectors (spans, dim) of the table.
        """
        known = torch.nonzero(table.gold >= 0).squeeze(1)
        hits = index.search_names(vectors[known], DEPTH)
        columns = (known, table.gold[known], table.candidates.name[known], hits.rows, hits.scores)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        mentions: list[int] = []
        golds: list[int] = []
        chosen: list[list[Nearest]] = []
        for mention, gold, own_name, names, scores in rows:
            best = _nearest(names, scores, own_name=own_name, index=index)
            if gold not in best:
                continue
            order = sorted(best, key=lambda concept: -best[concept].score)
            # The gold concept is one of the k even if k others are better.
            others = [concept for concept in order if concept != gold][: k - 1]
            kept = [concept for concept in order if concept == gold or concept in others]
            mentions.append(mention)
            golds.append(kept.index(gold))
            chosen.append([best[concept] for concept in kept])
        name = torch.full((len(chosen), k), -1, dtype=torch.int64)
        score = torch.full((len(chosen), k), -torch.inf)
        for at, choices in enumerate(chosen):
            name[at, : len(choices)] = torch.tensor([choice.name for choice in choices])
            score[at, : len(choices)] = torch.tensor([choice.score for choice in choices])
        rows_of = torch.tensor(mentions, dtype=torch.int64)
        return cls(rows_of, name, score=score, gold=torch.tensor(golds, dtype=torch.int64))

    def __len__(self) -> int:
        return len(self.mention)


def _nearest(
    names: Sequence[int], scores: Sequence[float], own_name: int, index: ConceptIndex
) -> dict[int, Nearest]:
    """The nearest name of each concept, without `own_name` and without shared names.

    Names come nearest first, with their cosines.
    """
    best: dict[int, Nearest] = {}
    for name, cosine in zip(names, scores, strict=True):
        concepts = index.concepts_of_name[name].tolist() if name not in (own_name, -1) else []
        if len(concepts) == 1 and concepts[0] not in best:
            prior = 0.0 if index.prior is None else float(index.prior[concepts[0]])
            best[concepts[0]] = Nearest(name, cosine + prior)
    return best


class ChoiceBatch(NamedTuple):
    """All pairs of some mentions, one mention after the other."""

    pairs: EncoderBatch
    score: Tensor  # (batch, k) of `Choices`, -inf behind the last pair of a mention
    gold: Tensor  # (batch,) column of the gold concept


class ChoiceData(L.LightningDataModule):
    """Batches of choices, with all pairs of a mention in one batch.

    `texts` are the strings of the index' rows. Raises `EmbedLinkError` if no mention has anything
    to choose from.
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
                "reranker: no training mention has a concept with another name than its own "
                "wording nearby; choose reranker=null"
            )
        names = [texts[name] for name in choices.name[at, column].tolist()]
        self.pairs: TokenSequences = reranker.pairs(table.windows, choices.mention[at], names)
        self.pair = torch.full_like(choices.name, -1)  # (mentions, k) rows of `pairs`
        self.pair[at, column] = torch.arange(len(at))

    def train_dataloader(self) -> DataLoader[int]:
        """Mentions in batches of like length, shuffled by seed and epoch."""
        # The pairs of a mention differ in the name alone, so the first stands for all of them.
        lengths = self.pairs.lengths[self.pair[:, 0]]
        return training_loader(lengths, self._batch, batch_size=self.batch_size, seed=self.seed)

    def _batch(self, rows: Tensor) -> ChoiceBatch:
        """Shape: rows (batch,) of `choices`."""
        pair = self.pair[rows]  # (batch, k)
        pairs = self.pairs.batch(pair[pair >= 0])
        return ChoiceBatch(pairs, self.choices.score[rows], self.choices.gold[rows])


class RerankerModule(HeadedModule):
    """Trains a reranker to tell the gold concept from those beside it."""

    def training_step(self, batch: ChoiceBatch, batch_idx: int) -> Tensor:
        """Cross-entropy of the gold concept among the nearest, by cosine and logit together.

        It is a mean over the mentions of the batch. Shape: ().
        """
        self.seed_step()
        filled = torch.isfinite(batch.score)  # (batch, k)
        # Logits fill the table row by row, which is the order of the pairs.
        nothing = torch.full_like(batch.score, -torch.inf)
        logits = nothing.masked_scatter(filled, self.logits(batch.pairs))
        scores = torch.where(filled, SCALE * batch.score + logits, -torch.inf)
        loss = F.cross_entropy(scores, batch.gold)
        self.log("reranker/loss", loss, prog_bar=True, batch_size=len(batch.gold))
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
    """Train the reranker on these mentions, in place, and return it in eval mode.

    `vectors` are the linker's of all spans of the table, and `index` is that of `names`.
    `batch_size` counts mentions. Raises `EmbedLinkError` if no mention has anything to choose from.

    Shape: vectors (spans, dim).
    """
    choices = Choices.of(table, vectors, index, reranker.settings.top_k)
    data = ChoiceData(
        reranker, table, choices=choices, texts=names.texts, batch_size=batch_size, seed=seed
    )
    module = RerankerModule(
        reranker, lr=lr, weight_decay=weight_decay, warmup_share=warmup_share, seed=seed
    )
    trainer.fit(module, data)
    return reranker.eval()
