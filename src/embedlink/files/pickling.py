"""Objects with tensors that other processes get as bytes."""

import pickle
from typing import Any, ClassVar

_BYTES = "pickled"


class PickledByValue:
    """Pickles its attributes as bytes, apart from those that it shares with other objects.

    torch sends tensors to other processes through shared memory, and moves them there in place.
    MedCAT pickles a pipeline in one thread while another thread predicts with it. That other thread
    would then read memory that is gone.
    """

    shared: ClassVar[frozenset[str]] = frozenset()
    """Attributes that are pickled as usual, so that other objects still hold the same ones."""

    def __getstate__(self) -> dict[str, Any]:
        usual = {key: value for key, value in self.__dict__.items() if key in self.shared}
        own = {key: value for key, value in self.__dict__.items() if key not in self.shared}
        return usual | {_BYTES: pickle.dumps(own, pickle.HIGHEST_PROTOCOL)}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(pickle.loads(state.pop(_BYTES)))
        self.__dict__.update(state)
