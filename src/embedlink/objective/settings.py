"""The settings of one training step, shared by Lightning's training and MedCAT's own."""

from dataclasses import dataclass
from typing import Any, Literal

from embedlink.settings import Settings, setting

Targets = Literal["names", "cuis"]
"""What mentions are compared with: all names, or one representative name for each concept."""
SCORE_BUDGET = 256 * 2**20
"""Bytes that the scores of one batch may take by default."""


@dataclass(frozen=True)
class ObjectiveSettings(Settings):
    """What mentions are compared with, and how much NIL counts."""

    targets: Targets = setting(
        "names", help="compare mentions with all names, or with one name for each concept"
    )
    nil_weight: float = setting(
        1.0, ge=0, le=1000,
        help="weight of the loss that learns which detections to leave alone; 0 links everything",
    )  # fmt: skip
    hide_own_name: bool = setting(
        True, help="learn from a concept's other names, not from the one that a mention equals"
    )
    encoded_negatives: int | None = setting(
        None, ge=0, help="hardest negatives of each mention that are encoded anew, with gradient"
    )


@dataclass(frozen=True)
class BatchSettings(Settings):
    """What trains, and how many windows a batch holds."""

    unfreeze: int = setting(
        2, ge=-1, help="top layers that train; 0 none, -1 all and the embeddings"
    )
    batch_size: int = setting(32, ge=1, help="mentions in a training batch")
    token_budget: int = setting(
        8192, ge=1, help="padded tokens in a batch if texts are only encoded"
    )
    seed: int = setting(0, ge=0, help="decides random splits, batches, dropout and negatives")


@dataclass(frozen=True)
class OptimizerSettings(Settings):
    """AdamW with a rate that rises, then falls."""

    lr: float = setting(1e-4, gt=0, le=1, help="highest learning rate")
    weight_decay: float = setting(
        0.01, ge=0, le=1000, help="weight decay, not of biases, norms and the logit scale"
    )
    warmup_share: float = setting(
        0.1, ge=0, le=1, help="share of all steps in which the learning rate rises"
    )
    gradient_clip_val: float = setting(
        1.0, ge=0, help="greatest norm of the gradient; 0 is no limit"
    )
    factory: Any = None


@dataclass(frozen=True)
class MarginalSettings(Settings):
    """Softmax over all targets; every name of the gold concept is a positive."""

    scale: float = setting(20.0, gt=0, help="what cosines are multiplied by before the softmax")
    learnable_scale: bool = setting(True, help="the scale learns too")
    score_budget: int = setting(
        SCORE_BUDGET, ge=1, help="bytes that the scores of a batch may take"
    )


@dataclass(frozen=True)
class SampledSettings(MarginalSettings):
    """One positive against k sampled hard negatives."""

    k: int = setting(10, ge=1, help="hard negatives that each mention draws")
    pool_size: int = setting(
        4096, ge=1, help="targets that score highest, among which negatives are drawn"
    )
    temperature: float = setting(
        0.1, gt=0, help="of the softmax that negatives are drawn by: the lower, the harder"
    )


@dataclass(frozen=True)
class MultiSimilaritySettings(Settings):
    """Every pair weighed by how hard it is."""

    alpha: float = setting(2.0, gt=0, help="how much positives that are far weigh")
    beta: float = setting(50.0, gt=0, help="how much negatives that are near weigh")
    base: float = setting(0.5, ge=-1, le=1, help="the cosine that both are measured from")
    score_budget: int = setting(
        SCORE_BUDGET, ge=1, help="bytes that the scores of a batch may take"
    )
