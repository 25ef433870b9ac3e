"""The static linker: a MedCAT linking component around a linker that does not change.

It has MedCAT's training methods only to refuse: without them the trainer would add the annotated
names to the database, train nothing and say so in a log.
"""

from typing import Any

from embedlink.medcat.component import LinkingComponent
from embedlink.medcat.config import CANNOT_TRAIN
from embedlink.plugin import STATIC
from embedlink.problems import EmbedLinkError


class StaticLinker(LinkingComponent):
    """Links and never trains; asked to, it raises an error that says which component does."""

    name = STATIC

    def train_supervised_batch(self, examples: list[Any]) -> None:
        """Raise `EmbedLinkError`: MedCAT's trainer would go on with a warning otherwise."""
        raise EmbedLinkError(CANNOT_TRAIN)

    def train(self, *_: Any, **__: Any) -> None:
        """Raise `EmbedLinkError`, as `train_supervised_batch` does."""
        raise EmbedLinkError(CANNOT_TRAIN)
