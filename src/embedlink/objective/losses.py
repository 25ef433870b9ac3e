"""Losses: which targets a mention's vector should come close to, and how near.

Targets are rows of the index, encoded once an epoch. Every loss takes the same arguments, so that
`conf/objective` can swap one for another.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from embedlink.objective.negatives import (
    HIDDEN,
    POSITIVE,
    hardest,
    narrowed,
    sample_negatives,
    sample_positives,
)
from embedlink.objective.settings import MarginalSettings, SampledSettings


class LogitScale(nn.Module):
    """Multiplies cosines before a softmax. Without a scale the loss could not come near 0.

    `scale` is the first value, and 20 is a temperature of 0.05. It stays if not `learnable`.
    """

    def __init__(self, scale: float = MarginalSettings.scale, learnable: bool = True) -> None:
        super().__init__()
        # The logarithm is learned, so that no step makes the scale negative.
        self.log_scale = nn.Parameter(torch.tensor(math.log(scale)), requires_grad=learnable)

    @classmethod
    def of(cls, scale: "float | LogitScale", learnable: bool) -> "LogitScale":
        """A scale that starts at this number, or the one that another loss has learned."""
        return scale if isinstance(scale, LogitScale) else cls(scale, learnable)

    def forward(self, cosines: Tensor) -> Tensor:
        """Scale by at most 100, the bound of CLIP (Radford et al. 2021). Any shape."""
        return cosines * self.log_scale.exp().clamp(max=100.0)


class SampledSoftmax(nn.Module):
    """One positive against k sampled hard negatives: the loss of pull request 392.

    The positive is drawn among the names of the gold concept, and none of these is a negative.
    The negatives are drawn among the `pool_size` hardest. At most `score_budget` bytes of scores
    are held at a time, and the pool does not depend on that.
    """

    def __init__(
        self,
        scale: float | LogitScale = SampledSettings.scale,
        learnable_scale: bool = SampledSettings.learnable_scale,
        k: int = SampledSettings.k,
        pool_size: int = SampledSettings.pool_size,
        temperature: float = SampledSettings.temperature,
        score_budget: int = SampledSettings.score_budget,
    ) -> None:
        super().__init__()
        self.scale = LogitScale.of(scale, learnable_scale)
        self.score_budget = score_budget
        self.draw_by(k=k, pool_size=pool_size, temperature=temperature)

    def draw_by(self, *, k: int, pool_size: int, temperature: float) -> None:
        """Say how negatives are drawn from now on."""
        self.k, self.pool_size, self.temperature = k, pool_size, temperature

    def forward(
        self, vectors: Tensor, targets: Tensor, labels: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Cross-entropy of the positive, a mean over the batch.

        Shape: vectors (batch, dim) and targets (targets, dim) of unit length, labels
        (batch, targets) int8 with one or more `POSITIVE` a row -> ().
        """
        # Drawing needs no gradient. The scores of what is drawn are computed again below.
        with torch.no_grad():
            pool = hardest(
                vectors,
                targets,
                labels=labels,
                count=self.pool_size,
                score_budget=self.score_budget,
            )
            negatives = sample_negatives(
                pool, self.k, temperature=self.temperature, generator=generator
            )  # (batch, k)
            positive = sample_positives(labels, generator)  # (batch,)
        rows = torch.cat([positive[:, None], negatives], 1)  # (batch, 1 + k)
        logits = self.scale(torch.einsum("bd,bkd->bk", vectors, targets[rows]))
        # The positive is the first of every row, so class 0 is always right.
        return F.cross_entropy(
            logits, torch.zeros(len(rows), dtype=torch.int64, device=rows.device)
        )


class MarginalSoftmax(nn.Module):
    """Softmax over all targets, with every name of the gold concept as a positive.

    The loss is the negative log of the summed probability of the positives. This is the marginal
    likelihood that BioSyn trains (Sung et al. 2020). If the scores of all targets do not fit into
    `score_budget` bytes, the targets that no mention finds hard are left out.
    """

    def __init__(
        self,
        scale: float | LogitScale = MarginalSettings.scale,
        learnable_scale: bool = MarginalSettings.learnable_scale,
        score_budget: int = MarginalSettings.score_budget,
    ) -> None:
        super().__init__()
        self.scale = LogitScale.of(scale, learnable_scale)
        self.score_budget = score_budget

    def forward(
        self, vectors: Tensor, targets: Tensor, labels: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Negative log marginal likelihood, a mean over the batch. Nothing is drawn.

        Hidden targets have no probability at all. Shapes are those of `SampledSoftmax.forward`.
        """
        targets, labels = narrowed(vectors, targets, labels=labels, score_budget=self.score_budget)
        logits = self.scale(vectors @ targets.T)  # (batch, targets)
        logits = logits.masked_fill(labels == HIDDEN, -torch.inf)
        gold = logits.masked_fill(labels != POSITIVE, -torch.inf).logsumexp(1)
        loss: Tensor = (logits.logsumexp(1) - gold).mean()
        return loss
