"""Keeps the states of names below the trained layers while the index is built again and again.

Training inside MedCAT may build the index every few batches (`embed_per_n_batches`). The layers
below the trained ones give the same states each time, so only the layers above must run again.
"""

from typing import Any

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.states import StateCache
from embedlink.encoder.tokens import Sequences
from embedlink.linking.linker import Linker

BUDGET = 8 * 2**30
"""Most bytes of states. States of more than half a gigabyte go to a temporary file."""


class NameStates:
    """Keeps states from the second building on, because a single building needs none.

    Other processes get no states: there are too many to send.
    """

    _encoder: ContextEncoder | None = None
    _names: ConceptNames | None = None
    _versions: tuple[int, ...] = ()
    _sequences: Sequences | None = None

    def of(self, linker: Linker, names: ConceptNames) -> Sequences | None:
        """The names to encode, with their states, or None if names or lower layers are new.

        Call it once for each building of the index. The second call computes the states. If they
        cannot be kept, the names come without them: there may be no room, or the encoder cannot be
        cut into layers.
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
                progress="Names below the trained layers",
                precision=encoder.precision,
            )
        return self._sequences

    def clear(self) -> None:
        """Drop all states."""
        self._encoder = self._names = self._sequences = None

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _frozen_versions(encoder: ContextEncoder) -> tuple[int, ...]:
    """How many layers train, and how often each frozen weight was written to.

    So a layer that trained for a while and was frozen again is noticed.
    """
    # Torch counts the writes into a tensor, which an optimizer does in place, in `_version`.
    frozen = (p._version for p in encoder.parameters() if not p.requires_grad)
    return (encoder.unfrozen, *frozen)
