"""The settings of the training stages before and after the main one."""

from dataclasses import dataclass

from embedlink.settings import Settings, setting


@dataclass(frozen=True)
class SynonymSettings(Settings):
    """A first stage on the names of the concept database alone."""

    epochs: int = setting(1, ge=1, help="epochs over the names")
    batch_size: int = setting(64, ge=1, help="names in a batch")


@dataclass(frozen=True)
class RerankerTraining(Settings):
    """A cross-encoder that compares the concepts nearest to a mention again."""

    top_k: int = setting(8, ge=2, help="nearest concepts that the cross-encoder compares")
    epochs: int = setting(1, ge=1, help="epochs over the training mentions")
    batch_size: int = setting(8, ge=1, help="mentions in a batch, each with its concepts")
    lr: float = setting(1e-4, gt=0, le=1, help="highest learning rate of the cross-encoder")


@dataclass(frozen=True)
class ShortFormSettings(Settings):
    """How context learns from notes without labels what short forms mean."""

    layers: int = setting(2, ge=1, help="top layers of the note tower, which train")
    context_window: int = setting(20, ge=0, help="words on each side of a short form")
    max_tokens: int = setting(64, ge=8, help="tokens of a window, special tokens included")
    epochs: int = setting(1, ge=1, help="passes over the examples")
    batch_size: int = setting(32, ge=1, help="examples in a batch")
    lr: float = setting(3e-4, gt=0, le=1, help="highest learning rate of the note tower")
    per_sense: int = setting(20, ge=1, help="most examples of each sense")
    per_phrase: int = setting(6, ge=1, help="most examples of each phrase that is made a sense")
    made_up: float = setting(
        0.5, ge=0, help="most examples of made-up short forms for each example of a listed one"
    )
