"""States below the trainable layers, computed once.

Frozen layers run in eval mode on text that does not change, so their output never does. With
`unfreeze=0` that is the pooled vector, and encoding again is at most one matrix product; with N
layers unfrozen it is one state for every token, and encoding again runs N layers only.

`StateCache.freeze` gives sequences that stand where the tokens stood: their batches carry states
beside token ids, and `ContextEncoder.states` goes on from there.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from embedlink.device import Precision
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.tokens import EncoderBatch, MentionSequences, Sequences, TokenSequences

log = logging.getLogger(__name__)

IN_MEMORY = 512 * 2**20
"""States of up to this many bytes stay in memory; more of them go to a memory-mapped file."""


@dataclass(frozen=True)
class FrozenSequences:
    """Sequences with their states below the top `layers` layers.

    With `layers` 0 the states are pooled vectors, and `tokens` stand-ins of one token each. Shape:
    states (tokens, dim) float32 or float16, for every token of `tokens`.
    """

    tokens: TokenSequences
    states: Tensor
    layers: int

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> Tensor:
        """Tokens in each sequence. Shape: (sequences,) int64."""
        return self.tokens.lengths

    def batch(self, rows: Tensor) -> EncoderBatch:
        """The given sequences, padded to the longest of them. Shape: rows (batch,)."""
        # Where a sequence is padded stand states of others; the mask hides them.
        source, _ = self.tokens.positions(rows)  # (batch, tokens)
        return self.tokens.batch(rows)._replace(states=self.states[source], layers=self.layers)

    def batches(self, token_budget: int) -> Iterator[Tensor]:
        """Rows of all sequences in batches of like length. Shape: (batch,) each."""
        return self.tokens.batches(token_budget)


class StateCache:
    """Keeps states within a budget of bytes, in files that vanish with the process.

    What does not fit in float32 is kept in float16, and what does not fit then is computed
    again each time. Cached sequences are valid as long as the weights below do not change.
    `budget` counts the bytes of all that one cache keeps; `folder` takes its files, by default
    the system's folder of temporary ones.
    """

    def __init__(self, budget: int, folder: Path | None = None) -> None:
        self.left, self.folder = budget, folder

    def freeze(
        self,
        encoder: ContextEncoder,
        tokens: Sequences,
        progress: str | None = None,
        precision: Precision = "float32",
    ) -> Sequences:
        """The sequences with the states that never change, or as they are where that cannot be.

        They stay as they are where everything trains, where the encoder cannot be cut, where
        states do not fit, and where they are frozen or streamed already. Windows and surfaces of
        mentions are kept apart: one may fit where the other does not.
        """
        if isinstance(tokens, MentionSequences):
            parts = (tokens.windows, tokens.surfaces)
            windows, surfaces = (self.freeze(encoder, p, progress, precision) for p in parts)
            return MentionSequences(windows, surfaces, tokens.surface)
        if (
            not isinstance(tokens, TokenSequences)
            or encoder.trained_layers(tokens.note) == -1
            or not len(tokens)
            or not _splits(encoder, tokens)
        ):
            return tokens
        # A state for every token, or one vector for every sequence.
        top = encoder.trained_layers(tokens.note)
        kept = tokens if top else _pooled_tokens(len(tokens), tokens.note)
        states = self._allocate(len(kept.ids), encoder.dim)
        if states is None:
            return tokens
        compute = partial(_lower_states, encoder)
        for rows, result in encoder.run(compute, tokens, progress=progress, precision=precision):
            source, filled = kept.positions(rows)
            states[source[filled]] = result.cpu()[filled].to(states.dtype)
        return FrozenSequences(kept, states, top)

    def _allocate(self, rows: int, dim: int) -> Tensor | None:
        """Room in the finer format that fits; None where none does, or the disk is full.

        Shape: (rows, dim).
        """
        for dtype in (torch.float32, torch.float16):
            size = rows * dim * dtype.itemsize
            if size <= self.left:
                break
        else:
            log.info("states of %d tokens do not fit in the cache: computed each time", rows)
            return None
        states = _storage(rows, dim, dtype, self.folder)
        if states is not None:
            self.left -= size
        return states


def _storage(rows: int, dim: int, dtype: torch.dtype, folder: Path | None) -> Tensor | None:
    """Memory, or a file without a name; None where the disk has no room. Shape: (rows, dim)."""
    size = rows * dim * dtype.itemsize
    if size <= IN_MEMORY:
        return torch.empty(rows, dim, dtype=dtype)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)  # Else a full disk kills the process later.
        except OSError as error:
            log.warning("no room on the disk for %d bytes of states: %s", size, error.strerror)
            return None
        # The mapping outlives the file, which has no name: its room is free again when it goes.
        kind = np.float32 if dtype == torch.float32 else np.float16
        return torch.from_numpy(np.memmap(file, kind, "r+", shape=(rows, dim)))


def _lower_states(encoder: ContextEncoder, batch: EncoderBatch) -> Tensor:
    """Pooled vectors with nothing unfrozen, else states of tokens.

    Shape: (batch, tokens, dim), with one token where nothing is unfrozen.
    """
    top = encoder.trained_layers(batch.note)
    if top:
        return encoder.states(batch, without=top).float()
    return encoder.pooled(batch).float().unsqueeze(1)


def pooled_sequences(pooled: Tensor) -> FrozenSequences:
    """Sequences whose pooled vectors are known. Shape: pooled (sequences, dim)."""
    return FrozenSequences(_pooled_tokens(len(pooled), note=False), pooled, 0)


def _pooled_tokens(count: int, note: bool) -> TokenSequences:
    """Stand-ins of one token each: a pooled vector is the state of a whole sequence."""
    first = torch.arange(count)
    ranges = torch.stack([torch.zeros_like(first), torch.ones_like(first)], 1)
    return TokenSequences(
        torch.zeros(count, dtype=torch.int32), torch.arange(count + 1), ranges, pad_id=0, note=note
    )


def _splits(encoder: ContextEncoder, tokens: TokenSequences) -> bool:
    """Whether the two parts give what the whole gives; some architectures do more in between."""
    # A few sequences show it: it lies in the architecture, not in the text.
    batch = tokens.batch(torch.arange(min(4, len(tokens)))).to(encoder.device)
    was_training = encoder.training
    encoder.train(False)
    with torch.inference_mode():
        top = encoder.trained_layers(tokens.note)
        states = encoder.states(batch, without=top)
        halves = encoder(batch._replace(states=states, layers=top))
        same = torch.allclose(encoder(batch), halves, atol=1e-3)
    encoder.train(was_training)
    if not same:
        log.warning("the encoder cannot be cut below its trainable layers: nothing is cached")
    return same
