"""The names of a concept database by the key that their spellings share."""

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from itertools import islice

from medcat.cdb import CDB

from embedlink.progress import watched
from embedlink.text.spelling import (
    RELATIONS,
    cognates,
    content_words,
    is_same_word,
    key,
    stem,
    stems,
)
from embedlink.text.words import LETTERS, folded


class NameVariants:
    """Looks names up by their content words, and follows a database that changes.

    If names were added, only these are read. If names were removed, all names are read again.
    Memory: one string and one dictionary entry for each key.
    """

    def __init__(self, cdb: CDB) -> None:
        self.cdb = cdb
        self.words: Counter[str] = Counter()
        """How many names each stem occurs in."""
        self.heads: Counter[str] = Counter()
        """How many names are one of a stem's kind: "cancer" of the ovary, ovarian "cancer"."""
        self._of_key: dict[str, tuple[str, ...]] = {}
        self._read: object = None  # The dictionary that was read.
        self._count, self._last = 0, ""  # How many of its names were read, and the last one.

    def follow(self) -> None:
        """Read what is new in the database. This takes almost no time if nothing is."""
        names = self.cdb.name2info
        count = len(names)
        last = next(reversed(names), "")
        if names is self._read and (count, last) == (self._count, self._last):
            return
        # The new names, newest first, and one more. If that one is the last that was read before,
        # all others were added behind it.
        added = list(islice(reversed(names), max(0, count - self._count) + 1))
        if names is not self._read or not self._count or added[-1:] != [self._last]:
            # Replaced as a whole, because another thread may be looking names up.
            fresh = NameVariants(self.cdb)
            fresh._add(watched(names, "Reading spellings of names", "names"))
            self.words, self.heads, self._of_key = fresh.words, fresh.heads, fresh._of_key
        else:
            self._add(added[-2::-1])
        self._read, self._count, self._last = names, count, last

    def names(
        self, words: Sequence[str], any_order: bool = True, apart: Collection[int] = ()
    ) -> list[str]:
        """Names of these content words, sorted.

        If some have the same order of words, only these are returned. Without `any_order`, no
        others are. The list is empty if there are none, or if the words are too short to be
        compared. `apart` holds the positions of words that do not stand directly behind the word
        before.

        The names are those of the last `follow`, without any that were removed since. The order of
        names in the database makes no difference, so a database that was read back from disk gives
        the same.
        """
        content = [stem(word) for word in words]
        wanted = key(content)
        if wanted is None:
            return []
        known = self.cdb.name2info
        found = [
            name
            for name in sorted(set(self._of_key.get(wanted, ())))
            if name in known and _is_spelt(words, apart, content_words(LETTERS.findall(name)))
        ]
        same_order = [name for name in found if self._stems(name) == content]
        return same_order or (found if any_order else [])

    def candidates(self, names: Iterable[str]) -> list[str]:
        """The concepts of these names, each once, in the order of the names."""
        info = self.cdb.name2info
        return list(dict.fromkeys(cui for name in names for cui in info[name]["per_cui_status"]))

    def share_words(self, cuis: Iterable[str], surface: str) -> bool:
        """Whether a name of these concepts has at least half of the surface's content words.

        "Disease" and other words of `spelling.KINDS` do not count. Words may be in English or
        Spanish.
        """
        wanted = cognates(LETTERS.findall(folded(surface)))
        return any(
            2 * len(wanted & cognates(LETTERS.findall(name))) >= len(wanted) > 0
            for cui in cuis
            if cui in self.cdb.cui2info
            for name in self.cdb.cui2info[cui]["names"]
        )

    def _add(self, names: Iterable[str]) -> None:
        """Keep names by the stems of their words, so that other spellings find them."""
        for name in names:
            content = self._stems(name)
            made = key(content)
            if made is not None:
                self.words.update(set(content))
                self.heads[_head(name) or content[-1]] += 1
                self._of_key[made] = (*self._of_key.get(made, ()), name)

    def _stems(self, name: str) -> list[str]:
        return stems(LETTERS.findall(name))


def _head(name: str) -> str | None:
    """The stem of the last content word before the first "of" or the like. None without one."""
    words = LETTERS.findall(name)
    first = next((at for at, word in enumerate(words) if at and word in RELATIONS), len(words))
    return next(reversed(stems(words[:first])), None)


def _is_spelt(words: Sequence[str], apart: Collection[int], name: Sequence[str]) -> bool:
    """Whether these words spell a name of the same stems, in any order.

    Every word must be one of the name's words in another number or spelling. A word of one letter
    must stand directly beside the same word as in the name: "hepatitis and a cough" is not
    hepatitis A.
    """
    pairs = zip(sorted(words, key=_by_stem), sorted(name, key=_by_stem), strict=True)
    if not all(is_same_word(one, other) for one, other in pairs):
        return False
    return all(
        _stands_alike(words, apart, at=at, name=name)
        for at, word in enumerate(words)
        if len(word) == 1 and word.isalpha()
    )


def _by_stem(word: str) -> tuple[str, str]:
    return stem(word), word


def _stands_alike(
    words: Sequence[str], apart: Collection[int], at: int, name: Sequence[str]
) -> bool:
    """Whether the letter at a position stands beside the same word as it does in the name."""
    place = [stem(word) for word in name].index(stem(words[at]))
    if len(name) == 1:
        return True
    if place > 0:
        return at > 0 and at not in apart and stem(words[at - 1]) == stem(name[place - 1])
    behind = at + 1
    return behind < len(words) and behind not in apart and stem(words[behind]) == stem(name[1])
