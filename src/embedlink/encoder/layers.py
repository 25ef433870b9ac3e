"""A transformer's stack of layers, and the model cut in two at one of them.

The lower part ends with the states below the cut, and the upper part starts from them. Both share
the weights of the whole, so they follow every change of weights, device and mode. They are made for
each call. That costs little, because only tables of submodules are copied.
"""

import copy
from collections.abc import Iterable, Iterator
from typing import TypeVar

from torch import Tensor, nn
from transformers import PreTrainedModel

from embedlink.problems import EmbedLinkError

Part = TypeVar("Part", bound=nn.Module)

STACKS = ("encoder.layer", "transformer.layer")
"""The path of the layers in BERT, RoBERTa, MPNet and ELECTRA, and the path in DistilBERT."""


def encoder_layers(model: PreTrainedModel) -> nn.ModuleList:
    """The stack of transformer layers, bottom first.

    Raises `EmbedLinkError` if the architecture keeps them elsewhere than in `STACKS`.
    """
    stack = model.get_submodule(_stack_path(model))
    assert isinstance(stack, nn.ModuleList)
    return stack


def copied_layers(layers: Iterable[nn.Module]) -> list[nn.Module]:
    """The same layers with weights of their own."""
    return [copy.deepcopy(layer) for layer in layers]


def topped(model: PreTrainedModel, top: nn.ModuleList) -> PreTrainedModel:
    """The model with `top` in the place of as many of its uppermost layers.

    The layers below, and what stands around the stack, are the model's own.
    """
    layers = list(encoder_layers(model))
    return _with_stack(model, nn.ModuleList([*layers[: len(layers) - len(top)], *top]))


def lower_part(model: PreTrainedModel, top: int) -> PreTrainedModel:
    """The model without its `top` uppermost layers."""
    layers = encoder_layers(model)
    return _with_stack(model, layers[: len(layers) - top])


def upper_part(model: PreTrainedModel, top: int, without: int = 0) -> PreTrainedModel:
    """The `top` uppermost layers without the last `without`, fed with states as `inputs_embeds`.

    What all layers share, such as MPNet's position bias, stays in place.
    """
    layers = encoder_layers(model)
    part = _with_stack(model, layers[len(layers) - top : len(layers) - without])
    part._modules["embeddings"] = _StatesAsEmbeddings()
    part._modules.pop("embeddings_project", None)  # ELECTRA's, already applied below.
    return part


def check_unfreeze(layers: int, available: int) -> None:
    """Raise `EmbedLinkError` unless `layers` is -1 or lies in [0, available]."""
    if not -1 <= layers <= available:
        raise EmbedLinkError(
            f"unfreeze={layers} is out of range: the encoder has {available} layers, so it takes "
            f"0 (none) to {available}, or -1 (everything, embeddings included)"
        )


def trainable(module: nn.Module) -> Iterator[tuple[str, nn.Parameter]]:
    """Parameters that an optimizer can change, with their names."""
    return ((name, p) for name, p in module.named_parameters() if p.requires_grad)


class _StatesAsEmbeddings(nn.Module):
    """Takes the place of a model's embeddings and passes states on unchanged."""

    def forward(self, *args: Tensor, inputs_embeds: Tensor | None = None, **_: object) -> Tensor:
        """Return the states. Shape: (batch, tokens, dim) -> (batch, tokens, dim)."""
        # DistilBERT passes them as the last argument, and the others by keyword.
        states = args[-1] if inputs_embeds is None else inputs_embeds
        return states


def _stack_path(model: nn.Module) -> str:
    """Where the model keeps its layers. Raises `EmbedLinkError` if the place is unknown."""
    for path in STACKS:
        try:
            if isinstance(model.get_submodule(path), nn.ModuleList):
                return path
        except AttributeError:
            continue
    raise EmbedLinkError(
        f"model.encoder: the architecture {type(model).__name__} has no stack of layers to be "
        "unfrozen; use a BERT-, DistilBERT-, RoBERTa- or MPNet-like encoder"
    )


def _with_stack(model: PreTrainedModel, stack: nn.ModuleList) -> PreTrainedModel:
    """A copy of the model's shell around other layers. The model itself does not change."""
    holder_name, stack_name = _stack_path(model).split(".")
    shell = _shell(model)
    holder = _shell(model.get_submodule(holder_name))
    stack.training = model.training  # A slice is a new list, in training mode.
    holder._modules[stack_name] = stack
    shell._modules[holder_name] = holder
    return shell


def _shell(module: Part) -> Part:
    """The same module with its own table of submodules. Weights are shared."""
    shell = copy.copy(module)
    shell._modules = dict(module._modules)
    return shell
