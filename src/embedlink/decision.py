"""Whether to link at all: the probability that an annotator would have linked a detection.

Detection proposes every span that equals a name; annotators leave many of them alone (NIL).
Those spans are training data. The probability is a logistic model over the mention's vector,
how well its best candidate fits, and how often its name was linked in the training documents.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

FEATURES = ("similarity", "margin", "several", "seen", "log_odds")


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
        odds = torch.log((linked + 0.5) / (detected - linked + 0.5))
        return torch.stack([(detected > 0).float(), odds], 1)


class LinkDecision(nn.Module):
    """Logistic model of whether a detection is to be linked, and the operating point.

    `threshold` is the least probability that links; 0, as before training, links everything.
    `scale` and `shift` of the logits, and the weight `tagged` of the tagger's log odds, are the
    calibration, fitted on validation documents beside the threshold. Training does not see them:
    the tagger knows the training documents by heart.
    """

    threshold: Tensor
    scale: Tensor
    shift: Tensor
    tagged: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.head = nn.Linear(dim + len(FEATURES), 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        self.register_buffer("threshold", torch.tensor(0.0))
        self.register_buffer("scale", torch.tensor(1.0))
        self.register_buffer("shift", torch.tensor(0.0))
        self.register_buffer("tagged", torch.tensor(0.0))

    def forward(self, vectors: Tensor, features: Tensor) -> Tensor:
        """Logits of linking. Shape: vectors (n, dim), features (n, features) -> (n,)."""
        # Unit vectors have entries of about dim ** -0.5; bring them to the features' size.
        inputs = torch.cat([vectors * vectors.shape[1] ** 0.5, features], 1)
        logits: Tensor = self.head(inputs)
        return logits.squeeze(1)

    def probability(self, vectors: Tensor, features: Tensor, tagged: Tensor) -> Tensor:
        """Calibrated probability of linking, in [0, 1].

        Shape: as `forward`, tagged (n,) log odds of the tagger -> (n,).
        """
        logits = self.scale * self(vectors, features) + self.tagged * tagged.to(vectors.device)
        return torch.sigmoid(logits + self.shift)

    def calibrate(self, scale: float, tagged: float, shift: float) -> None:
        """Set what the logits and the tagger's log odds are multiplied by, and the shift."""
        for own, value in ((self.scale, scale), (self.tagged, tagged), (self.shift, shift)):
            own.fill_(value)

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *arguments: Any
    ) -> None:
        """Weights saved before there was a calibration load as they were: without one."""
        state_dict.setdefault(f"{prefix}scale", torch.tensor(1.0))
        state_dict.setdefault(f"{prefix}shift", torch.tensor(0.0))
        state_dict.setdefault(f"{prefix}tagged", torch.tensor(0.0))
        super()._load_from_state_dict(state_dict, prefix, *arguments)
