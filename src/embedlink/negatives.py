"""Hard negatives, drawn among the targets that score highest."""

import torch
from torch import Tensor

POSITIVE, NEGATIVE, HIDDEN = 1, 0, -1
"""What a target is to a mention: a name of its concept, of another one, or left out."""


def sample_negatives(
    scores: Tensor,
    positives: Tensor,
    k: int,
    pool_size: int,
    temperature: float,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Draw k targets a row, without replacement, from the `pool_size` best non-positive ones.

    A target is drawn with probability proportional to exp(score / temperature): the sampling of
    pull request 392 of cogstack-nlp. Shape: scores (batch, targets) cosine, positives
    (batch, targets) bool -> (batch, negatives) rows of targets, with at most k negatives.
    """
    allowed = scores.masked_fill(positives, -torch.inf)
    pool = allowed.topk(min(pool_size, scores.shape[1]), dim=1)
    count = int(torch.isfinite(pool.values).sum(1).min())  # The row with the fewest decides.
    if count == 0 or k == 0:
        return scores.new_empty((len(scores), 0), dtype=torch.int64)
    # Gumbel top-k draws without replacement and, unlike multinomial, cannot underflow.
    noise = torch.rand(pool.values.shape, generator=generator, device="cpu").to(scores.device)
    gumbel = -torch.log(-torch.log(noise.clamp(1e-20, 1 - 1e-7)))
    drawn = (pool.values / temperature + gumbel).topk(min(k, count), dim=1).indices
    return pool.indices.gather(1, drawn)


def choose_targets(scores: Tensor, labels: Tensor, k: int, generator: torch.Generator) -> Tensor:
    """Targets worth encoding for a batch: a drawn positive and the k hardest negatives of each.

    The other mentions' targets are in-batch negatives, and names of a mention's own concept
    among them are positives still. Shape: scores (batch, targets) cosine, labels
    (batch, targets) int8 with one or more `POSITIVE` a row -> (chosen,) int64, sorted.
    """
    positives = (labels == POSITIVE).float().cpu()
    drawn = torch.multinomial(positives, 1, generator=generator).to(scores.device)
    negatives = scores.masked_fill(labels != NEGATIVE, -torch.inf)
    hardest = negatives.topk(min(k, scores.shape[1]), dim=1)
    found = hardest.indices[torch.isfinite(hardest.values)]
    chosen: Tensor = torch.cat([drawn.flatten(), found]).unique()
    return chosen
