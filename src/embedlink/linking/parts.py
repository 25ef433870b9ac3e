"""Parts of a linker's folder, read with errors that name the file at fault."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors.torch import load_file
from torch import Tensor

from embedlink.encoder.pretrained import Pretrained, load_encoder
from embedlink.problems import EmbedLinkError

FORMAT = 1
SETTINGS = "linker.json"
MISSING, DAMAGED = "this part of the linker is missing", "this part of the linker is damaged"


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Read a safetensors file, with an error that names it if that fails."""
    try:
        return load_file(path)
    except FileNotFoundError as error:
        raise EmbedLinkError(f"{path}: {MISSING}") from error
    except Exception as error:  # safetensors raises its own error type for corrupt files.
        raise EmbedLinkError(f"{path}: {DAMAGED} ({error})") from error


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object, with an error that names the file if that fails."""
    try:
        described = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise EmbedLinkError(f"{path}: {MISSING}") from error
    except ValueError as error:
        raise EmbedLinkError(f"{path}: {DAMAGED} ({error})") from error
    if not isinstance(described, dict):
        raise EmbedLinkError(f"{path}: {DAMAGED}")
    return described


def read_settings(folder: Path) -> dict[str, Any]:
    """What `linker.json` holds. Raises `EmbedLinkError` if it is of another format."""
    if not (folder / SETTINGS).is_file():
        raise EmbedLinkError(
            f"{folder / SETTINGS}: {MISSING}; a linker is the folder `linker` that a run leaves"
        )
    described = read_json(folder / SETTINGS)
    if described.get("format") != FORMAT:
        raise EmbedLinkError(
            f"{folder / SETTINGS}: format {described.get('format')} is not {FORMAT}"
        )
    return described


def read_encoder(folder: Path) -> Pretrained:
    """The encoder, with an error that names the file at fault and never asks the hub."""
    # Looked for first: transformers would ask the hub for what is not there.
    for part in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json"):
        if not (folder / part).is_file():
            raise EmbedLinkError(f"{folder / part}: {MISSING}")
        if part.endswith(".json"):
            read_json(folder / part)
    read_tensors(folder / "model.safetensors")
    try:
        return load_encoder(str(folder))
    except Exception as error:  # Corrupt files make transformers raise errors of any type.
        raise EmbedLinkError(f"{folder}: {DAMAGED} ({error})") from error


def under(prefix: str, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names begin so, without that beginning."""
    return {k.removeprefix(prefix): t for k, t in weights.items() if k.startswith(prefix)}
