"""One training step, the same under Lightning and inside MedCAT.

The encoder makes vectors of a batch's windows. The vectors of known gold mentions are compared
with the targets, which are names or concepts of the index. The vectors of detections teach the
link decision what annotators leave alone.
"""

from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from embedlink.encoder.tokens import Sequences
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.choice import choose, completed, decision_features
from embedlink.linking.linker import Linker
from embedlink.objective.batch import TrainBatch
from embedlink.objective.negatives import choose_targets, hardest
from embedlink.objective.settings import ObjectiveSettings, Targets
from embedlink.objective.targets import TargetTable


class Losses(NamedTuple):
    """Losses of one batch. Only `total` carries gradient, the parts are for the log."""

    total: Tensor  # () what is minimised
    linking: Tensor  # () how far mentions are from their gold concept
    nil: Tensor  # () how wrong the link decision is, before `nil_weight` applies


class Objective(nn.Module):
    """The linker's losses: come close to the gold concept, and know what to leave alone.

    `nil_weight` weighs the second loss, and 0 leaves it out. If `hide_own_name` is true, a mention
    does not learn from the name that it equals, but from the other names of its concept. With
    `targets="cuis"` a concept has no other name, so nothing is hidden.

    `encoded_negatives` is how many of the hardest negatives of each mention are encoded anew,
    together with one positive. If it is None, mentions are compared with the index' own vectors.

    Encoder and decision belong to the linker, so a step changes the linker.
    """

    def __init__(
        self,
        linker: Linker,
        loss: nn.Module,
        targets: Targets = ObjectiveSettings.targets,
        nil_weight: float = ObjectiveSettings.nil_weight,
        hide_own_name: bool = ObjectiveSettings.hide_own_name,
        encoded_negatives: int | None = ObjectiveSettings.encoded_negatives,
    ) -> None:
        super().__init__()
        self.encoder, self.decision, self.loss = linker.encoder, linker.decision, loss
        self.targets, self.nil_weight = targets, nil_weight
        self.hide_own_name, self.encoded_negatives = hide_own_name, encoded_negatives
        self._table: TargetTable | None = None

    def adapt(self, *, loss: nn.Module, targets: Targets, nil_weight: float) -> None:
        """Change what steps optimise. Other targets are taken from the next index."""
        self.loss, self.targets, self.nil_weight = loss, targets, nil_weight

    def use_index(self, index: ConceptIndex, sequences: Sequences | None = None) -> None:
        """Take the targets from this index until the next call.

        `sequences` are the texts of the index' rows. Without them no negative is encoded anew,
        whatever `encoded_negatives` says. Targets are not part of a checkpoint.
        """
        self._table = TargetTable.of(
            index, targets=self.targets, sequences=sequences, device=self.encoder.device
        )

    @property
    def index(self) -> ConceptIndex:
        """The index that targets were taken from. `RuntimeError` if there was none yet."""
        return self._targets.index

    @property
    def _targets(self) -> TargetTable:
        if self._table is None:
            raise RuntimeError("use_index must be called before training")
        return self._table

    def forward(self, batch: TrainBatch, generator: torch.Generator) -> Losses:
        """Losses of one batch. A part without examples is 0.

        The generator is one of the CPU and draws positives and negatives. Dropout draws from
        PyTorch's own generator, which the caller seeds.
        """
        vectors = self.encoder(batch.windows)  # (batch, dim)
        linking = nil = vectors.new_zeros(())
        known = batch.gold >= 0
        if known.any():
            labels = self._labels(batch, known.cpu())  # (mentions, targets)
            linking = self._linking_loss(vectors[known], labels.to(vectors.device), generator)
        if self.nil_weight and batch.detected.any():
            nil = self._nil_loss(vectors, batch)
        return Losses(linking + self.nil_weight * nil, linking.detach(), nil.detach())

    def _labels(self, batch: TrainBatch, known: Tensor) -> Tensor:
        """What each target is to each known mention.

        Labels are looked up in tables of the index, which are on the CPU.

        Shape: known (batch,) bool -> (mentions, targets) int8.
        """
        own_name = batch.candidates.name[known]
        if not (self.hide_own_name or batch.hide_own_name):
            own_name = torch.full_like(own_name, -1)
        return self._targets.labels(batch.gold.cpu()[known], own_name)

    def _linking_loss(self, vectors: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Shape: vectors (mentions, dim), labels (mentions, targets) int8 -> ()."""
        table = self._targets
        targets = table.vectors
        if self.encoded_negatives is not None and table.sequences is not None:
            # The index' vectors are older than the weights, but near enough to choose by.
            pool = hardest(vectors.detach(), targets, labels=labels, count=self.encoded_negatives)
            chosen = choose_targets(pool, labels, generator)
            rows = table.row[chosen.cpu()]  # (chosen,) of the index
            targets = self.encoder(table.sequences.batch(rows).to(vectors.device))
            labels = labels[:, chosen]  # (mentions, chosen)
        loss: Tensor = self.loss(vectors, targets, labels, generator)
        return loss

    def _nil_loss(self, vectors: Tensor, batch: TrainBatch) -> Tensor:
        """Cross-entropy of the link decision on detections.

        The decision sees the concept that would be linked now. The choice of that concept carries
        no gradient, but with one tower the mention's own vector does, so the encoder learns from
        NIL as well. With two towers it does not: the note tower learns to rank alone.

        Shape: vectors (batch, dim) -> ().
        """
        detected = torch.nonzero(batch.detected.cpu()).squeeze(1)
        own = vectors.detach().float().cpu()[detected]
        candidates = batch.candidates.concepts.select(detected)
        # As in use, a span without candidates gets the nearest concept. No reranker is there yet.
        groups, scores = completed(own, candidates, self.index)
        choice = choose(own, groups, index=self.index, scores=scores)
        features = decision_features(choice, groups.sizes, batch.counts.cpu()[detected])
        if self.encoder.towers == "two":
            vectors = vectors.detach()
        logits = self.decision(vectors[batch.detected], features.to(vectors.device))
        labels = batch.linked[batch.detected].to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, labels)
