"""What identifies weights: an index goes with one encoder, a pack's hash with its tagger."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def digest_of(described: str, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over a description and named weights, wherever they are.

    Hexadecimal. `described` holds the settings that matter beside the weights. Weights count by
    name and value, not by their order or device; in another dtype they have other bytes.
    """
    sha = hashlib.sha256(described.encode())
    for name, tensor in sorted(weights.items()):
        plain = tensor.detach().cpu().contiguous().flatten()
        sha.update(name.encode())
        # As bytes, since NumPy has no bfloat16.
        sha.update(plain.view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
