"""Hard negatives, drawn among the targets that score highest."""

from typing import NamedTuple

import torch
from torch import Tensor

from embedlink.objective.settings import SCORE_BUDGET

POSITIVE, NEGATIVE, HIDDEN = 1, 0, -1
"""What a target is to a mention: a name of its concept, a name of another one, or left out."""


class Pool(NamedTuple):
    """The negatives of each mention that score highest, best first."""

    scores: Tensor  # (batch, pool) cosine, -inf behind the last negative of a mention
    rows: Tensor  # (batch, pool) int64 rows of targets


def hardest(
    vectors: Tensor, targets: Tensor, labels: Tensor, count: int, score_budget: int = SCORE_BUDGET
) -> Pool:
    """The `count` negatives of each mention that score highest.

    At most `score_budget` bytes of scores are held at a time.

    Shape: vectors (batch, dim), targets (targets, dim), labels (batch, targets) int8.
    """
    columns = max(1, score_budget // (4 * max(1, len(vectors))))
    best = Pool(vectors.new_empty((len(vectors), 0)), labels.new_empty((len(vectors), 0)).long())
    for low in range(0, len(targets), columns):
        scores = vectors @ targets[low : low + columns].T  # (batch, columns)
        scores.masked_fill_(labels[:, low : low + columns] != NEGATIVE, -torch.inf)
        part = scores.topk(min(count, scores.shape[1]), dim=1)
        # Under autocast products are bfloat16, but the empty start is float32.
        found = torch.cat([best.scores.to(part.values.dtype), part.values], 1)
        rows = torch.cat([best.rows, part.indices + low], 1)
        kept = found.topk(min(count, found.shape[1]), dim=1)
        best = Pool(kept.values, rows.gather(1, kept.indices))
    return best


def sample_negatives(
    pool: Pool, k: int, temperature: float, generator: torch.Generator | None = None
) -> Tensor:
    """Draw k targets for each mention from its pool, without replacement.

    The probability of a target is proportional to exp(score / temperature). This is the sampling
    of pull request 392 of cogstack-nlp. If a mention's pool holds fewer than k, all mentions get
    that many.

    Shape: -> (batch, negatives) rows of targets.
    """
    count = int(torch.isfinite(pool.scores).sum(1).min())  # The smallest pool decides.
    if count == 0 or k == 0:
        return pool.rows[:, :0]
    # Gumbel top-k draws without replacement. Unlike multinomial it cannot underflow.
    noise = torch.rand(pool.scores.shape, generator=generator, device="cpu").to(pool.scores.device)
    gumbel = -torch.log(-torch.log(noise.clamp(1e-20, 1 - 1e-7)))
    drawn = (pool.scores / temperature + gumbel).topk(min(k, count), dim=1).indices
    return pool.rows.gather(1, drawn)


def sample_positives(labels: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Draw one of each mention's positives. All of them are equally likely.

    Shape: labels (batch, targets) int8 with one or more `POSITIVE` a row -> (batch,) int64.
    """
    mention, target = torch.nonzero(labels == POSITIVE, as_tuple=True)
    sizes = torch.bincount(mention, minlength=len(labels))
    # One number for each mention. A matrix of them would be as large as the scores.
    share = torch.rand(len(labels), generator=generator, dtype=torch.float64).to(labels.device)
    return target[sizes.cumsum(0) - sizes + (share * sizes).long()]


class Narrowed(NamedTuple):
    """The targets that a loss scores."""

    targets: Tensor  # (kept, dim)
    labels: Tensor  # (batch, kept) int8


def narrowed(vectors: Tensor, targets: Tensor, labels: Tensor, score_budget: int) -> Narrowed:
    """All targets, or those of `worth_scoring` if the scores of all exceed the budget of bytes.

    Shapes are those of `worth_scoring`. Targets keep their gradient.
    """
    keep = worth_scoring(vectors, targets, labels=labels, score_budget=score_budget)
    return Narrowed(targets, labels) if keep is None else Narrowed(targets[keep], labels[:, keep])


@torch.no_grad()
def worth_scoring(
    vectors: Tensor, targets: Tensor, labels: Tensor, score_budget: int
) -> Tensor | None:
    """The targets to keep if not all scores fit into the budget of bytes, else None.

    All positives are kept, and as many of the targets that some mention finds hardest as fit.

    Shape: vectors (batch, dim), targets (targets, dim), labels (batch, targets) int8 ->
    (kept,) int64, sorted.
    """
    room = max(1, score_budget // (4 * max(1, len(vectors))))
    if len(targets) <= room:
        return None
    hardness = torch.full((len(targets),), -torch.inf, device=vectors.device)
    for low in range(0, len(targets), room):
        hardness[low : low + room] = (vectors @ targets[low : low + room].T).amax(0)
    positive = (labels == POSITIVE).any(0)
    hardness[positive] = torch.inf  # All positives are kept, even beyond the budget.
    return hardness.topk(max(room, int(positive.sum()))).indices.sort().values


def choose_targets(pool: Pool, labels: Tensor, generator: torch.Generator) -> Tensor:
    """The targets to encode for a batch: one drawn positive and the pool of each mention.

    The targets of the other mentions are in-batch negatives. If a name of the mention's own
    concept is among them, it is still a positive.

    Shape: labels (batch, targets) int8 with one or more `POSITIVE` a row -> (chosen,) int64,
    sorted.
    """
    drawn = sample_positives(labels, generator).to(pool.rows.device)
    found = pool.rows[torch.isfinite(pool.scores)]
    chosen: Tensor = torch.cat([drawn, found]).unique()
    return chosen
