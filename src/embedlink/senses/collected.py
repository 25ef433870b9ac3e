"""Senses that documents define themselves: "primary care physician (PCP)"."""

from collections import Counter, defaultdict
from collections.abc import Iterable

from embedlink.senses.table import Sense, Senses
from embedlink.text.abbreviations import abbreviations
from embedlink.text.spelling import key, stems
from embedlink.text.words import LETTERS, folded, normal_form
from embedlink.types import Document


def collected(documents: Iterable[Document]) -> Senses:
    """The long forms that documents give for short forms, each with its share.

    The share is a part of the documents that define the short form: those that give this long form.
    If documents spell a long form in several ways, it is one sense, in its most frequent spelling.
    """
    # Spellings by short form and by key, counted once for each document that defines it so.
    spellings: dict[str, dict[str, Counter[str]]] = defaultdict(lambda: defaultdict(Counter))
    for document in documents:
        for found in abbreviations(document.text):
            long = " ".join(found.long.split())
            spellings[_singular(found.short)][sense_key(long)][long] += 1
    return Senses.of(
        Sense(
            short,
            _most_frequent(counts),
            share=counts.total() / _documents(by_key),
            source="corpus",
        )
        for short, by_key in sorted(spellings.items())
        for _, counts in sorted(by_key.items())
    )


def sense_key(long_form: str) -> str:
    """What the spellings of one long form have in common, without case, number and word order."""
    words = LETTERS.findall(folded(long_form))
    return key(stems(words)) or normal_form(long_form)


def _singular(short: str) -> str:
    """A short form without the plural's "s": "TIAs" is "TIA"."""
    return short[:-1] if len(short) > 2 and short[-1] == "s" and short[-2].isupper() else short


def _most_frequent(counts: Counter[str]) -> str:
    """The most frequent spelling. Of several, the first in the alphabet."""
    return min(counts, key=lambda long: (-counts[long], long))


def _documents(by_key: dict[str, Counter[str]]) -> int:
    return sum(counts.total() for counts in by_key.values())
