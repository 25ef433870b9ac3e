"""The context model: a transformer, pooling over the mention or the window, a projection.

This is the arrangement of CogStack's embedding linker, pull request 392 of cogstack-nlp: masked
mean pooling over the mention's tokens, an optional linear projection, L2 normalisation, and the
top N layers trainable. Frozen layers always run in eval mode, so what lies below the trainable
layers is a fixed function of the text.

`states` runs the layers, `pooled` averages their states, and `project` makes unit vectors. A
training step calls the encoder on one batch, with gradient. `encode` takes all sequences, without
gradient, and cuts them into batches of like length.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, distributed, nn
from torch.nn import functional as F
from transformers import PreTrainedModel

from embedlink.device import Precision
from embedlink.encoder.inference import Computed, Share, computed
from embedlink.encoder.layers import (
    check_unfreeze,
    copied_layers,
    encoder_layers,
    lower_part,
    topped,
    upper_part,
)
from embedlink.encoder.narrowing import can_narrow, narrow_layer
from embedlink.encoder.pretrained import MAKING_WEIGHTS
from embedlink.encoder.tokens import EncoderBatch, MentionSequences, MentionTokens, Sequences
from embedlink.types import Pooling, Towers


class ContextEncoder(nn.Module):
    """Encodes windows and names into unit vectors.

    `unfreeze` counts the top layers that train. `projection` adds a linear layer that starts as
    the identity. `surface_weight` weighs a mention's own text against its context.

    With `towers="two"` names and the mentions' own text keep the published weights, so the index
    never goes stale and training cannot harm the ranking of names. Windows of notes are read by a
    copy of the top layers, and only this copy and the projection train.

    Raises `EmbedLinkError` if the model has no known stack of layers, or fewer than are to train.
    """

    unfrozen: int = 0
    """Top layers that train: 0 none, -1 everything, embeddings included."""
    precision: Precision = "float32"
    """What `encode` computes in if the caller does not say."""

    def __init__(
        self,
        language_model: PreTrainedModel,
        pooling: Pooling = "mention",
        projection: bool = False,
        unfreeze: int = 0,
        surface_weight: float = 0.0,
        towers: Towers = "one",
    ) -> None:
        super().__init__()
        self.language_model, self.towers = language_model, towers
        self.note_layers = nn.ModuleList()
        self.pooling, self.surface_weight = pooling, surface_weight
        size = language_model.config.hidden_size
        self.projection: nn.Linear | None = _identity_projection(size) if projection else None
        self.unfreeze(unfreeze)

    @property
    def dim(self) -> int:
        """Length of the vectors."""
        return int(self.language_model.config.hidden_size)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return next(self.parameters()).device

    def forward(self, batch: EncoderBatch) -> Tensor:
        """Encode a batch. Shape: (batch, dim), each row of length 1.

        If the batch has surfaces, a mention's own text is added to its context with
        `surface_weight`. It is encoded as names are, so it has cosine 1 with an equal name. No
        context window has that.
        """
        vectors = self.project(self.pooled(batch), batch.note)  # (batch, dim)
        if batch.surface is None:
            return vectors
        surfaces = self.project(self.pooled(batch.surface), batch.surface.note)
        return self.joined(vectors, surfaces)

    def joined(self, contexts: Tensor, surfaces: Tensor) -> Tensor:
        """Vectors of mentions from those of their windows and of their own text.

        Shape: contexts and surfaces (batch, dim) of length 1 -> (batch, dim) of length 1.
        """
        return F.normalize(contexts + self.surface_weight * surfaces, dim=-1)

    def pooled(self, batch: EncoderBatch) -> Tensor:
        """Average of the last layer's states, one of each mention. Shape: (batch, dim)."""
        tokens, shared = self._narrowing(batch), batch.shared
        if tokens is None:
            states = self.states(batch)
            mask = batch.mention_mask if self.pooling == "mention" else batch.attention_mask
        else:
            below = self.states(batch, without=1)  # (batch, tokens, dim)
            last = encoder_layers(self.tower(batch.note))[-1]
            states = narrow_layer(last, below, batch.attention_mask, tokens.positions)
            mask = tokens.mask
            shared = None if shared is None else shared.among(batch.mention_mask)
        if shared is None:
            return masked_mean(states, mask)
        return masked_mean(states.flatten(0, 1)[shared.positions], shared.mask)

    def _narrowing(self, batch: EncoderBatch) -> MentionTokens | None:
        """The tokens to which the last layer can be narrowed, or None if that saves no work."""
        done = batch.states is not None and batch.layers == 0
        last = encoder_layers(self.tower(batch.note))[-1]
        if self.pooling == "window" or done or not can_narrow(last):
            return None
        tokens = MentionTokens.of(batch.mention_mask)
        # All are padded to the longest mention, so a long one leaves nothing to save.
        return tokens if 2 * tokens.positions.shape[1] <= batch.input_ids.shape[1] else None

    def states(self, batch: EncoderBatch, without: int = 0) -> Tensor:
        """The states below the last `without` layers. Shape: (batch, tokens, dim).

        If the batch has states, only the layers above these run.
        """
        tower = self.tower(batch.note)
        if batch.states is None:
            model = lower_part(tower, without) if without else tower
            return last_states(model, batch.attention_mask, input_ids=batch.input_ids)
        states = batch.states.to(self.language_model.dtype)  # A cache may hold float16.
        if batch.layers <= without:
            return states  # They are those below this cut already.
        top = upper_part(tower, batch.layers, without)
        return last_states(top, batch.attention_mask, inputs_embeds=states)

    def tower(self, note: bool) -> PreTrainedModel:
        """The model that reads windows of notes, or the one that reads names.

        They are the same with one tower. With two they share the layers below the note's own.
        """
        own = note and len(self.note_layers)
        return topped(self.language_model, self.note_layers) if own else self.language_model

    def trained_layers(self, note: bool) -> int:
        """How many top layers train of the tower that reads notes or names. -1 is everything."""
        return self.unfrozen if note or self.towers == "one" else 0

    def project(self, pooled: Tensor, note: bool = False) -> Tensor:
        """Project and normalise pooled states. Shape: (batch, dim) -> (batch, dim).

        With two towers the projection is the note tower's alone.
        """
        if self.projection is not None and (note or self.towers == "one"):
            pooled = self.projection(pooled)
        return F.normalize(pooled.float(), dim=-1)

    def read_by(self, *, pooling: Pooling, projection: bool, surface_weight: float) -> None:
        """Change in place how vectors are made of the layers' states.

        A projection that is switched on starts as the identity. If it is switched off, its weights
        are lost.
        """
        self.pooling, self.surface_weight = pooling, surface_weight
        if projection != (self.projection is not None):
            layer = _identity_projection(self.dim) if projection else None
            self.projection = None if layer is None else layer.to(self.device)

    def unfreeze(self, layers: int) -> None:
        """Make the top `layers` trainable: 0 none, -1 everything. The projection always is.

        With two towers these are layers of the note tower, and -1 means all of its layers. An
        optimizer that was made before does not notice. Raises `EmbedLinkError` as
        `check_unfreeze` does.
        """
        stack = encoder_layers(self.language_model)
        check_unfreeze(layers, len(stack))
        two = self.towers == "two"
        self.unfrozen = len(stack) if two and layers == -1 else layers
        self.language_model.requires_grad_(self.unfrozen == -1)
        if two:
            self.grow_note_tower(self.unfrozen)
        for layer in self._trainable_layers():
            layer.requires_grad_(True)
        # A layer drops out only if it trains.
        self.train(self.training)

    def grow_note_tower(self, layers: int) -> None:
        """Give the note tower at least this many own layers, copied from the name tower."""
        stack, own = list(encoder_layers(self.language_model)), list(self.note_layers)
        below = stack[len(stack) - max(layers, len(own)) : len(stack) - len(own)]
        self.note_layers = nn.ModuleList([*copied_layers(below), *own]).requires_grad_(False)

    def _trainable_layers(self) -> list[nn.Module]:
        """The layers that `unfreeze` counts."""
        stack = list(encoder_layers(self.tower(note=True)))
        return stack[len(stack) - max(self.unfrozen, 0) :]

    def train(self, mode: bool = True) -> "ContextEncoder":
        """Set training mode for the trainable layers only. Frozen layers never drop out."""
        super().train(mode)
        if self.unfrozen != -1:
            self.language_model.eval()
            self.note_layers.eval()
            for layer in self._trainable_layers():
                layer.train(mode)
        return self

    def encode(
        self,
        sequences: Sequences,
        token_budget: int | None = None,
        progress: str | None = None,
        precision: Precision | None = None,
        together: bool = False,
        dtype: torch.dtype = torch.float32,
    ) -> Tensor:
        """Encode all sequences and return their vectors in the order of the sequences.

        A batch has at most `token_budget` tokens, padding included, or one sequence. By default
        that is `inference.default_tokens`, and `precision` is the encoder's own. `progress` names
        a progress bar, and without it there is none.

        If several processes train with `torch.distributed` and `together` is true, each encodes its
        share, so all of them must call this.

        Shape: -> (sequences, dim) of `dtype`, on the CPU.
        """
        if isinstance(sequences, MentionSequences):
            parts = (sequences.windows, sequences.surfaces)
            contexts, surfaces = (
                self.encode(part, token_budget, progress, precision, together) for part in parts
            )
            # A surface that several mentions share is encoded once.
            return self.joined(contexts, surfaces[sequences.surface]).to(dtype)
        shared = together and distributed.is_available() and distributed.is_initialized()
        mine: Sequences = sequences
        if shared:
            mine = Share(sequences, distributed.get_rank(), distributed.get_world_size())
        # They stay on the device, because copying every batch back would wait for every batch.
        kept = torch.float32 if shared else dtype  # Not every backend sums bfloat16.
        vectors = torch.zeros(len(sequences), self.dim, dtype=kept, device=self.device)
        for rows, result in self.run(
            self, mine, token_budget=token_budget, progress=progress, precision=precision
        ):
            vectors[rows.to(self.device)] = result.to(kept)
        if shared:
            distributed.all_reduce(vectors)  # The rows of the others are zero here.
        return vectors.cpu().to(dtype)

    def run(
        self,
        compute: Callable[[EncoderBatch], Tensor],
        sequences: Sequences,
        *,
        token_budget: int | None = None,
        progress: str | None = None,
        precision: Precision | None = None,
    ) -> Iterator[Computed]:
        """Yield what `compute` makes of each batch, with the encoder in eval mode.

        Arguments are those of `encode` and `inference.computed`.
        """
        return computed(
            self,
            compute,
            sequences,
            device=self.device,
            precision=precision or self.precision,
            token_budget=token_budget,
            progress=progress,
        )


def last_states(model: PreTrainedModel, attention_mask: Tensor, **inputs: Tensor) -> Tensor:
    """States of the last layer. Shape: attention_mask (batch, tokens) -> (batch, tokens, dim).

    `inputs` are `input_ids`. For an upper part of a model they are states, as `inputs_embeds`.
    """
    states: Tensor = model(attention_mask=attention_mask, **inputs).last_hidden_state
    return states


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Average of the states that have mask 1. It is 0 if there are none, as in an empty name.

    Shape: states (batch, tokens, dim), mask (batch, tokens) -> (batch, dim).
    """
    weights = mask.to(states.dtype).unsqueeze(-1)  # (batch, tokens, 1)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


def _identity_projection(size: int) -> nn.Linear:
    """A projection that starts as the identity, so before training it changes nothing."""
    with MAKING_WEIGHTS:
        layer = nn.Linear(size, size)
        nn.init.eye_(layer.weight)
        nn.init.zeros_(layer.bias)
    return layer
