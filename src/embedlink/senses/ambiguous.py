"""Short forms with several senses, as an encoder learns to tell them apart.

They come from a table of senses (`of_table`), or are made up from phrases that notes repeat
(`phrases_of`). A made-up short form is never linked. It teaches what a context says about the
meaning of any short form, also of one that no table lists.
"""

import random
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from embedlink.senses.collected import sense_key
from embedlink.senses.table import Senses
from embedlink.text.spelling import stem
from embedlink.text.words import normal_form

_WORD = re.compile(r"[^\W\d_]+")
_LONGEST = 4  # words of a phrase
_LEAST_LETTERS = 6  # of a phrase of one word
_SENSES = 12  # of one made-up short form
_STOP_WORDS = frozenset({
    "a", "an", "the", "of", "and", "or", "in", "on", "at", "to", "for", "with", "by", "from",
    "is", "are", "was", "were", "be", "been", "has", "have", "had", "his", "her", "he", "she",
    "it", "this", "that", "as", "no", "not", "we", "there", "then", "which", "who", "also", "any",
    "some", "all", "into", "than", "very", "under", "over", "up", "down", "out", "after",
    "before", "between", "within", "without", "per", "if", "but", "did", "do", "does", "so",
    "such", "these", "those", "they", "their", "them", "you", "your", "my", "our", "i", "me",
    "him", "its",
})  # fmt: skip


@dataclass(frozen=True)
class Ambiguous:
    """One short form and its senses. A sense is the spellings of its long form."""

    short_form: str
    senses: tuple[tuple[str, ...], ...]


def of_table(senses: Senses) -> list[Ambiguous]:
    """The short forms of a table that have two senses or more.

    If long forms differ in spelling alone, they are one sense.
    """
    found = []
    for short_form, own in senses.by_short_form.items():
        spellings: dict[str, list[str]] = {}
        for sense in own:
            spellings.setdefault(sense_key(sense.long_form), []).extend(sense.wordings)
        if len(spellings) > 1:
            found.append(Ambiguous(short_form, tuple(map(tuple, spellings.values()))))
    return found


def phrases_of(
    texts: Sequence[str], *, seed: int, without: Iterable[str] = (), least: int = 3
) -> list[Ambiguous]:
    """Short forms of phrases that stand in at least two texts, and `least` times in all texts.

    A phrase of several words is shortened to its initials, a single word to its first letters. A
    short form is ambiguous if at least two phrases share it. `without` names short forms that must
    not be made up.
    """
    known = {short_form.lower() for short_form in without}
    generator = random.Random(seed)
    phrases: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for phrase in _phrases(texts, least):
        short_form = _shortened(phrase, generator)
        if len(short_form) > 1 and short_form not in known:
            phrases[short_form][sense_key(phrase)].append(phrase)
    found = []
    for short_form, by_key in sorted(phrases.items()):
        senses = [tuple(sorted(spelt)) for spelt in by_key.values()]
        generator.shuffle(senses)
        parts = (senses[at : at + _SENSES] for at in range(0, len(senses), _SENSES))
        found += [Ambiguous(short_form.upper(), tuple(p)) for p in parts if len(p) > 1]
    return found


def _phrases(texts: Sequence[str], least: int) -> list[str]:
    """Runs of words that begin and end with a content word, sorted."""
    total: Counter[str] = Counter()
    holding: Counter[str] = Counter()
    for text in texts:
        own: Counter[str] = Counter(_runs(text))
        total += own
        holding.update(own.keys())
    return sorted(p for p, count in total.items() if count >= least and holding[p] > 1)


def _runs(text: str) -> Iterable[str]:
    """The phrases of a text: words, and runs that begin and end with no stop word."""
    words = [(match.start(), match.end(), match.group().lower()) for match in _WORD.finditer(text)]
    for first, (_, end, word) in enumerate(words):
        if word in _STOP_WORDS or len(word) < 2:
            continue
        if len(word) >= _LEAST_LETTERS:
            yield word
        run = [word]
        for start, next_end, further in words[first + 1 : first + _LONGEST]:
            if text[end:start] not in (" ", "-"):
                break
            run, end = [*run, further], next_end
            if further not in _STOP_WORDS:
                yield " ".join(run)


def _shortened(phrase: str, generator: random.Random) -> str:
    """A made-up short form: initials, or the first letters of a single word."""
    words = phrase.split()
    if len(words) == 1:
        return phrase[: generator.choice((2, 3, 3))]
    return "".join(word[0] for word in words if word not in _STOP_WORDS)


@dataclass(frozen=True)
class LongForms:
    """Finds long forms in texts, also in the plural, in British and in American spelling."""

    senses: Mapping[tuple[str, ...], tuple[int, ...]]  # numbers of the senses by long form's stems
    lengths: Mapping[str, tuple[int, ...]]  # numbers of words by the first word, largest first

    @classmethod
    def of(cls, ambiguous: Sequence[Ambiguous]) -> "LongForms":
        """Collect the long forms of all senses, which are numbered short form by short form."""
        senses: dict[tuple[str, ...], list[int]] = defaultdict(list)
        spelt = (sense for each in ambiguous for sense in each.senses)
        for number, long_forms in enumerate(spelt):
            for words in {_stems(normal_form(form).split()) for form in long_forms}:
                senses[words].append(number)
        lengths: dict[str, set[int]] = defaultdict(set)
        for words in senses:
            lengths[words[0]].add(len(words))
        longest_first = {word: tuple(sorted(n, reverse=True)) for word, n in lengths.items()}
        return cls({words: tuple(found) for words, found in senses.items()}, longest_first)

    def find(self, text: str) -> Iterable[tuple[int, int, int]]:
        """Start and end in characters, and the number of each sense, from left to right.

        If long forms overlap, the one that starts first is found. If several start there, the
        longest is.
        """
        words = [(m.start(), m.end(), stem(m.group().lower())) for m in re.finditer(r"\w+", text)]
        at = 0
        while at < len(words):
            count = self._length(words, at)
            if count:
                key = tuple(word for _, _, word in words[at : at + count])
                for sense in self.senses[key]:
                    yield words[at][0], words[at + count - 1][1], sense
            at += max(count, 1)

    def _length(self, words: Sequence[tuple[int, int, str]], at: int) -> int:
        """How many words of the longest known phrase begin here, or 0."""
        for count in self.lengths.get(words[at][2], ()):
            run = tuple(word for _, _, word in words[at : at + count])
            if len(run) == count and run in self.senses:
                return count
        return 0


def _stems(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(map(stem, words))
