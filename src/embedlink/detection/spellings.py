"""The names of a concept database by the key that their spellings share."""

from collections.abc import Iterable, Sequence
from itertools import islice

from medcat.cdb import CDB

from embedlink.progress import watched
from embedlink.text.spelling import key, stems
from embedlink.text.words import LETTERS


class NameVariants:
    """Looks names up by their content words; follows a database that changes.

    Names that were added are read alone, all names only where others went. Memory: one string
    and one dictionary entry for each key.
    """

    def __init__(self, cdb: CDB) -> None:
        self.cdb = cdb
        self.words: set[str] = set()
        """Stems that occur in names."""
        self._of_key: dict[str, tuple[str, ...]] = {}
        self._read: object = None  # The dictionary that was read,
        self._count, self._last = 0, ""  # so many of its names, and the last of them.

    def follow(self) -> None:
        """Read what is new in the database; almost free where nothing is."""
        names = self.cdb.name2info
        count = len(names)
        last = next(reversed(names), "")
        if names is self._read and (count, last) == (self._count, self._last):
            return
        # Newest first, and one more than are new: where that one is the last that was read, all
        # others were added behind it.
        added = list(islice(reversed(names), max(0, count - self._count) + 1))
        if names is not self._read or not self._count or added[-1:] != [self._last]:
            self.words, self._of_key = set(), {}
            self._add(watched(names, "Reading spellings of names", "names"))
        else:
            self._add(added[-2::-1])
        self._read, self._count, self._last = names, count, last

    def names(self, content: Sequence[str], any_order: bool = True) -> list[str]:
        """Names with these stems, sorted: those with the same order of words, else any.

        Empty where there are none, and where the stems are too short to be compared. Without
        `any_order` only the same order counts. As of the last `follow`, less what went since.
        The order of the database's names does not show, so that a database read back from disk
        gives the same.
        """
        wanted = key(content)
        if wanted is None:
            return []
        known = self.cdb.name2info
        found = sorted({name for name in self._of_key.get(wanted, ()) if name in known})
        same_order = [name for name in found if self._stems(name) == list(content)]
        return same_order or (found if any_order else [])

    def candidates(self, names: Iterable[str]) -> list[str]:
        """The concepts of these names, each once, in the order of the names."""
        info = self.cdb.name2info
        return list(dict.fromkeys(cui for name in names for cui in info[name]["per_cui_status"]))

    def _add(self, names: Iterable[str]) -> None:
        for name in names:
            content = self._stems(name)
            made = key(content)
            if made is not None:
                self.words.update(content)
                self._of_key[made] = (*self._of_key.get(made, ()), name)

    def _stems(self, name: str) -> list[str]:
        return stems(LETTERS.findall(name))
