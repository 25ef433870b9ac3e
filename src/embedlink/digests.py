"""What identifies weights."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def digest_of(described: str, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over a description and named weights, wherever they are."""
    sha = hashlib.sha256(described.encode())
    for name, tensor in sorted(weights.items()):
        plain = tensor.detach().cpu().contiguous().flatten()
        sha.update(name.encode())
        sha.update(plain.view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
