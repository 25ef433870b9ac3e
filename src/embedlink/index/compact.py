"""Vectors in a form of few bytes, and how far off a score in that form can be.

A search reads this form of every vector first. It scores exactly only what could still be among the
best, so its result does not depend on the form.
"""

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor

STRETCH = 65536
"""Vectors converted at a time."""

Form = Literal["float32", "bfloat16", "int8"]
"""How the first pass reads vectors: 4, 2 or 1 bytes a number."""


class CodedQueries(NamedTuple):
    """Queries in the form of the vectors that they are compared with."""

    codes: Tensor  # (queries, dim)
    scale: Tensor  # (queries,) float32 factor of each query's codes
    error: Tensor  # (queries,) float32 largest distance of a compact score from the true one


@dataclass(frozen=True)
class Compact:
    """Vectors of any length in the form that the first pass reads."""

    codes: Tensor  # (vectors, dim)
    scale: Tensor | None  # (vectors,) float32 factor of each vector's codes, None if not int8
    error: float  # largest distance of a vector from its codes
    length: float  # largest length of any vector

    @classmethod
    def of(cls, vectors: Tensor, form: Form = "float32") -> "Compact":
        """Convert vectors, a stretch at a time. Shape: vectors (vectors, dim).

        Vectors that have the form already are taken over and not copied.
        """
        # float32 means unchanged: vectors that are kept in half precision are read so.
        dtype = {"float32": vectors.dtype, "bfloat16": torch.bfloat16, "int8": torch.int8}[form]
        if dtype == vectors.dtype:
            return cls(vectors, None, error=0.0, length=_longest(vectors))
        codes = torch.empty(vectors.shape, dtype=dtype, device=vectors.device)
        scale = torch.ones(len(vectors), device=vectors.device)
        error = 0.0
        for low in range(0, len(vectors), STRETCH):
            part = vectors[low : low + STRETCH].float()
            coded, factor = _code(part, dtype)
            codes[low : low + STRETCH], scale[low : low + STRETCH] = coded, factor
            error = max(error, _longest(part - coded.float() * factor[:, None]))
        return cls(
            codes, scale if form == "int8" else None, error=error, length=_longest(vectors) + error
        )

    def __len__(self) -> int:
        return len(self.codes)

    def code_queries(self, queries: Tensor) -> CodedQueries:
        """Bring queries into the same form. Shape: queries (queries, dim) float32."""
        codes, scale = _code(queries, self.codes.dtype)
        known = codes.float() * scale[:, None]
        length = known.norm(dim=1)
        dtype = torch.float32 if self.scale is not None else self.codes.dtype
        # Rounding of the product itself, and of two sums of `dim` terms in float32: the one here
        # and the one that scores the survivors. A GPU may also round partial sums.
        unit = torch.finfo(dtype).eps / (1 if queries.is_cuda else 2)
        rounding = unit + 2 * queries.shape[1] * torch.finfo(torch.float32).eps
        error = (queries - known).norm(dim=1) * self.length + length * self.error
        return CodedQueries(codes, scale, error + rounding * length * self.length)

    def scores(self, queries: CodedQueries, low: int, high: int) -> Tensor:
        """Compact scores of the vectors from `low` to `high`. Shape: -> (queries, range)."""
        part = self.codes[low:high].T
        if self.scale is None:
            return queries.codes @ part
        product = torch._int_mm(queries.codes, part)
        return product.float().mul_(queries.scale[:, None]).mul_(self.scale[low:high])


def _longest(vectors: Tensor) -> float:
    """Greatest length. Shape: vectors (n, dim)."""
    stretches = vectors.split(STRETCH) if len(vectors) else ()
    return max((float(part.float().norm(dim=1).max()) for part in stretches), default=0.0)


def _code(vectors: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Vectors in another form and the factor of each. Shape: (n, dim) -> (n, dim), (n,)."""
    if dtype != torch.int8:
        return vectors.to(dtype), torch.ones(len(vectors), device=vectors.device)
    # Clamped, because a vector of zeros must not be divided by 0.
    factor = vectors.abs().amax(1).clamp(min=1e-30) / 127
    return (vectors / factor[:, None]).round().to(torch.int8), factor
