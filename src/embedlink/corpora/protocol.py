"""What every reader offers, so that a new corpus is one file and one configuration."""

from collections.abc import Iterator
from typing import Protocol

from embedlink.problems import Problems
from embedlink.types import Document


class Corpus(Protocol):
    """A corpus' name in reports, and its documents as a stream.

    `read` yields documents as it goes and notes bad rows in `problems`. It raises `EmbedLinkError`
    only if nothing can be read at all, for example if a folder is missing. Readers are generators.
    So nothing is opened or raised before the first document is asked for.
    """

    @property
    def name(self) -> str:
        """The name under which the corpus' metrics are reported."""
        ...

    def read(self, problems: Problems) -> Iterator[Document]:
        """Yield the corpus' documents in the order of its files."""
        ...
