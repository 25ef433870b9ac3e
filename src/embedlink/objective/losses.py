"""Training objectives: which targets a mention's vector should come close to, and how near.

Targets are rows of the index (names, or concepts by their representative name), encoded once
an epoch. Every objective takes the same arguments, so that `conf/loss` can swap them.
"""

import math
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from embedlink.objective.negatives import (
    HIDDEN,
    POSITIVE,
    SCORE_BUDGET,
    hardest,
    sample_negatives,
    sample_positives,
    worth_scoring,
)

Targets = Literal["names", "cuis"]
"""What a mention is compared with: all names, or one representative name for each concept.

Of names that several concepts share, see `names.ConceptNames.distinct_names_of_concept`.
"""


class LogitScale(nn.Module):
    """Multiplies cosines before a softmax, whose entropy is bounded below without it.

    `scale` is where it starts (20 is a temperature of 0.05), and stays unless `learnable`.
    """

    def __init__(self, scale: float = 20.0, learnable: bool = True) -> None:
        super().__init__()
        # Its logarithm is learned, so that no step makes the scale negative.
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learnable)

    def forward(self, cosines: Tensor) -> Tensor:
        """Scale by at most 100 (the bound that CLIP uses, Radford et al. 2021)."""
        return cosines * self.log_scale.exp().clamp(max=100.0)


class SampledSoftmax(nn.Module):
    """One positive against k sampled hard negatives: the objective of pull request 392.

    The positive is drawn among the gold concept's names, and none of them is a negative. At most
    `score_budget` bytes of scores are held at a time; the pool is the same whatever it is.
    """

    def __init__(
        self,
        scale: float = 20.0,
        learnable_scale: bool = True,
        k: int = 10,
        pool_size: int = 4096,
        temperature: float = 0.1,
        score_budget: int = SCORE_BUDGET,
    ) -> None:
        super().__init__()
        self.scale = LogitScale(scale, learnable_scale)
        self.k, self.pool_size, self.temperature = k, pool_size, temperature
        self.score_budget = score_budget

    def forward(
        self, vectors: Tensor, targets: Tensor, labels: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Cross-entropy of the positive.

        Shape: vectors (batch, dim), targets (targets, dim) both of unit length, labels
        (batch, targets) int8 with one or more `POSITIVE` a row -> ().
        """
        # Which targets are drawn carries no gradient; their scores are taken again below.
        with torch.no_grad():
            pool = hardest(vectors, targets, labels, self.pool_size, self.score_budget)
            negatives = sample_negatives(pool, self.k, self.temperature, generator)  # (batch, k)
            positive = sample_positives(labels, generator)  # (batch,)
        rows = torch.cat([positive[:, None], negatives], 1)  # (batch, 1 + k)
        logits = self.scale(torch.einsum("bd,bkd->bk", vectors, targets[rows]))
        # The positive stands first in every row, so class 0 is always right.
        return F.cross_entropy(
            logits, torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
        )


class MarginalSoftmax(nn.Module):
    """Softmax over all targets, every name of the gold concept a positive.

    The loss is the negative log of the summed probability of the positives (marginal
    likelihood, as BioSyn trains: Sung et al. 2020). Where the scores of all targets would not
    fit in `score_budget` bytes, the targets that no row finds hardest are left out.
    """

    def __init__(
        self,
        scale: float = 20.0,
        learnable_scale: bool = True,
        score_budget: int = SCORE_BUDGET,
    ) -> None:
        super().__init__()
        self.scale = LogitScale(scale, learnable_scale)
        self.score_budget = score_budget

    def forward(
        self, vectors: Tensor, targets: Tensor, labels: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Negative log marginal likelihood; shapes as in `SampledSoftmax.forward`.

        Nothing is drawn, so `generator` is not used. Hidden targets have no probability at all.
        """
        keep = worth_scoring(vectors, targets, labels, self.score_budget)
        if keep is not None:
            targets, labels = targets[keep], labels[:, keep]
        logits = self.scale(vectors @ targets.T)  # (batch, targets)
        logits = logits.masked_fill(labels == HIDDEN, -torch.inf)
        gold = logits.masked_fill(labels != POSITIVE, -torch.inf).logsumexp(1)
        loss: Tensor = (logits.logsumexp(1) - gold).mean()
        return loss
