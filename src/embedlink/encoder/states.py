"""States below the trainable layers, computed once.

Frozen layers run in eval mode on text that does not change, so their output does not change either.
With `unfreeze=0` it is the pooled vector, and encoding again is at most one matrix product. With N
layers unfrozen it is one state for every token, and encoding again runs N layers only.

`StateCache.freeze` returns sequences that take the place of the tokens. Their batches also carry
states, and `ContextEncoder.states` goes on from these.
"""

import logging
import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from embedlink.device import Precision
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.inference import evaluating
from embedlink.encoder.shared import SharedWindows
from embedlink.encoder.tokens import EncoderBatch, MentionSequences, Sequences, TokenSequences

log = logging.getLogger(__name__)

IN_MEMORY = 512 * 2**20
"""States of up to this many bytes stay in memory. Larger ones go to a memory-mapped file."""


@dataclass(frozen=True)
class FrozenSequences:
    """Sequences with their states below the top `layers` layers.

    If `layers` is 0, the states are pooled vectors, and `tokens` are stand-ins of one token each.
    """

    tokens: TokenSequences
    states: Tensor  # (tokens, dim) float32 or float16, of all `tokens`
    layers: int

    def __len__(self) -> int:
        return len(self.tokens)

    @property
    def lengths(self) -> Tensor:
        """Tokens in each sequence. Shape: (sequences,) int64."""
        return self.tokens.lengths

    def batch(self, rows: Tensor) -> EncoderBatch:
        """The given sequences, padded to the longest of them. Shape: rows (batch,)."""
        # Padding takes states of other sequences, and the mask hides them.
        source, _ = self.tokens.positions(rows)  # (batch, tokens)
        return self.tokens.batch(rows)._replace(states=self.states[source], layers=self.layers)

    def batches(self, token_budget: int) -> Iterator[Tensor]:
        """Rows of all sequences in batches of like length. Shape: (batch,) each."""
        return self.tokens.batches(token_budget)


class StateCache:
    """Keeps states within a budget of bytes, in files that vanish with the process.

    What does not fit in float32 is kept in float16. What does not fit then is computed again each
    time. Cached sequences are valid as long as the frozen weights do not change.

    `budget` counts the bytes of everything that one cache keeps. Its files go to `folder`, or to
    the system's temporary folder if none is given.
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
        """The sequences with their states that never change, or unchanged if there are none.

        They are unchanged if everything trains, if the encoder cannot be cut, if the states do not
        fit, or if the sequences are frozen or streamed already. Windows and surfaces of mentions
        are frozen one by one, so one of them may fit even if the other does not.
        """
        if isinstance(tokens, MentionSequences):
            parts = (tokens.windows, tokens.surfaces)
            windows, surfaces = (
                self.freeze(encoder, p, progress=progress, precision=precision) for p in parts
            )
            return MentionSequences(windows, surfaces, tokens.surface)
        if isinstance(tokens, SharedWindows) and encoder.trained_layers(note=True):
            windows = self.freeze(encoder, tokens.windows, progress, precision)
            return replace(tokens, windows=windows)
        if (
            not isinstance(tokens, TokenSequences | SharedWindows)
            or encoder.trained_layers(tokens.note) == -1
            or not len(tokens)
            or not _splits(encoder, tokens)
        ):
            return tokens
        # A state for every token, or one vector for every sequence.
        top = encoder.trained_layers(tokens.note)
        kept = _pooled_tokens(len(tokens), tokens.note)
        if top:
            assert isinstance(tokens, TokenSequences)
            kept = tokens
        states = self._allocate(len(kept.ids), encoder.dim)
        if states is None:
            return tokens
        compute = partial(_lower_states, encoder)
        for rows, result in encoder.run(compute, tokens, progress=progress, precision=precision):
            source, filled = kept.positions(rows)
            states[source[filled]] = result.cpu()[filled].to(states.dtype)
        return FrozenSequences(kept, states, top)

    def _allocate(self, rows: int, dim: int) -> Tensor | None:
        """Room in the finer format that fits. None if no format does or the disk is full.

        Shape: (rows, dim).
        """
        for dtype in (torch.float32, torch.float16):
            size = rows * dim * dtype.itemsize
            if size <= self.left:
                break
        else:
            log.info("states of %d tokens do not fit in the cache: computed each time", rows)
            return None
        states = _storage(rows, dim, dtype=dtype, folder=self.folder)
        if states is not None:
            self.left -= size
        return states


def _storage(rows: int, dim: int, dtype: torch.dtype, folder: Path | None) -> Tensor | None:
    """Memory, or a file without a name. None if the disk has no room. Shape: (rows, dim)."""
    size = rows * dim * dtype.itemsize
    if size <= IN_MEMORY:
        return torch.empty(rows, dim, dtype=dtype)
    with tempfile.TemporaryFile(dir=folder) as file:
        try:
            os.posix_fallocate(
                file.fileno(), 0, size
            )  # Otherwise a full disk would kill the process later.
        except OSError as error:
            log.warning("no room on the disk for %d bytes of states: %s", size, error.strerror)
            return None
        # The mapping outlives the file. The file has no name, so its room is free when both end.
        kind = np.float32 if dtype == torch.float32 else np.float16
        return torch.from_numpy(np.memmap(file, kind, "r+", shape=(rows, dim)))


def _lower_states(encoder: ContextEncoder, batch: EncoderBatch) -> Tensor:
    """States of tokens, or pooled vectors if no layer is unfrozen.

    Shape: -> (batch, tokens, dim), with one token for a pooled vector.
    """
    top = encoder.trained_layers(batch.note)
    if top:
        return encoder.states(batch, without=top).float()
    return encoder.pooled(batch).float().unsqueeze(1)


def pooled_sequences(pooled: Tensor) -> FrozenSequences:
    """Sequences that are known by their pooled vectors. Shape: pooled (sequences, dim)."""
    return FrozenSequences(_pooled_tokens(len(pooled), note=False), pooled, 0)


def _pooled_tokens(count: int, note: bool) -> TokenSequences:
    """Stand-ins of one token each, because a pooled vector is the state of a whole sequence."""
    first = torch.arange(count)
    ranges = torch.stack([torch.zeros_like(first), torch.ones_like(first)], 1)
    return TokenSequences(
        torch.zeros(count, dtype=torch.int32), torch.arange(count + 1), ranges, pad_id=0, note=note
    )


def _splits(encoder: ContextEncoder, tokens: TokenSequences | SharedWindows) -> bool:
    """Whether the two parts give what the whole gives. Some architectures do more in between.

    A few sequences show this, because it depends on the architecture and not on the text.
    """
    batch = tokens.batch(torch.arange(min(4, len(tokens)))).to(encoder.device)
    top = encoder.trained_layers(tokens.note)
    with evaluating(encoder), torch.inference_mode():
        states = encoder.states(batch, without=top)
        halves = encoder(batch._replace(states=states, layers=top))
        same = torch.allclose(encoder(batch), halves, atol=1e-3)
    if not same:
        log.warning("the encoder cannot be cut below its trainable layers: nothing is cached")
    return same
