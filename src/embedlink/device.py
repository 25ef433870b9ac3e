"""Which number format the encoder computes in.

Weights keep the format that they are stored in. Only the inputs of a matrix product are converted.
"""

from contextlib import AbstractContextManager, nullcontext
from typing import Literal

import torch

Precision = Literal["float32", "bfloat16", "auto"]
"""`bfloat16` about halves the time if the processor has it. `auto` uses it only then."""


def has_bfloat16(device: torch.device) -> bool:
    """Whether the device multiplies bfloat16 matrices in hardware."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    # torch before 2.10 cannot say. Without the instructions bfloat16 is slower than float32.
    known: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return any(known.get(name, False) for name in ("avx512_bf16", "amx_bf16"))


def computing_in(precision: Precision, device: torch.device) -> AbstractContextManager[None]:
    """A context in which matrix products run in this precision. Sums and norms stay float32.

    `float32` changes nothing, so weights that are stored in bfloat16 still compute in bfloat16.
    """
    if precision == "bfloat16" or (precision == "auto" and has_bfloat16(device)):
        return torch.autocast(device.type, torch.bfloat16)
    return nullcontext()
