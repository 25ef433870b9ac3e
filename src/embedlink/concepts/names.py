"""The names and concepts of a MedCAT concept database, in an order that never changes.

MedCAT keeps names in Python sets, and their order differs between processes. Everything that learns
or searches works on rows of this table instead. So one seed always gives one result. A row of
`names` is also a row of `texts`, of the index' vectors and of their tokens, in all of the package.
"""

import hashlib
from dataclasses import dataclass
from functools import cached_property

import torch
from medcat.cdb import CDB
from torch import Tensor

from embedlink.progress import watched
from embedlink.ragged import Groups
from embedlink.text.words import normal_form
from embedlink.types import Representative


@dataclass(frozen=True)
class ConceptNames:
    """Sorted names and CUIs, which name belongs to which concept, and the strings to encode.

    `texts` holds the string of every name in the order of `names`. Behind them come representative
    names that equal no name's string. `representative` is each concept's row in `texts`.
    `concepts_of_name` has a group of rows of `cuis` for each name. Everything else is derived when
    it is first asked for, and kept.
    """

    names: tuple[str, ...]
    cuis: tuple[str, ...]
    texts: tuple[str, ...]
    representative: Tensor  # (cuis,) int64
    concepts_of_name: Groups

    @cached_property
    def names_of_concept(self) -> Groups:
        """Rows of the names of each concept, ascending. A concept without names has none."""
        return self.concepts_of_name.inverted(len(self.cuis))

    @cached_property
    def distinct_names_of_concept(self) -> Groups:
        """Names that a concept shares with no other, or all of its names if it shares every one.

        A shared name cannot tell its concepts apart, so it neither trains nor decides.
        """
        shared = self.concepts_of_name.sizes > 1
        # Both (links,): the concept and the name of every pair.
        owner, names = self.names_of_concept.expand(torch.arange(len(self.cuis)))
        own = torch.zeros(len(self.cuis), dtype=torch.int64)
        # How many names of a concept are its own. If there are none, all are kept.
        own.index_add_(0, owner, (~shared[names]).long())
        keep = ~shared[names] | (own[owner] == 0)
        counts = torch.bincount(owner[keep], minlength=len(self.cuis))
        return Groups(names[keep], torch.cat([torch.zeros(1, dtype=torch.int64), counts.cumsum(0)]))

    @cached_property
    def cui_row(self) -> dict[str, int]:
        """Row of each CUI."""
        return {cui: row for row, cui in enumerate(self.cuis)}

    @cached_property
    def name_row(self) -> dict[str, int]:
        """Row of each name."""
        return {name: row for row, name in enumerate(self.names)}

    @cached_property
    def names_by_form(self) -> dict[str, list[int]]:
        """Rows of the names by their `normal_form`. Several names may share one form."""
        rows: dict[str, list[int]] = {}
        for row in range(len(self.names)):
            rows.setdefault(normal_form(self.texts[row]), []).append(row)
        return rows

    @cached_property
    def digest(self) -> str:
        """SHA-256 over names, CUIs, texts and their relation. Equal tables have equal digests.

        It tells whether a saved index was made of these names.
        """
        sha = hashlib.sha256()
        for strings in (self.names, self.cuis, self.texts):
            # One byte ends a string and another ends the list, so that they cannot run together.
            for string in strings:
                sha.update(string.encode("utf-8", "surrogatepass") + b"\0")
            sha.update(b"\1")
        for tensor in (
            self.representative,
            self.concepts_of_name.rows,
            self.concepts_of_name.starts,
        ):
            sha.update(tensor.numpy().tobytes())
        return sha.hexdigest()


def concept_names(cdb: CDB, representative: Representative = "preferred") -> ConceptNames:
    """Read the table out of a concept database, which is not changed.

    Names are sorted, and so are CUIs. If a name lists a concept that the database lacks, that
    concept is left out. A concept without any name is in the table with its representative alone.
    All names are read. For millions of them this takes a while and shows a progress bar.
    """
    separator = cdb.config.general.separator
    cuis = tuple(sorted(cdb.cui2info))
    names = tuple(sorted(cdb.name2info))
    cui_row = {cui: row for row, cui in enumerate(cuis)}
    links = [
        sorted(cui_row[cui] for cui in cdb.name2info[name]["per_cui_status"] if cui in cui_row)
        for name in watched(names, "Reading names", "names")
    ]
    texts = [name.replace(separator, " ") for name in names]
    # Names that differ in the separator alone have one text, which stands for the first of them.
    text_row = {text: row for row, text in reversed(list(enumerate(texts)))}
    rows = []
    for cui in cuis:
        text = _representative(cdb, cui, rule=representative, separator=separator)
        if text not in text_row:
            text_row[text] = len(texts)
            texts.append(text)
        rows.append(text_row[text])
    return ConceptNames(
        names,
        cuis,
        texts=tuple(texts),
        representative=torch.tensor(rows, dtype=torch.int64),
        concepts_of_name=Groups.of(links),
    )


def _representative(cdb: CDB, cui: str, rule: Representative, separator: str) -> str:
    """The name whose vector stands for a concept, by the rule that the settings choose."""
    info = cdb.cui2info[cui]
    # In lower case, as MedCAT keeps names. If it is also a name, both then share one vector.
    if rule == "preferred" and info["preferred_name"]:
        return str(info["preferred_name"]).lower()
    if not info["names"]:
        return str(info["preferred_name"] or cui)
    # If several names are longest, the first in the alphabet, because a set has no fixed order.
    return str(min(info["names"], key=lambda name: (-len(name), name))).replace(separator, " ")
