"""Digests that identify weights and folders."""

import hashlib
from collections.abc import Mapping
from pathlib import Path

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


def digest_of_folder(folder: Path) -> str:
    """SHA-256 over the names and contents of all files below a folder, in hexadecimal digits."""
    sha = hashlib.sha256()
    for file in sorted(file for file in folder.rglob("*") if file.is_file()):
        with file.open("rb") as content:
            own = hashlib.file_digest(content, "sha256").hexdigest()
        sha.update(f"{file.relative_to(folder).as_posix()}\n{own}\n".encode())
    return sha.hexdigest()
