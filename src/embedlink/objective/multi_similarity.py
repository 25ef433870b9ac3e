"""Multi-similarity as a training objective, by pytorch-metric-learning.

It stands alone so that what ships in a pack does not need that library.
"""

import torch
from pytorch_metric_learning.losses import MultiSimilarityLoss
from torch import Tensor, nn

from embedlink.objective.negatives import NEGATIVE, POSITIVE, SCORE_BUDGET, worth_scoring


class MultiSimilarity(nn.Module):
    """Every positive and negative pair weighed by how hard it is (Wang et al. 2019).

    The objective with which SapBERT aligns synonyms. `alpha` weighs positives, `beta`
    negatives, `base` is the cosine that both are measured from; they are
    pytorch-metric-learning's. Where the scores of all targets would not fit in `score_budget`
    bytes, the targets that no row finds hardest are left out.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        beta: float = 50.0,
        base: float = 0.5,
        score_budget: int = SCORE_BUDGET,
    ) -> None:
        super().__init__()
        self.score_budget = score_budget
        self.loss = MultiSimilarityLoss(alpha=alpha, beta=beta, base=base)

    def forward(
        self, vectors: Tensor, targets: Tensor, labels: Tensor, generator: torch.Generator
    ) -> Tensor:
        """Mean over mentions; shapes as in `SampledSoftmax.forward`, `generator` is not used."""
        keep = worth_scoring(vectors, targets, labels, self.score_budget)
        if keep is not None:
            targets, labels = targets[keep], labels[:, keep]
        # Given pairs (mention, target), the library makes none itself; hidden ones are in none.
        positives = torch.nonzero(labels == POSITIVE, as_tuple=True)
        negatives = torch.nonzero(labels == NEGATIVE, as_tuple=True)
        loss: Tensor = self.loss(
            vectors, indices_tuple=(*positives, *negatives), ref_emb=targets.to(vectors.dtype)
        )
        return loss
