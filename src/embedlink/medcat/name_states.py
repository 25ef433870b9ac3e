"""States of names below the trained layers, kept from one building of the index to the next.

Training inside MedCAT may build the index every few batches (`embed_per_n_batches`). What lies
below the trained layers gives the same states each time, so that only the layers above are run.
"""

from typing import Any

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.states import StateCache
from embedlink.encoder.tokens import Sequences
from embedlink.linking.linker import Linker

BUDGET = 8 * 2**30
"""Bytes of states; what is more than half a gigabyte goes to a temporary file."""


class NameStates:
    """Keeps states from the second building on: who trains once needs no room for them.

    Other processes get none: they are too many to send.
    """

    _encoder: ContextEncoder | None = None
    _names: ConceptNames | None = None
    _versions: tuple[int, ...] = ()
    _sequences: Sequences | None = None

    def of(self, linker: Linker, names: ConceptNames) -> Sequences | None:
        """The names to encode, with states; None the first time that they are as they are.

        To be asked once for each building: it is the second time that computes the states. Where
        they cannot be kept (no room, an encoder that cannot be cut), the names come without them.
        """
        encoder = linker.encoder
        versions = _frozen_versions(encoder)
        same = encoder is self._encoder and names is self._names and versions == self._versions
        if not same:
            self._sequences = None
            self._encoder, self._names, self._versions = encoder, names, versions
            return None
        if self._sequences is None:
            self._sequences = StateCache(BUDGET).freeze(
                encoder,
                linker.tokenise(names),
                "Names below the trained layers",
                encoder.precision,
            )
        return self._sequences

    def clear(self) -> None:
        """Let everything go."""
        self._encoder = self._names = self._sequences = None

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _frozen_versions(encoder: ContextEncoder) -> tuple[int, ...]:
    """How many layers train, and how often each weight that does not was written to.

    A layer that trained for a while and is frozen again thus shows.
    """
    # Torch counts the writes into a tensor, which an optimizer does in place, in `_version`.
    frozen = (p._version for p in encoder.parameters() if not p.requires_grad)
    return (encoder.unfrozen, *frozen)
