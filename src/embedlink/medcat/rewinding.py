"""Lets a linker follow its concept database back to an earlier state.

MedCAT measures by folds like this: it copies the state of the concept database, trains on the other
folds, measures, and puts the copy back. It knows nothing of weights. Training raises `count_train`
of its concepts, and MedCAT lists each supervised training. So if counts or the list go back, the
database was put back, and the linker must go back too. Otherwise it would be measured on notes that
it was trained on.

The linker's state is kept when a training begins. Tensors that did not change since the state
before are shared with it, so a state costs what trains.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

import torch
from medcat.cdb import CDB
from torch import Tensor

from embedlink.medcat.live_index import LiveIndex
from embedlink.problems import EmbedLinkError

log = logging.getLogger(__name__)

LOST = (
    "the concept database was put back to a state from before some training, and this linker did "
    "not keep its weights of then; load the model pack again"
)


@dataclass(frozen=True)
class KeptState:
    """What training changes in a linker, and the signs of the database's state of then."""

    trainings: int  # in MedCAT's list
    trained: Mapping[str, int]  # `count_train` by CUI, of concepts that trained here
    weights: Mapping[str, Tensor]
    counts: Mapping[str, tuple[int, int]]


class Rewinding:
    """The states of a linker at the beginnings of its trainings, in order."""

    def __init__(self, live: LiveIndex, cdb: CDB) -> None:
        self.live, self.cdb = live, cdb
        self._kept: list[KeptState] = []
        self._first: dict[str, int] = {}  # `count_train` before the first training here, by CUI
        self._trained: dict[str, int] = {}  # and after the last
        self._trainings = 0

    def keep(self) -> None:
        """Keep the present state, unless a state of the present training is kept already."""
        self._trainings = len(self.cdb.config.meta.sup_trained)
        if self._kept and self._kept[-1].trainings == self._trainings:
            return
        before = self._kept[-1].weights if self._kept else {}
        weights = {name: _kept(tensor, before.get(name)) for name, tensor in self._state().items()}
        counts = self.live.linker.counts
        self._kept.append(KeptState(self._trainings, dict(self._trained), weights, counts))

    def count(self, cui: str, repeats: int) -> None:
        """Raise `count_train` of a concept, if the database has it."""
        info = self.cdb.cui2info.get(cui)
        if info is not None:
            self._first.setdefault(cui, info["count_train"])
            info["count_train"] += repeats
            self._trained[cui] = info["count_train"]

    def follow(self) -> bool:
        """Put the linker back if the database was. Returns whether it was.

        Raises `EmbedLinkError` if the state of then was not kept. After that, the present state
        counts as the right one.
        """
        trainings = len(self.cdb.config.meta.sup_trained)
        back = trainings < self._trainings or not self._matches(self._trained, at_least=True)
        self._trainings = trainings
        if not back:
            return False
        while self._kept:
            state = self._kept[-1]
            if state.trainings == trainings and self._matches(self._first | dict(state.trained)):
                self._restore(state)
                return True
            self._kept.pop()
        self._first, self._trained = {}, {}
        raise EmbedLinkError(LOST)

    def _matches(self, expected: Mapping[str, int], at_least: bool = False) -> bool:
        """Whether concepts have these counts. Concepts that were removed are not compared."""
        for cui, count in expected.items():
            info = self.cdb.cui2info.get(cui)
            if info is not None and (
                info["count_train"] < count or (info["count_train"] > count and not at_least)
            ):
                return False
        return True

    def _restore(self, state: KeptState) -> None:
        with torch.no_grad():
            for name, tensor in self._state().items():
                if name not in state.weights or state.weights[name].shape != tensor.shape:
                    raise EmbedLinkError(LOST)
                tensor.copy_(state.weights[name])
        self.live.use(replace(self.live.linker, counts=state.counts))
        self._trained = dict(state.trained)
        log.info("the concept database was put back, and so was the linker")

    def _state(self) -> dict[str, Tensor]:
        linker = self.live.linker
        parts = {"encoder": linker.encoder, "decision": linker.decision}
        return {
            f"{part}.{name}": tensor
            for part, module in parts.items()
            for name, tensor in module.state_dict().items()
        }


def _kept(tensor: Tensor, before: Tensor | None) -> Tensor:
    """A copy of a tensor in main memory, or the copy that was kept before if it is equal."""
    now = tensor.detach().cpu()
    return before if before is not None and torch.equal(before, now) else now.clone()
