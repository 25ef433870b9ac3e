"""Training inside MedCAT, with the objective of the LightningModule and batches across documents.

MedCAT hands over one document after the other and never says which is the last. So samples of
several documents wait here until they fill a batch. The learning rate is constant, but the
LightningModule's warms up and decays. A step is the same otherwise, and a test checks that. Fields
of the configuration are read at each step. If one changed, objective, loss and optimizer are
adapted and keep their state.
"""

import logging

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.pretrained import MAKING_WEIGHTS
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.choice import Candidates
from embedlink.linking.linker import Linker
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.live_index import LiveIndex
from embedlink.medcat.samples import Sample
from embedlink.objective.batch import TrainBatch
from embedlink.objective.losses import LogitScale, MarginalSoftmax, SampledSoftmax
from embedlink.objective.objective import Objective
from embedlink.objective.optim import parameter_groups, step_seed
from embedlink.objective.settings import Targets
from embedlink.problems import EmbedLinkError
from embedlink.types import Detection

log = logging.getLogger(__name__)

NOT_DETECTED = Detection(0, 0, name="", candidates=())
"""Stands for the detection of a gold mention that detection missed: no name and no candidates."""


class Training:
    """Collects samples and takes a step whenever a batch is full.

    The optimizer keeps its state if the index is built anew or if more layers are unfrozen. Another
    encoder gets another optimizer. `waiting` holds the samples that fill no batch yet. `steps`
    counts the steps of this object.
    """

    def __init__(self, live: LiveIndex, config: EmbedLinkLinking) -> None:
        self.live, self.config = live, config
        self.waiting: list[Sample] = []
        self._pressing = False  # whether waiting samples must be trained on before a prediction
        self.steps = 0
        self._objective: Objective | None = None
        self._optimizer: AdamW | None = None
        self._index: ConceptIndex | None = None

    @property
    def linker(self) -> Linker:
        """The linker that trains."""
        return self.live.linker

    def add(self, samples: list[Sample], can_wait: bool = False) -> None:
        """Take samples in, and train on every batch that they fill.

        If they `can_wait`, a prediction does not make them be trained on. Raises `EmbedLinkError`
        if a batch is full and `dtype` is not float32.
        """
        self._pressing = self._pressing or (bool(samples) and not can_wait)
        self.waiting.extend(samples)
        while len(self.waiting) >= self.config.training_batch_size:
            self._step_on_waiting()

    def finish(self, to_predict: bool = False) -> None:
        """Train on all waiting samples. The last batch may be partial.

        If `to_predict` is set and all samples can wait, nothing is done.
        """
        if to_predict and not self._pressing:
            return
        while self.waiting:  # More than a batch waits if `training_batch_size` was lowered since.
            self._step_on_waiting()

    def _step_on_waiting(self) -> None:
        """Take a step on the first waiting samples, at most a batch of them."""
        size = self.config.training_batch_size
        # The batch is taken out before the step. If the step raises an error, the batch is lost.
        batch, self.waiting = self.waiting[:size], self.waiting[size:]
        self._pressing = self._pressing and bool(self.waiting)
        self._step(batch)
        every = self.config.embed_per_n_batches
        if every and self.steps % every == 0:
            self.live.current_index()

    def _step(self, samples: list[Sample]) -> None:
        """Take one step. Dropout and negatives depend only on the seed and the step's number."""
        if self.config.dtype != "float32":
            raise EmbedLinkError(
                f"config.components.linking.dtype={self.config.dtype}: training needs float32; "
                "set it, train, and set it back before the pack is saved"
            )
        names, index = self.live.targets(s.gold for s in samples if s.gold is not None)
        objective, optimizer = self._prepared(index)
        batch = self._batch(samples, names).to(self.linker.encoder.device)
        seed = step_seed(self.config.seed, self.steps)
        objective.train()
        # Dropout draws from the global generators. Their state is restored afterwards.
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            losses = objective(batch, torch.Generator().manual_seed(seed))
        objective.eval()
        # The batch has no gold concept that the table knows and no link decision to learn.
        if not losses.total.requires_grad:
            return
        optimizer.zero_grad()
        losses.total.backward()
        if self.config.gradient_clip_val:
            nn.utils.clip_grad_norm_(objective.parameters(), self.config.gradient_clip_val)
        optimizer.step()
        self.linker.decision.forget_reach()
        if not self.steps:
            log.info("%s", self._described())
        self.steps += 1
        encoder = self.linker.encoder
        # If only the link decision trains, the vectors of names do not change.
        if any(p.requires_grad for p in encoder.parameters()):
            self.live.weights_changed()
        log.debug("step %d: loss %.4f", self.steps, float(losses.total.detach()))

    def _described(self) -> str:
        """Describe in one line what trains."""
        config, encoder = self.config, self.linker.encoder
        layers = {0: "no layer", -1: "all layers and embeddings"}.get(
            encoder.unfrozen, f"the top {encoder.unfrozen} layers"
        )
        projection = "with" if encoder.projection is not None else "without"
        return (
            f"training inside MedCAT: the link decision and {layers} of the encoder "
            f"({projection} a projection), loss={config.loss}, "
            f"learning_rate={config.learning_rate:g}, batches of {config.training_batch_size}"
            f"{self._not_trained()}"
        )

    def _not_trained(self) -> str:
        """Say how the tagger of the pack would be trained, if there is one."""
        tagger = getattr(self.live.cdb.config.components.ner, "tagger", None)
        return (
            "; the tagger stays as it is: train.py data=medcattrainer data.export=… trains one"
            if tagger is not None
            else ""
        )

    def _prepared(self, index: ConceptIndex) -> tuple[Objective, AdamW]:
        """Make the objective and the optimizer, or adapt them to the present configuration.

        The optimizer comes last, because the other steps decide which parameters train.
        """
        config, encoder = self.config, self.linker.encoder
        if encoder.unfrozen != config.top_n_layers_to_unfreeze:
            encoder.unfreeze(config.top_n_layers_to_unfreeze)
        objective = self._objective
        kept = objective is not None and objective.encoder is encoder
        if objective is None or not kept:
            # The identity stands for the loss until `adapt` gives it one.
            with MAKING_WEIGHTS:
                objective, self._optimizer = Objective(self.linker, nn.Identity()), None
        targets: Targets = "names" if config.train_on_names else "cuis"
        other_targets = objective.targets != targets
        loss = self._adapted(objective.loss)
        objective.adapt(loss=loss, targets=targets, nil_weight=config.nil_weight)
        objective.to(encoder.device)
        if not kept or index is not self._index or other_targets:
            objective.use_index(index)
            self._index = index
        self._objective, self._optimizer = objective, self._optimizer_for(objective)
        return objective, self._optimizer

    def _adapted(self, loss: nn.Module) -> nn.Module:
        """The loss of the configuration. Another kind of loss keeps the learned scale."""
        config = self.config
        kind = MarginalSoftmax if config.loss == "marginal" else SampledSoftmax
        if not isinstance(loss, kind):
            scale = loss.scale if isinstance(loss, MarginalSoftmax | SampledSoftmax) else None
            with MAKING_WEIGHTS:
                loss = kind(scale=scale or LogitScale())
        if isinstance(loss, SampledSoftmax):
            loss.draw_by(
                k=config.negative_sampling_k,
                pool_size=config.negative_sampling_candidate_pool_size,
                temperature=config.negative_sampling_temperature,
            )
        return loss

    def _optimizer_for(self, objective: Objective) -> AdamW:
        """The optimizer over all parameters that train now. Parameters that trained keep state."""
        config, old = self.config, self._optimizer
        groups = parameter_groups(objective, config.weight_decay)
        wanted = {id(parameter) for group in groups for parameter in _parameters(group)}
        have = {id(p) for group in old.param_groups for p in group["params"]} if old else set()
        if old is None or wanted != have:
            new = AdamW(groups, lr=config.learning_rate)
            if old is not None:
                new.state.update({p: s for p, s in old.state.items() if id(p) in wanted})
            old = new
        # Rates and decay may have changed. The link decision's group has its own rate.
        for group, fresh in zip(old.param_groups, groups, strict=True):
            group["lr"] = fresh.get("lr", config.learning_rate)
            group["weight_decay"] = fresh["weight_decay"]
        return old

    def _batch(self, samples: list[Sample], names: ConceptNames) -> TrainBatch:
        """Pad the samples and look up their rows in the table of names, on the CPU.

        A sample has row -1 if it has no gold concept or if the table lacks that concept. Such a
        sample only teaches the link decision.
        """
        row = names.cui_row
        windows = self.linker.cutter.sequences([sample.cut for sample in samples])
        detections = [sample.detection or NOT_DETECTED for sample in samples]
        return TrainBatch(
            windows.batch(torch.arange(len(samples))),
            torch.tensor([-1 if s.gold is None else row.get(s.gold, -1) for s in samples]),
            detected=torch.tensor([sample.detection is not None for sample in samples]),
            linked=torch.tensor([sample.linked for sample in samples]),
            counts=torch.stack([sample.counts for sample in samples]),
            candidates=Candidates.of(detections, names),
        )


def _parameters(group: dict[str, object]) -> list[Tensor]:
    parameters = group["params"]
    assert isinstance(parameters, list)
    return parameters
