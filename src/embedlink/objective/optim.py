"""What an optimizer changes in a step, and what a step draws by chance."""

from torch import nn

from embedlink.encoder.layers import trainable

DECISION_LR = 1e-2
"""Learning rate of the link decision. It starts from nothing, so it takes larger steps."""


def step_seed(seed: int, step: int) -> int:
    """A seed for one step or epoch, counted from 0. It fits into 32 bits.

    PyTorch's generator for CPUs reads no more bits than that. The factor is Knuth's, of
    multiplicative hashing. Without it, seed 1 would draw at each step what seed 0 draws at the
    next one.
    """
    return (seed * 2_654_435_761 + step) % 2**32


def parameter_groups(
    module: nn.Module, weight_decay: float, decision_lr: float = DECISION_LR
) -> list[dict[str, object]]:
    """The parameters that can change, in three groups for an optimizer.

    The first group holds weight matrices, and `weight_decay` applies to these only. The second
    holds biases, norms and scalars. The third is the link decision, which learns at `decision_lr`.
    The other two have no rate of their own and take the optimizer's. A group may be empty.
    """
    # Part of a name decides, because a module that holds the objective prefixes its own name.
    named = list(trainable(module))
    decision = [p for name, p in named if "decision." in name]
    others = [p for name, p in named if "decision." not in name]
    return [
        {"params": [p for p in others if p.ndim > 1], "weight_decay": weight_decay},
        {"params": [p for p in others if p.ndim <= 1], "weight_decay": 0.0},
        {"params": decision, "weight_decay": 0.0, "lr": decision_lr},
    ]
