"""Multi-similarity as a training objective, by pytorch-metric-learning.

It has a module of its own, so that a MedCAT pack does not need that library.
"""

import torch
from pytorch_metric_learning.losses import MultiSimilarityLoss
from torch import Tensor, nn

from embedlink.objective.negatives import NEGATIVE, POSITIVE, narrowed
from embedlink.objective.settings import MultiSimilaritySettings


class MultiSimilarity(nn.Module):
    """Every positive and negative pair, weighed by how hard it is (Wang et al. 2019).

    SapBERT aligns synonyms with this loss. `alpha` weighs positives and `beta` negatives. Both
    are measured from the cosine `base`. If the scores of all targets do not fit into
    `score_budget` bytes, the targets that no mention finds hard are left out.
    """

    def __init__(
        self,
        alpha: float = MultiSimilaritySettings.alpha,
        beta: float = MultiSimilaritySettings.beta,
        base: float = MultiSimilaritySettings.base,
        score_budget: int = MultiSimilaritySettings.score_budget,
    ) -> None:
        super().__init__()
        self.score_budget = score_budget
        self.loss = MultiSimilarityLoss(alpha=alpha, beta=beta, base=base)

    def forward(
        self, vectors: Tensor, targets: Tensor, labels: Tensor, generator: torch.Generator
    ) -> Tensor:
        """The loss, a mean over mentions. Nothing is drawn.

        Shapes are those of `SampledSoftmax.forward`.
        """
        targets, labels = narrowed(vectors, targets, labels=labels, score_budget=self.score_budget)
        # The library makes no pairs itself if it gets them. Hidden targets are in no pair.
        positives = torch.nonzero(labels == POSITIVE, as_tuple=True)
        negatives = torch.nonzero(labels == NEGATIVE, as_tuple=True)
        loss: Tensor = self.loss(
            vectors, indices_tuple=(*positives, *negatives), ref_emb=targets.to(vectors.dtype)
        )
        return loss
