"""Digests that identify weights: of the encoder of an index, and of the tagger of a pack."""

import hashlib
from collections.abc import Mapping

import torch
from torch import Tensor


def digest_of(described: str, weights: Mapping[str, Tensor]) -> str:
    """SHA-256 over a description and named weights, in hexadecimal digits.

    `described` holds the settings that matter beside the weights. Weights count by name and value.
    Their order and device make no difference. The same weights in another dtype have another
    digest.
    """
    sha = hashlib.sha256(described.encode())
    for name, tensor in sorted(weights.items()):
        plain = tensor.detach().cpu().contiguous().flatten()
        sha.update(name.encode())
        # Read as bytes, because NumPy has no bfloat16.
        sha.update(plain.view(torch.uint8).numpy().tobytes())
    return sha.hexdigest()
