"""Whether to link at all: the probability that an annotator would have linked a detection.

Detection proposes every span that equals a name. Annotators leave many of these spans alone (NIL),
and the spans left alone are training data too. A logistic model gives the probability. It reads the
mention's vector, how well the best candidate fits, and how often the name was linked in training.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from embedlink.encoder.pretrained import MAKING_WEIGHTS

# How well the concept fits, and by how much it leads the next one. Then two flags (1 or 0): whether
# there is a next one, and whether training documents held the name. Last, the log odds that the
# name was linked in training documents.
FEATURES = ("similarity", "margin", "several", "seen", "log_odds")
UNCALIBRATED = [1.0, 0.0, 0.0, 0.0]
"""Weights of logit, tagger and similarity, and a shift. These values do not change the logit."""


@dataclass(frozen=True)
class NameCounts:
    """How often each name was detected in training documents, and how often it was linked."""

    detected: Tensor  # (names,) float32
    linked: Tensor  # (names,) float32

    @classmethod
    def empty(cls, names: int) -> "NameCounts":
        """Counts without training documents: no name was ever seen."""
        return cls(torch.zeros(names), torch.zeros(names))

    @classmethod
    def of(cls, name: Tensor, linked: Tensor, names: int) -> "NameCounts":
        """Count detections.

        Shape: name (detections,) row of the name, -1 if none matched
        Shape: linked (detections,) bool
        """
        known = name >= 0
        rows = name[known]
        return cls(
            torch.bincount(rows, minlength=names).float(),
            torch.bincount(rows, weights=linked[known].double(), minlength=names).float(),
        )

    def features(self, name: Tensor, without: tuple[Tensor, Tensor] | None = None) -> Tensor:
        """Whether each name was seen (1 or 0), and its smoothed log odds of being linked.

        `without` holds counts (detected, linked) to subtract, (n,) each. In training they are the
        counts of the detection's own document, so that the model cannot read its labels off them.

        Shape: name (n,) row of the name, -1 for none
        Returns: (n, 2)
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
        # A half is added to both counts. So a name that was always or never linked has finite odds,
        # and an unknown name has log odds of 0.
        odds = torch.log((linked + 0.5) / (detected - linked + 0.5))
        return torch.stack([(detected > 0).float(), odds], 1)


class LinkDecision(nn.Module):
    """Logistic model of whether a detection is to be linked, its calibration and threshold.

    The head learns from training documents whether annotators linked what was detected. The
    calibration turns three numbers into the probability that the link is right: the head's logit,
    the tagger's log odds and the similarity of the chosen concept. It is fitted on validation
    documents, because the tagger knows the training documents by heart. Detections with a name and
    detections without one have separate weights.
    """

    threshold: Tensor  # () least probability that links. Before training it is 0: all are linked.
    calibration: Tensor  # (2, 4) without and with a name: three weights and a shift
    reach: Tensor  # (2,) without and with a name: the most that a context adds to the log odds

    def __init__(self, dim: int) -> None:
        super().__init__()
        with MAKING_WEIGHTS:
            self.head = nn.Linear(dim + len(FEATURES), 1)
            nn.init.zeros_(self.head.weight)
            nn.init.zeros_(self.head.bias)
        self.register_buffer("threshold", torch.tensor(0.0))
        self.register_buffer("calibration", torch.tensor([UNCALIBRATED, UNCALIBRATED]))
        self.register_buffer("reach", torch.full((2,), torch.inf))

    def forward(self, vectors: Tensor, features: Tensor) -> Tensor:
        """Logits of linking.

        Shape: vectors (n, dim) of length 1
        Shape: features (n, features)
        Returns: (n,)
        """
        # The entries of a unit vector are about dim ** -0.5. Bring them to the features' size.
        inputs = torch.cat([vectors * vectors.shape[1] ** 0.5, features], 1)
        logits: Tensor = self.head(inputs)
        return logits.squeeze(1)

    def evidence(self, vectors: Tensor, features: Tensor, tagged: Tensor) -> Tensor:
        """What the calibration weighs: logit, tagger, similarity, and 1 for the shift.

        Shape: vectors (n, dim) of length 1
        Shape: features (n, features)
        Shape: tagged (n,) log odds of the tagger
        Returns: (n, 4)
        """
        logits, similarity = self(vectors, features), features[:, FEATURES.index("similarity")]
        tagged = tagged.to(logits.device)
        return torch.stack([logits, tagged, similarity, torch.ones_like(logits)], 1)

    def probability(self, evidence: Tensor, named: Tensor) -> Tensor:
        """Calibrated probability that a link is right, in [0, 1].

        Shape: evidence (n, 4)
        Shape: named (n,) bool, whether a name matched
        Returns: (n,)
        """
        return torch.sigmoid(self.log_odds(evidence, named))

    def log_odds(self, evidence: Tensor, named: Tensor) -> Tensor:
        """Calibrated log odds that a link is right.

        Shape: evidence (n, 4)
        Shape: named (n,) bool, whether a name matched
        Returns: (n,)
        """
        return (evidence * self.calibration[named.long()]).sum(1)

    def without_context(self, several: Tensor, counts: Tensor, tagged: Tensor) -> Tensor:
        """The evidence that is known before a window is read. What a window adds is 0 in it.

        Shape: several (n,) bool, whether there are several candidates
        Shape: counts (n, 2) from `NameCounts.features`
        Shape: tagged (n,) log odds of the tagger
        Returns: (n, 4)
        """
        nothing = torch.zeros(len(counts), 2)
        features = torch.cat([nothing, several.float()[:, None], counts], 1)
        return self.evidence(torch.zeros(len(counts), self.dim), features, tagged)

    def most(self, evidence: Tensor, named: Tensor) -> Tensor:
        """The greatest probability that a context can give, in [0, 1].

        A link never gets a higher one. So a span whose greatest probability is below the threshold
        needs no window.

        Shape: evidence (n, 4) from `without_context`
        Shape: named (n,) bool, whether a name matched
        Returns: (n,)
        """
        return torch.sigmoid(self.log_odds(evidence, named) + self.reach[named.long()])

    def forget_reach(self) -> None:
        """Let contexts add anything. Call this if the head or the windows changed."""
        self.reach.fill_(torch.inf)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return self.head.in_features - len(FEATURES)

    def _load_from_state_dict(
        self, state_dict: dict[str, Tensor], prefix: str, *arguments: Any
    ) -> None:
        """Load older weights too: their calibration was one scale and one shift of the logit."""
        scale = state_dict.pop(f"{prefix}scale", torch.tensor(1.0))
        shift = state_dict.pop(f"{prefix}shift", torch.tensor(0.0))
        older = torch.stack([scale, torch.zeros(()), torch.zeros(()), shift])
        state_dict.setdefault(f"{prefix}calibration", older.repeat(2, 1))
        state_dict.setdefault(f"{prefix}reach", torch.full((2,), torch.inf))
        super()._load_from_state_dict(state_dict, prefix, *arguments)
