"""The concept index of a database that changes, and of weights that train, while it is used.

Three things can be behind: the table of names, which is read again when the database has changed;
the vectors of new names, which are encoded and put beside the old ones; and all vectors, once
weights have trained. Each is mended when it is asked for, at the least cost. Prediction asks for
`current`, where nothing is behind. Training asks for `targets`, which may be: its own steps move
the vectors, and `embed_per_n_batches` says how often to catch up.
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


class LiveIndex(PickledByValue):
    """Names and index of a concept database, brought up to date when they are asked for.

    New names are encoded alone; all names only after the weights changed (`outdated`), and then
    from what lies below the trained layers where that is known. That the database changed shows
    in its sizes, in its mark of being dirty, and in detections that the table of names does not
    know (`check`): nothing is read through for it.

    Others set `outdated` (training, when a step changed the encoder), `token_budget` (tokens in a
    batch of names, None for the encoder's own) and `search_by`.
    """

    shared = frozenset({"linker", "cdb"})

    def __init__(self, linker: Linker, cdb: CDB) -> None:
        self.linker, self.cdb = linker, cdb
        self.outdated = False
        self.token_budget: int | None = None
        self.search_by: Search = "auto"
        self._states = NameStates()
        self._names: ConceptNames | None = None
        self._index: ConceptIndex | None = None
        self._indexed: ConceptNames | None = None  # The names that the index is of.
        self._names_stale = True
        self._seen: tuple[int, ...] = ()  # sizes of the database as they were read
        self._seen_dirty = False

    @property
    def names(self) -> ConceptNames:
        """The table of the database's names as they are now.

        The same object as before where nothing changed, which is how others notice that something
        did.
        """
        sizes = (id(self.cdb.cui2info), len(self.cdb.cui2info), len(self.cdb.name2info))
        # MedCAT never takes this mark back, so only its first appearance tells anything.
        dirty = bool(self.cdb.is_dirty)
        changed = sizes != self._seen or (dirty and not self._seen_dirty)
        if self._names is None or self._names_stale or changed:
            read = concept_names(self.cdb, self.linker.settings.representative)
            # Equal tables stay one object: an index of it need not be touched.
            if self._names is None or read.digest != self._names.digest:
                self._names = read
        self._names_stale = False
        self._seen, self._seen_dirty = sizes, dirty
        return self._names

    def unread_names(self, cui: str) -> set[str]:
        """Names that a concept got since the table was read; none if no table was read."""
        info = self.cdb.cui2info.get(cui)
        if self._names is None or info is None:
            return set()
        row = self._names.cui_row.get(cui)
        rows = [] if row is None else self._names.names_of_concept[row].tolist()
        return info["names"] - {self._names.names[name] for name in rows}

    def check(self, detections: Iterable[Detection]) -> None:
        """Notice a name that has other concepts than the table says.

        A known name that gets a known concept changes no size of the database. The table is read
        again when it is next asked for.
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
        """Take over an index that was stored for these names and weights (nothing is compared)."""
        self._index, self._indexed, self.outdated = index, self.names, False

    def rank_anew(self) -> None:
        """Take the linker's prior as it is now; vectors stay."""
        if self._index is not None and self._indexed is not None:
            self._index = self.linker.index_of(self._index.vectors, self._indexed)

    def forget(self, names: bool = False) -> None:
        """Build the index anew when it is next needed; `names`: the table of names as well."""
        self._index = None
        self._states.clear()
        if names:
            self._names = None

    def current(self) -> ConceptIndex:
        """The index of the present names and weights; building it shows a progress bar."""
        if self.outdated:
            self._index = None
        return self.present()

    def present(self) -> ConceptIndex:
        """The index of the present names, with vectors that training may have left behind."""
        names = self.names
        if self._index is None:
            tokens = self._states.of(self.linker, names) if self.outdated else None
            self._index = self.linker.build_index(names, tokens, token_budget=self.token_budget)
            self.outdated = False
        elif names is not self._indexed:
            self._index = self._extended(names)
        if self._index.search_by != self.search_by:
            self._index = replace(self._index, search_by=self.search_by)
        self._indexed = names
        return self._index

    def targets(self, cuis: Iterable[str]) -> tuple[ConceptNames, ConceptIndex]:
        """Names and index to train on, which need hold only these concepts (CUIs).

        Training adds a name with nearly every document; reading the database through for each
        would take longer than training. The rest is read before the next prediction. Concepts that
        the database lacks are no reason to read it; vectors may be those of earlier weights.
        """
        names, index, known = self._indexed, self._index, self.cdb.cui2info
        # A table that was read since belongs to no index yet.
        kept = names is not None and names is self._names
        row = names.cui_row if names is not None else {}
        lacking = any(cui not in row for cui in cuis if cui in known)
        if index is None or lacking or not kept:
            index = self.present()
        assert self._indexed is not None
        return self._indexed, index

    def _extended(self, names: ConceptNames) -> ConceptIndex:
        """The index of changed names, of which only the new texts are encoded.

        All vectors are copied: names are sorted, so a new one moves those behind it.
        """
        assert self._index is not None
        assert self._indexed is not None
        row = {text: at for at, text in enumerate(self._indexed.texts)}
        new = sorted(set(names.texts) - row.keys())
        log.info("the concept database changed: %d new names are embedded", len(new))
        tokens = tokenise_names(self.linker.tokenizer, new, self.linker.settings.max_name_tokens)
        added = self.linker.encoder.encode(tokens, self.token_budget)
        # New texts stand behind the old ones until all are put in the order of the table.
        row |= {text: len(self._index.vectors) + at for at, text in enumerate(new)}
        dtype = DTYPES[self.linker.settings.dtype]
        vectors = torch.cat([self._index.vectors, added.to(dtype)])  # (old + new texts, dim)
        rows = torch.tensor([row[text] for text in names.texts], dtype=torch.int64)
        return self.linker.index_of(vectors[rows], names)


def _cuis(names: ConceptNames, row: int) -> set[str]:
    return {names.cuis[cui] for cui in names.concepts_of_name[row].tolist()}
