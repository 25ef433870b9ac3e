"""Encoders are loaded whole, or refused with the file and the tensor at fault."""

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from embedlink.encoder.pretrained import load_encoder
from embedlink.problems import EmbedLinkError

Weights = dict[str, torch.Tensor]


@pytest.fixture
def encoder(tiny_encoder, tmp_path):
    return Path(shutil.copytree(tiny_encoder, tmp_path / "encoder"))


def changed(encoder: Path, change) -> str:
    """Change the stored weights; the name of the folder."""
    file = encoder / "model.safetensors"
    weights = load_file(file)
    save_file(
        change({key: tensor.clone() for key, tensor in weights.items()}), file, {"format": "pt"}
    )
    return str(encoder)


def query(weights: Weights) -> str:
    return [key for key in weights if key.endswith("query.weight")][-1]


def test_a_missing_tensor_is_named(encoder):
    def drop(weights: Weights) -> Weights:
        del weights[query(weights)]
        return weights

    name = changed(encoder, drop)
    with pytest.raises(EmbedLinkError, match=r"model\.safetensors: .*query\.weight is missing"):
        load_encoder(name)


def test_a_misshapen_tensor_is_named(encoder):
    def cut(weights: Weights) -> Weights:
        return weights | {query(weights): weights[query(weights)][:-1].clone()}

    name = changed(encoder, cut)
    with pytest.raises(EmbedLinkError, match=r"query\.weight has another shape"):
        load_encoder(name)


def test_a_tensor_too_many_is_named(encoder):
    name = changed(encoder, lambda weights: weights | {"adapter.weight": torch.zeros(2)})
    with pytest.raises(EmbedLinkError, match=r"the encoder has no adapter\.weight"):
        load_encoder(name)


def test_a_tensor_with_another_name_is_missing(encoder):
    def rename(weights: Weights) -> Weights:
        weights["other"] = weights.pop(query(weights))
        return weights

    name = changed(encoder, rename)
    with pytest.raises(EmbedLinkError, match=r"query\.weight is missing"):
        load_encoder(name)


def sums(name: str) -> list[float]:
    return [float(tensor.double().sum()) for tensor in load_encoder(name)[0].state_dict().values()]


def test_what_is_not_used_may_be_there_or_not(encoder):
    before = sums(str(encoder))

    def other_parts(weights: Weights) -> Weights:
        kept = {key: tensor for key, tensor in weights.items() if not key.startswith("pooler.")}
        positions = torch.arange(8)[None]
        return kept | {"cls.predictions.bias": torch.ones(3), "embeddings.position_ids": positions}

    assert sums(changed(encoder, other_parts)) == before


def test_the_prefix_of_the_architecture_is_known_and_another_refused(encoder):
    before = sums(str(encoder))
    name = changed(encoder, lambda weights: {f"bert.{key}": t for key, t in weights.items()})
    assert sums(name) == before
    name = changed(encoder, lambda weights: {f"student.{key}": t for key, t in weights.items()})
    with pytest.raises(EmbedLinkError, match=r"is missing \(and \d+ more\)"):
        load_encoder(name)
