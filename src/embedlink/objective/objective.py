"""One training step, the same under Lightning and inside MedCAT.

The encoder makes vectors of a batch's windows. Those of known gold mentions are compared with the
targets (`losses`), those of detections teach the link decision what annotators leave alone.
Targets are rows of an index that is built now and then, not with every step, so their vectors
carry no gradient, unless `encoded_negatives` encodes a few of them anew.
"""

from collections.abc import Iterator
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from embedlink.encoder.context import trainable
from embedlink.encoder.tokens import EncoderBatch, Sequences
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.choice import Candidates, choose, completed, decision_features
from embedlink.linking.linker import Linker
from embedlink.objective.losses import Targets
from embedlink.objective.negatives import HIDDEN, POSITIVE, choose_targets, hardest
from embedlink.ragged import Groups

DECISION_LR = 1e-2
"""One linear layer that starts from nothing needs larger steps than a pretrained encoder."""


class TrainBatch(NamedTuple):
    """Windows to train on.

    A row with a gold concept counts in the linking loss, a detected one in the NIL loss, and one
    that is both in both. `linked` says whether annotators linked the detection, see
    `mentions.is_linked`.

    Shape: gold (batch,) int64 concept rows, negative where none is known; detected (batch,)
    bool; linked (batch,) bool; counts (batch, 2) from `NameCounts.features`.
    """

    windows: EncoderBatch
    gold: Tensor
    detected: Tensor
    linked: Tensor
    counts: Tensor
    candidates: Candidates

    def to(self, device: torch.device | str) -> "TrainBatch":
        """The batch on another device; candidates stay, they are looked up on the CPU."""
        return TrainBatch(
            self.windows.to(device),
            self.gold.to(device),
            self.detected.to(device),
            self.linked.to(device),
            self.counts.to(device),
            self.candidates,
        )


class Losses(NamedTuple):
    """Losses of one batch: the sum that is minimised, and its two parts, each ().

    `nil` is not yet weighed. The parts are for the log: only `total` carries gradient.
    """

    total: Tensor
    linking: Tensor
    nil: Tensor


class TargetTable(NamedTuple):
    """What mentions are compared with in training.

    Shape: vectors (targets, dim); row (targets,) int64 maps targets to rows of the index, and
    column (texts,) int64 the other way, -1 for texts that are no target; shared one group of
    targets for each concept: names that it has in common with others. `sequences` are the index'
    texts, to encode them anew. Only `vectors` are on the encoder's device.
    """

    vectors: Tensor
    row: Tensor
    column: Tensor
    shared: Groups
    sequences: Sequences | None


class Objective(nn.Module):
    """The linker's losses: come close to the gold concept, and know what to leave alone.

    `nil_weight` weighs the second; 0 leaves it out. `hide_own_name` takes the name that a mention
    equals out of its linking loss, where its concept has another target; with `targets="cuis"`
    none has. `encoded_negatives` is how many of each mention's hardest negatives are encoded anew,
    beside one positive; None compares with the index' vectors of all targets. Encoder and decision
    are the linker's own: a step changes the linker.
    """

    def __init__(
        self,
        linker: Linker,
        loss: nn.Module,
        targets: Targets = "names",
        nil_weight: float = 1.0,
        hide_own_name: bool = False,
        encoded_negatives: int | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.decision, self.loss = linker.encoder, linker.decision, loss
        self.targets, self.nil_weight = targets, nil_weight
        self.hide_own_name, self.encoded_negatives = hide_own_name, encoded_negatives
        self._index: ConceptIndex | None = None

    def use_index(self, index: ConceptIndex, sequences: Sequences | None = None) -> None:
        """Take the targets from a fresh index (kept on the device, out of checkpoints).

        `sequences`, the index' texts in its rows, are needed to encode targets with gradient;
        without them `encoded_negatives` counts for nothing.
        """
        self._index = index
        rows = index.representative
        if self.targets == "names":
            # The representative too: a concept without names has nothing else.
            rows = torch.cat([index.distinct_names_of_concept.rows, rows])
        rows = rows.unique()
        column = torch.full((len(index.vectors),), -1, dtype=torch.int64)
        column[rows] = torch.arange(len(rows))
        names = rows[rows < len(index.concepts_of_name)]
        names = names[index.concepts_of_name.sizes[names] > 1]
        holders = index.concepts_of_name.select(names).inverted(len(index.representative))
        shared = Groups(column[names][holders.rows], holders.starts)
        vectors = index.vectors[rows].to(self.encoder.device)  # (targets, dim)
        self._table = TargetTable(vectors, rows, column, shared, sequences)

    @property
    def index(self) -> ConceptIndex:
        """The index in use; a `RuntimeError` before the first `use_index`."""
        if self._index is None:
            raise RuntimeError("use_index must be called before training")
        return self._index

    def forward(self, batch: TrainBatch, generator: torch.Generator) -> Losses:
        """Losses of one batch; a part without examples is 0.

        `generator`, one of the CPU, draws positives and negatives. Dropout draws from PyTorch's
        own, which whoever makes the step seeds.
        """
        vectors = self.encoder(batch.windows)  # (batch, dim)
        linking = nil = vectors.new_zeros(())
        known = batch.gold >= 0
        if known.any():
            # Labels are looked up in the index, whose tables of rows are on the CPU.
            labels = self._labels(batch.gold[known].cpu(), batch.candidates.name[known.cpu()])
            linking = self._linking_loss(vectors[known], labels.to(vectors.device), generator)
        if self.nil_weight and batch.detected.any():
            nil = self._nil_loss(vectors, batch)
        return Losses(linking + self.nil_weight * nil, linking.detach(), nil.detach())

    def _linking_loss(self, vectors: Tensor, labels: Tensor, generator: torch.Generator) -> Tensor:
        """Shape: vectors (mentions, dim), labels (mentions, targets) int8 -> ()."""
        targets, sequences = self._table.vectors, self._table.sequences
        if self.encoded_negatives is not None and sequences is not None:
            # Chosen by the index' vectors, which are older than these weights, then encoded.
            pool = hardest(vectors.detach(), targets, labels, self.encoded_negatives)
            chosen = choose_targets(pool, labels, generator)
            rows = self._table.row[chosen.cpu()]  # (chosen,) of the index
            targets = self.encoder(sequences.batch(rows).to(vectors.device))
            labels = labels[:, chosen]  # (mentions, chosen)
        loss: Tensor = self.loss(vectors, targets, labels, generator)
        return loss

    def _nil_loss(self, vectors: Tensor, batch: TrainBatch) -> Tensor:
        """Cross-entropy of the link decision on detections. Shape: vectors (batch, dim) -> ().

        The decision sees the concept that would be linked now. Which one that is, and how well it
        fits, carries no gradient; the mention's own vector does, so the encoder learns from NIL.
        """
        detected = torch.nonzero(batch.detected.cpu()).squeeze(1)
        own = vectors.detach().float().cpu()[detected]
        candidates = batch.candidates.concepts.select(detected)
        # As in use, spans without candidates get the nearest concept; no reranker is there yet.
        groups, scores = completed(own, candidates, self.index)
        choice = choose(own, groups, self.index, scores)
        features = decision_features(choice, groups.sizes, batch.counts.cpu()[detected])
        logits = self.decision(vectors[batch.detected], features.to(vectors.device))
        labels = batch.linked[batch.detected].to(logits.dtype)
        return F.binary_cross_entropy_with_logits(logits, labels)

    def _labels(self, gold: Tensor, name: Tensor) -> Tensor:
        """What each target is to each mention; see `losses.Label`.

        Shape: gold (mentions,) concept rows, name (mentions,) rows of the names they equal, -1
        where none -> (mentions, targets) int8.
        """
        labels = torch.zeros(len(gold), len(self._table.vectors), dtype=torch.int8)
        # A shared name fits each of its concepts: it is a target where it represents one of them,
        # or is all that one has, and no negative to the others.
        mention, names = self._table.shared.expand(gold)
        labels[mention, names] = HIDDEN
        own = self._table.column[self.index.representative[gold]]
        labels[torch.arange(len(gold)), own] = POSITIVE
        if self.targets == "names":
            mention, names = self.index.distinct_names_of_concept.expand(gold)
            labels[mention, self._table.column[names]] = POSITIVE
        if self.hide_own_name:
            # A name that is no target (most shared ones) has column -1: there is nothing to hide.
            column = torch.where(name >= 0, self._table.column[name.clamp(min=0)], -1)
            # A mention whose only positive were hidden would have nothing to come close to.
            others = (labels == POSITIVE).sum(1) > 1
            row = torch.nonzero((column >= 0) & others).squeeze(1)
            labels[row, column[row]] = HIDDEN
        return labels


def step_seed(seed: int, step: int) -> int:
    """A seed for one step. (PyTorch's generator for CPUs reads 32 bits of it.)

    `step` counts steps or epochs from 0. The factor (Knuth's, of multiplicative hashing) keeps
    neighbouring seeds apart: else seed 1 would draw at each step what seed 0 draws at the next.
    """
    return (seed * 2_654_435_761 + step) % 2**32


def parameter_groups(
    module: nn.Module, weight_decay: float, decision_lr: float = DECISION_LR
) -> list[dict[str, object]]:
    """Parameters that can change, without weight decay on biases, norms and scalars.

    The link decision learns at a rate of its own: `decision_lr`. Always three groups: matrices,
    biases with norms and scalars, the decision; any of them may be empty. Only the last has a
    rate (`lr`), the others take the optimizer's.
    """
    # By a part of the name: a module that holds the objective puts its own name before it.
    named = list(trainable(module))
    decision = [p for name, p in named if "decision." in name]
    others = [p for name, p in named if "decision." not in name]
    return [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
        {"params": decision, "weight_decay": 0.0, "lr": decision_lr},
    ]


def shuffled_batches(lengths: Tensor, batch_size: int, seed: int) -> Iterator[Tensor]:
    """Every row once, in random batches of like length, the last partial one included.

    Rows are shuffled, sorted by length within stretches of 32 batches, cut, and the batches
    shuffled again. The order depends on the seed alone. Shape: lengths (rows,) -> (batch,) each.
    """
    generator = torch.Generator().manual_seed(seed)
    # Sorting all rows would leave little to chance, sorting none much padding.
    order = torch.randperm(len(lengths), generator=generator)  # (rows,)
    batches: list[Tensor] = []
    for stretch in order.split(32 * batch_size):
        batches.extend(stretch[lengths[stretch].argsort(stable=True)].split(batch_size))
    for at in torch.randperm(len(batches), generator=generator).tolist():
        yield batches[at]
