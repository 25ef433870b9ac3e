"""Vectors of mentions' own texts that were encoded before, because notes repeat their words."""

import threading

import torch
from torch import Tensor

from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.tokens import MentionSequences, Sequences, TokenSequences

MOST = 20_000
"""Surfaces that are kept: 30 MB of vectors with 384 numbers."""


class KnownSurfaces:
    """Encodes what a linker reads of mentions, and each surface only once.

    Make another one if the weights have changed. Several threads may encode at once.
    """

    def __init__(self, encoder: ContextEncoder, most: int = MOST) -> None:
        self.encoder, self.most = encoder, most
        self._vectors: dict[tuple[int, ...], Tensor] = {}  # (dim,) by token ids
        self._lock = threading.Lock()

    def encode(self, windows: Sequences) -> Tensor:
        """Vectors of mentions, as `ContextEncoder.encode` gives them. Shape: (mentions, dim)."""
        if not isinstance(windows, MentionSequences):
            return self.encoder.encode(windows)
        assert isinstance(windows.surfaces, TokenSequences)
        surfaces = self._surfaces(windows.surfaces)
        return self.encoder.joined(self.encoder.encode(windows.windows), surfaces[windows.surface])

    def _surfaces(self, surfaces: TokenSequences) -> Tensor:
        """Shape: (surfaces, dim) of length 1."""
        keys = [tuple(ids.tolist()) for ids in surfaces.ids.split(surfaces.lengths.tolist())]
        with self._lock:
            found = [self._vectors.get(key) for key in keys]
        new = [row for row, vector in enumerate(found) if vector is None]
        if new:
            encoded = self.encoder.encode(surfaces.select(torch.tensor(new)))
            with self._lock:
                if len(self._vectors) + len(new) > self.most:
                    self._vectors.clear()
                for row, vector in zip(new, encoded, strict=True):
                    # A copy, or one row would keep the memory of all.
                    found[row] = self._vectors[keys[row]] = vector.clone()
        return torch.stack([vector for vector in found if vector is not None])
