"""The static linker: a MedCAT linking component around a linker that does not change.

It has MedCAT's training methods only to refuse: without them the trainer would add the annotated
names to the database, train nothing and say so in a log. What it added for a single annotation,
before it asked to train, is taken back.
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
        for example in examples:
            self._take_back(example.cui)
        raise EmbedLinkError(CANNOT_TRAIN)

    def train(self, cui: str, *_: Any, **__: Any) -> None:
        """Raise `EmbedLinkError`, as `train_supervised_batch` does."""
        self._take_back(cui)
        raise EmbedLinkError(CANNOT_TRAIN)

    def _take_back(self, cui: str) -> None:
        """Remove what a concept got since the linker was last used, or all of a new concept."""
        added = self.live.unread_names(cui)
        if not added:
            return
        if added == self.cdb.cui2info[cui]["names"]:
            self.cdb.remove_cui(cui)
            return
        self.cdb._remove_names(cui, added)
        self.cdb.cui2info[cui]["names"] -= added
