"""What all threads that detect share: the tagger and the spellings of names.

Both follow the configuration and the database, which may change while documents come in. They are
read under a lock, because the first documents may come in several threads at once.
"""

import threading
from pathlib import Path
from typing import Any

from medcat.cdb import CDB

from embedlink.detection.config import EmbedLinkNer
from embedlink.detection.spellings import NameVariants
from embedlink.detection.tagger import MentionTagger


class SharedState:
    """The tagger and the spellings that the configuration and the database ask for now."""

    def __init__(self, cdb: CDB) -> None:
        self.cdb = cdb
        self.variants = NameVariants(cdb)
        self._tagger: tuple[str, MentionTagger] | None = None  # with the folder it is from
        self._lock = threading.RLock()

    def follow(self, config: EmbedLinkNer) -> MentionTagger | None:
        """Read what changed, and return the tagger. This takes almost no time if nothing changed.

        After an error the next call tries again. Raises `EmbedLinkError` if the tagger cannot be
        read.
        """
        with self._lock:
            self.cdb.has_subname("")  # MedCAT collects the parts of names at the first question.
            if config.variants:
                self.variants.follow()
            return self._read_tagger(config.tagger)

    def _read_tagger(self, folder: str | None) -> MentionTagger | None:
        """The tagger of this folder, which is read if the folder is another one than before."""
        if folder is None:
            return None
        if self._tagger is None or self._tagger[0] != folder:
            self._tagger = folder, MentionTagger.load(Path(folder).expanduser())
        return self._tagger[1]

    def __getstate__(self) -> dict[str, Any]:
        """All but the lock: every process has its own."""
        return {key: value for key, value in self.__dict__.items() if key != "_lock"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()
