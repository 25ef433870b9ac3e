"""The last layer for the mention's tokens only.

Mention attention averages a few tokens of the last layer and throws the others away. The others are
still attended to, so their keys and values are computed. Their queries, attention output and
feed-forward step are not, and these are five sixths of the layer's work.
"""

from typing import Any

from torch import Tensor, nn
from torch.nn import functional as F

BERT_LIKE = frozenset({"BertLayer", "RobertaLayer", "XLMRobertaLayer", "ElectraLayer"})
"""Classes of layers that are built as BERT's are. Others run in full."""


def can_narrow(layer: nn.Module) -> bool:
    """Whether `narrow_layer` computes what this layer does."""
    if type(layer).__name__ not in BERT_LIKE:
        return False
    kind = getattr(layer.get_submodule("attention.self"), "position_embedding_type", "absolute")
    return kind in (None, "absolute") and not getattr(layer, "is_decoder", False)


def narrow_layer(layer: Any, states: Tensor, attention_mask: Tensor, positions: Tensor) -> Tensor:
    """The states that the layer gives for the tokens at some positions.

    Shape: states (batch, tokens, dim), attention_mask (batch, tokens), positions
    (batch, mention) -> (batch, mention, dim).
    """
    attention = layer.attention.self
    own = states.gather(1, positions[..., None].expand(-1, -1, states.shape[2]))

    def heads(projected: Tensor) -> Tensor:  # (batch, n, dim) -> (batch, heads, n, dim / heads)
        split: Tensor = projected.unflatten(2, (attention.num_attention_heads, -1))
        return split.transpose(1, 2)

    attended = F.scaled_dot_product_attention(
        heads(attention.query(own)),
        heads(attention.key(states)),
        heads(attention.value(states)),
        attn_mask=attention_mask[:, None, None, :].bool(),
        dropout_p=attention.dropout.p if attention.training else 0.0,
    )
    mixed = layer.attention.output(attended.transpose(1, 2).flatten(2), own)
    narrowed: Tensor = layer.output(layer.intermediate(mixed), mixed)
    return narrowed
