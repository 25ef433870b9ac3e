"""The concept index of a database that changes and of weights that train while it is used.

Three things can be out of date. The table of names is read again if the database has changed. New
names are encoded, and their vectors are added to the old ones. All names are encoded again if
weights have trained. Each update happens when the index is asked for, at the least cost. Prediction
asks for `current_index`, which is always up to date. Training asks for `targets`, which may be out
of date, because each step moves the vectors. `embed_per_n_batches` says how often they are updated.
"""

import logging
from collections.abc import Iterable
from dataclasses import replace

import torch
from medcat.cdb import CDB

from embedlink.concepts.names import ConceptNames, concept_names
from embedlink.encoder.tokens import tokenise_names
from embedlink.files.pickling import PickledByValue
from embedlink.index.concept_index import ConceptIndex
from embedlink.index.exact import Search
from embedlink.linking.linker import DTYPES, Linker
from embedlink.medcat.name_states import NameStates
from embedlink.types import Detection

log = logging.getLogger(__name__)


INDEXED = ("encoder", "projection", "pooling", "max_name_tokens", "representative", "dtype")
"""Settings that the vectors of names depend on. `context_window`, `max_tokens` and
`surface_weight` affect windows only."""


class LiveIndex(PickledByValue):
    """A linker with the names and the index of a database, brought up to date when asked for.

    If names are new, only these are encoded. If the weights changed (`weights_changed`), all names
    are encoded again, from the states below the trained layers if these are known. Three signs show
    that the database changed: its sizes, its mark of being dirty, and detections that do not match
    the table of names (`check`). So the database need not be read through each time.

    The linker in use is kept here alone. `use` puts another one in its place.
    """

    shared = frozenset({"linker", "cdb"})

    def __init__(self, linker: Linker, cdb: CDB) -> None:
        self.linker, self.cdb = linker, cdb
        self._outdated = False  # whether weights changed since the index was built
        self._token_budget: int | None = None
        self._search_by: Search = "auto"
        self._states = NameStates()
        self._names: ConceptNames | None = None
        self._index: ConceptIndex | None = None
        self._indexed: ConceptNames | None = None  # the names in the index
        self._names_stale = True
        self._seen: tuple[int, ...] = ()  # sizes of the database as they were read
        self._seen_dirty = False

    def use(self, linker: Linker) -> None:
        """Put another linker in the place of the present one.

        Vectors that do not suit it are forgotten. If only its prior differs, the vectors stay.
        """
        old, self.linker = self.linker, linker
        new, before = linker.settings, old.settings
        # Two linkers that started from one encoder may have the same settings.
        other = linker.encoder is not old.encoder
        if other or any(getattr(new, field) != getattr(before, field) for field in INDEXED):
            log.info("the configuration changed: the index will be rebuilt")
            self.forget(names=new.representative != before.representative)
        elif (
            new.frequency_weight != before.frequency_weight
            or linker.frequencies is not old.frequencies
        ):
            self._rank_anew()

    def search_with(self, *, search_by: Search, token_budget: int | None) -> None:
        """Say how names are searched, and how many of their tokens are encoded in a batch.

        A `token_budget` of None is the encoder's own.
        """
        self._search_by, self._token_budget = search_by, token_budget

    def weights_changed(self) -> None:
        """Note that a step changed the encoder, so the vectors are those of earlier weights."""
        self._outdated = True

    def current_names(self) -> ConceptNames:
        """The present table of the database's names, which is read again if it has changed.

        It stays the same object if nothing changed, so that other code can notice a change.
        """
        sizes = (id(self.cdb.cui2info), len(self.cdb.cui2info), len(self.cdb.name2info))
        # MedCAT never clears this mark, so only its first appearance shows a change.
        dirty = bool(self.cdb.is_dirty)
        changed = sizes != self._seen or (dirty and not self._seen_dirty)
        if self._names is None or self._names_stale or changed:
            read = concept_names(self.cdb, self.linker.settings.representative)
            # An equal table keeps the old object, so the index stays valid.
            if self._names is None or read.digest != self._names.digest:
                self._names = read
        self._names_stale = False
        self._seen, self._seen_dirty = sizes, dirty
        return self._names

    def unread_names(self, cui: str) -> set[str]:
        """The names that a concept got since the table was read, or none if it was never read."""
        info = self.cdb.cui2info.get(cui)
        if self._names is None or info is None:
            return set()
        row = self._names.cui_row.get(cui)
        rows = [] if row is None else self._names.names_of_concept[row].tolist()
        return info["names"] - {self._names.names[name] for name in rows}

    def check(self, detections: Iterable[Detection]) -> None:
        """Notice a detected name that has other concepts than the table says.

        If a known name gets a known concept, no size of the database changes. So the names of the
        detections are compared. After a difference the table is read again when next asked for.
        """
        if self._names is None:
            return
        names, known = self._names, self.cdb.cui2info
        for name in {detection.name for detection in detections}:
            info = self.cdb.name2info.get(name)
            if info is None:
                continue
            row = names.name_row.get(name)
            have = set() if row is None else _cuis(names, row)
            if have != {cui for cui in info["per_cui_status"] if cui in known}:
                self._names_stale = True
                return

    def adopt(self, index: ConceptIndex) -> None:
        """Take over an index that was stored for the present names and weights, without a check."""
        self._index, self._indexed, self._outdated = index, self.current_names(), False

    def _rank_anew(self) -> None:
        """Take over the linker's present prior. The vectors stay."""
        if self._index is not None and self._indexed is not None:
            self._index = self.linker.index_of(self._index.vectors, self._indexed)

    def forget(self, names: bool = False) -> None:
        """Drop the index, so that it is built anew. With `names` the table is dropped too."""
        self._index = None
        self._states.clear()
        if names:
            self._names = None

    def current_index(self) -> ConceptIndex:
        """The index of the present names and weights. Building it shows a progress bar."""
        if self._outdated:
            self._index = None
        return self._index_of_names()

    def _index_of_names(self) -> ConceptIndex:
        """The index of the present names. Its vectors may come from earlier weights."""
        names = self.current_names()
        if self._index is None:
            tokens = self._states.of(self.linker, names) if self._outdated else None
            self._index = self.linker.build_index(names, tokens, token_budget=self._token_budget)
            self._outdated = False
        elif names is not self._indexed:
            self._index = self._extended(names)
        if self._index.search_by != self._search_by:
            self._index = replace(self._index, search_by=self._search_by)
        self._indexed = names
        return self._index

    def targets(self, cuis: Iterable[str]) -> tuple[ConceptNames, ConceptIndex]:
        """Names and index to train on. They hold at least the concepts with these CUIs.

        MedCAT adds a name with nearly every document, and reading the whole database each time
        would take longer than training. So new names are read before the next prediction, or if a
        concept of `cuis` is missing here. Concepts that the database lacks are ignored. Vectors may
        come from earlier weights.
        """
        names, index, known = self._indexed, self._index, self.cdb.cui2info
        # If the table was read again since, the index does not have its rows.
        kept = names is not None and names is self._names
        row = names.cui_row if names is not None else {}
        lacking = any(cui not in row for cui in cuis if cui in known)
        if index is None or lacking or not kept:
            index = self._index_of_names()
        assert self._indexed is not None
        return self._indexed, index

    def _extended(self, names: ConceptNames) -> ConceptIndex:
        """The index of the changed names. Only new texts are encoded.

        All vectors are copied, because names are sorted and a new name moves all that follow it.
        """
        assert self._index is not None
        assert self._indexed is not None
        row = {text: at for at, text in enumerate(self._indexed.texts)}
        new = sorted(set(names.texts) - row.keys())
        log.info("the concept database changed: %d new names are embedded", len(new))
        tokens = tokenise_names(self.linker.tokenizer, new, self.linker.settings.max_name_tokens)
        added = self.linker.encoder.encode(tokens, self._token_budget)
        # New texts follow the old ones until all are sorted in the order of the table.
        row |= {text: len(self._index.vectors) + at for at, text in enumerate(new)}
        dtype = DTYPES[self.linker.settings.dtype]
        vectors = torch.cat([self._index.vectors, added.to(dtype)])  # (old + new texts, dim)
        rows = torch.tensor([row[text] for text in names.texts], dtype=torch.int64)
        return self.linker.index_of(vectors[rows], names)


def _cuis(names: ConceptNames, row: int) -> set[str]:
    return {names.cuis[concept] for concept in names.concepts_of_name[row].tolist()}
