"""Whether to link at all: the probability that an annotator would have linked a detection.

Detection proposes every span that equals a name; annotators leave many of them alone (NIL).
Those spans are training data. The probability is a logistic model over the mention's vector,
how well its best candidate fits, and how often its name was linked in the training documents.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from embedlink.encoder.pretrained import MAKING_WEIGHTS

# How well the concept fits and leads the next, whether there is a next (1 or 0), whether training
# documents held the name (1 or 0), and the log odds of its being linked there.
FEATURES = ("similarity", "margin", "several", "seen", "log_odds")
UNCALIBRATED = [1.0, 0.0, 0.0, 0.0]
"""Weights of logit, tagger and similarity, and shift, that leave the logit as it is."""


@dataclass(frozen=True)
class NameCounts:
    """How often each name was detected in training documents, and how often it was linked.

    Shape: detected (names,), linked (names,) float32.
    """

    detected: Tensor
    linked: Tensor

    @classmethod
    def empty(cls, names: int) -> "NameCounts":
        """No training documents: no name was ever seen."""
        return cls(torch.zeros(names), torch.zeros(names))

    @classmethod
    def of(cls, name: Tensor, linked: Tensor, names: int) -> "NameCounts":
        """Count detections.

        Shape: name (detections,) rows of names, -1 where none matched; linked (detections,) bool.
        """
        known = name >= 0
        rows = name[known]
        return cls(
            torch.bincount(rows, minlength=names).float(),
            torch.bincount(rows, weights=linked[known].double(), minlength=names).float(),
        )

    def features(self, name: Tensor, without: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Seen or not, and smoothed log odds of being linked. Shape: name (n,) -> (n, 2).

        `without` holds counts (detected, linked), (n,) each, to leave out: those of the
        detection's own document, so that training does not read its labels off them.
        """
        known = name >= 0
        row = name.clamp(min=0)
        if not len(self.detected):
            return torch.zeros(len(name), 2)
        detected = torch.where(known, self.detected[row], 0.0)
        linked = torch.where(known, self.linked[row], 0.0)
        if without is not None:
            detected = torch.where(known, detected - without[0], 0.0)
            linked = torch.where(known, linked - without[1], 0.0)
        # A half each: what was always linked, or never, has finite odds; what is unknown has 0.
        odds = torch.log((linked + 0.5) / (detected - linked + 0.5))
        return torch.stack([(detected > 0).float(), odds], 1)


class LinkDecision(nn.Module):
    """Logistic model of whether a detection is to be linked, its calibration and threshold.

    The head learns from training documents whether annotators linked what was detected. The
    calibration turns its logit, the tagger's log odds and the similarity of the chosen concept
    into the probability that the link is right. It is fitted on validation documents, apart for
    detections with and without a name; training documents cannot teach it, since the tagger knows
    them by heart. `threshold` is the least probability that links; 0, as before training, links
    everything. Shape: calibration (2, 4), of detections without and with a name: weights of
    logit, tagger and similarity, and a shift.
    """

    threshold: Tensor
    calibration: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        with MAKING_WEIGHTS:
            self.head = nn.Linear(dim + len(FEATURES), 1)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)
        self.register_buffer("threshold", torch.tensor(0.0))
        self.register_buffer("calibration", torch.tensor([UNCALIBRATED, UNCALIBRATED]))

    def forward(self, vectors: Tensor, features: Tensor) -> Tensor:
        """Logits of linking. Shape: vectors (n, dim), features (n, features) -> (n,)."""
        # Unit vectors have entries of about dim ** -0.5; bring them to the features' size.
        inputs = torch.cat([vectors * vectors.shape[1] ** 0.5, features], 1)
        logits: Tensor = self.head(inputs)
        return logits.squeeze(1)

    def evidence(self, vectors: Tensor, features: Tensor, tagged: Tensor) -> Tensor:
        """What the calibration weighs: logit, tagger, similarity, and 1 for the shift.

        Shape: as `forward`, tagged (n,) log odds of the tagger -> (n, 4).
        """
        logits, similarity = self(vectors, features), features[:, FEATURES.index("similarity")]
        tagged = tagged.to(logits.device)
        return torch.stack([logits, tagged, similarity, torch.ones_like(logits)], 1)

    def probability(self, evidence: Tensor, named: Tensor) -> Tensor:
        """Calibrated probability that a link is right, in [0, 1].

        Shape: evidence (n, 4), named (n,) bool -> (n,).
        """
        return torch.sigmoid((evidence * self.calibration[named.long()]).sum(1))

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *arguments: Any
    ) -> None:
        """Weights saved before there was this calibration load as they were."""
        scale = state_dict.pop(f"{prefix}scale", torch.tensor(1.0))
        shift = state_dict.pop(f"{prefix}shift", torch.tensor(0.0))
        older = torch.stack([scale, torch.zeros(()), torch.zeros(()), shift])
        state_dict.setdefault(f"{prefix}calibration", older.repeat(2, 1))
        super()._load_from_state_dict(state_dict, prefix, *arguments)
