"""The settings of the training stages before and after the main one."""

from dataclasses import dataclass

from embedlink.settings import Settings, setting


@dataclass(frozen=True)
class PretrainingSettings(Settings):
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
