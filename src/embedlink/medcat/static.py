"""The static linker: a MedCAT linking component around a linker that does not change.

It has MedCAT's training methods in order to refuse. Without them the trainer would add the
annotated names to the database, train nothing and only log a warning. The trainer adds names before
it asks the component to train, so they are removed again.
"""

from typing import Any

from embedlink.medcat.component import LinkingComponent
from embedlink.medcat.config import CANNOT_TRAIN
from embedlink.plugin import STATIC
from embedlink.problems import EmbedLinkError


class StaticLinker(LinkingComponent):
    """Links and never trains. Its training methods raise an error with the component that does."""

    name = STATIC

    def train_supervised_batch(self, examples: list[Any]) -> None:
        """Remove added names and raise `EmbedLinkError`: MedCAT's trainer would only warn."""
        for example in examples:
            self._take_back(example.cui)
        raise EmbedLinkError(CANNOT_TRAIN)

    def train(self, cui: str, *_: Any, **__: Any) -> None:
        """Remove added names and raise `EmbedLinkError`."""
        self._take_back(cui)
        raise EmbedLinkError(CANNOT_TRAIN)

    def _take_back(self, cui: str) -> None:
        """Remove the names that a concept got since the table of names was read.

        A new concept, which has no other names, is removed.
        """
        added = self.live.unread_names(cui)
        if not added:
            return
        if added == self.cdb.cui2info[cui]["names"]:
            self.cdb.remove_cui(cui)
            return
        self.cdb._remove_names(cui, added)
        self.cdb.cui2info[cui]["names"] -= added
