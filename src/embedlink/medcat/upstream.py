"""Reads and writes models of `medcat-embedding-linker` 0.4.0, which need not be installed.

A model's folder holds three parts. `pytorch_model.bin` has the weights (`language_model.*`,
`projection_layer.*`). `config.json` names the encoder that is loaded first. The tokenizer is the
third part. Window and pooling are not stored there. A pack's configuration holds them. Without a
pack, the reader sets them.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import AutoModel

from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.pretrained import MAKING_WEIGHTS, load_encoder, load_tokenizer
from embedlink.linking.decision import LinkDecision
from embedlink.linking.linker import Linker
from embedlink.linking.settings import LinkerSettings
from embedlink.problems import EmbedLinkError

WEIGHTS, SETTINGS, ENCODER = "pytorch_model.bin", "config.json", "encoder"
"""Files of upstream's folder, and the folder in an export for the encoder that is loaded first."""
STATE = Path("trainable_embedding_model") / "model_state.pt"
"""The path of the weights in the component's folder of a model pack."""
MODEL, PROJECTION, POOLER = "language_model.", "projection_layer.", "language_model.pooler."
"""The prefixes of keys in upstream's state dict."""


def is_upstream_model(folder: Path) -> bool:
    """Whether upstream's `save_pretrained` wrote this folder."""
    return (folder / WEIGHTS).is_file() and "embedding_model_name" in _settings(folder)


def read_upstream_model(folder: Path, settings: LinkerSettings) -> Linker:
    """Read a linker from upstream's folder. `settings` gives window, pooling and limits.

    The folder gives encoder and projection, and the tokenizer if one was saved there. Raises
    `EmbedLinkError` if the weights are missing or corrupt, or do not fit the encoder.
    """
    stored = _settings(folder)
    wanted = replace(
        settings,
        encoder=str(stored["embedding_model_name"]),
        projection=bool(stored.get("use_projection_layer", True)),
    )
    linker = read_upstream_weights(folder / WEIGHTS, wanted)
    if not (folder / "tokenizer_config.json").is_file():
        return linker
    return replace(linker, tokenizer=load_tokenizer(str(folder)))


def read_upstream_weights(path: Path, settings: LinkerSettings) -> Linker:
    """Read a linker from a file with upstream's weights. `settings` names the encoder to fill.

    The link decision is untrained and links everything. Raises `EmbedLinkError` if the file is
    missing or corrupt, if its weights do not fit the encoder, or if the encoder is not found.
    """
    encoder = Path(settings.encoder).expanduser()
    # The encoder may be another of upstream's folders. Its weights would be replaced anyway, so
    # only the encoder that it names is loaded.
    if is_upstream_model(encoder):
        settings = replace(settings, encoder=str(_settings(encoder)["embedding_model_name"]))
    try:
        # Only weights are read, because a pickle could run code.
        state: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise EmbedLinkError(f"{path}: this part of the model is missing") from error
    except Exception as error:  # A corrupt archive or pickle can raise anything.
        raise EmbedLinkError(f"{path}: this part of the model is corrupt ({error})") from error
    model, tokenizer = load_encoder(settings.encoder)
    context = ContextEncoder(model, settings.pooling, settings.projection)
    try:
        model.load_state_dict(_under(MODEL, state, without=POOLER))
        if context.projection is not None:
            context.projection.load_state_dict(_under(PROJECTION, state))
    except RuntimeError as error:
        raise EmbedLinkError(f"{path}: not the weights of {settings.encoder}: {error}") from error
    context.eval()
    return Linker(settings, context, tokenizer=tokenizer, decision=LinkDecision(context.dim))


def upstream_state(linker: Linker) -> dict[str, Tensor]:
    """The linker's weights under upstream's keys, in float32 on the CPU.

    Upstream's encoder has a pooling layer that no linker uses. It is filled with zeros.
    """
    own = linker.encoder.language_model
    # Upstream loads strictly, so every key of its encoder must exist. A new encoder gives shapes.
    with MAKING_WEIGHTS:
        whole = AutoModel.from_config(own.config).state_dict()
    state = {MODEL + key: torch.zeros_like(tensor) for key, tensor in whole.items()}
    state |= {
        MODEL + key: tensor.detach().float().cpu() for key, tensor in own.state_dict().items()
    }
    if linker.encoder.projection is not None:
        layer = linker.encoder.projection.state_dict()
        state |= {PROJECTION + key: tensor.detach().float().cpu() for key, tensor in layer.items()}
    return state


def write_encoder(linker: Linker, folder: Path) -> None:
    """Write the encoder and its tokenizer to a folder that `transformers` loads."""
    linker.encoder.language_model.save_pretrained(folder)
    linker.tokenizer.save_pretrained(folder)


def write_upstream_model(linker: Linker, folder: Path, encoder: str) -> None:
    """Write the folder that `ModelForEmbeddingLinking.from_pretrained` loads.

    `encoder` is a hub id or a folder that upstream loads first, before it loads these weights. The
    format cannot hold the link decision, the reranker, counts and frequencies.
    """
    folder.mkdir(parents=True, exist_ok=True)
    torch.save(upstream_state(linker), folder / WEIGHTS)
    described = {
        "embedding_model_name": encoder,
        "use_projection_layer": linker.settings.projection,
        "top_n_layers_to_unfreeze": 0,
    }
    (folder / SETTINGS).write_text(json.dumps(described, indent=2), encoding="utf-8")
    linker.tokenizer.save_pretrained(folder)


def _settings(folder: Path) -> dict[str, Any]:
    """The content of `config.json`. It is empty if the file is missing or not a JSON object."""
    try:
        stored = json.loads((folder / SETTINGS).read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return stored if isinstance(stored, dict) else {}


def _under(
    prefix: str, state: Mapping[str, Tensor], without: str | None = None
) -> dict[str, Tensor]:
    """The entries with keys that begin with `prefix`, which is cut off.

    Keys that begin with `without` are left out.
    """
    return {
        key.removeprefix(prefix): tensor
        for key, tensor in state.items()
        if key.startswith(prefix) and not (without and key.startswith(without))
    }
