"""One key for the ways to write a name: "Cancers of the Breast" and "breast cancer".

Two spellings agree if their content words agree, in any order. Function words, case, accents,
possessive "'s" and punctuation make no difference. Neither do singular and plural, British and
American spelling, or I, II, III, IV, VI, VII, VIII and IX in Roman numbers. The words are English
and Spanish. The singular comes from an S-stemmer after D. Harman, "How effective is suffixing?",
JASIS 42 (1991), which here also joins "-is" and "-es".

`stem` gives the stem of a word, `stems` those of a name, and `key` what equal names share. Names
with one key are only candidates, so a key may join too much. Context decides between their
concepts.
"""

import re
import unicodedata
from collections.abc import Iterable
from functools import lru_cache

FUNCTION_WORDS = frozenset({
    "an", "and", "by", "due", "for", "from", "in", "of", "on", "or", "the", "to", "with",
    "al", "con", "de", "del", "el", "en", "la", "las", "los", "por",
})  # fmt: skip
"""Words that a key leaves out. No single letters, because hepatitis A and E are two diseases."""

RELATIONS = frozenset({
    "by", "due", "for", "from", "in", "of", "on", "to", "with", "con", "de", "del", "en", "por",
})  # fmt: skip
"""Words behind which a name says more of what stands before: "cancer of the breast"."""

COORDINATIONS = frozenset({"and", "or", "y", "o", "e", "u", "ni"})
"""If one of these stands between words, their order counts: "cancer or ovarian"."""

KINDS = frozenset({
    "disease", "disorder", "syndrome", "condition", "gene", "type",
    "enfermedad", "trastorno", "sindrome", "gen", "tipo",
})  # fmt: skip
"""Words that names of the most different concepts share, in the singular and without accents."""

_ROMAN = {"i": "1", "ii": "2", "iii": "3", "iv": "4", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_ENDING = re.compile(r"(?<=[^\W\d_]{4})(?:es|is|e|(?<![su])s)$")
_SOUNDS = (("ph", "f"), ("mf", "nf"), ("th", "t"), ("ch", "c"), ("k", "c"), ("y", "i"))
_DOUBLE = re.compile(r"([a-z])\1")
_VOWELS = re.compile(r"(?<=\w{3})(?:[aeiou]+s?|is|s)$")  # the ends of Latin words
_LEAST_LETTERS = 5  # Shorter names are mostly abbreviations, and an ending means too much there.
_BEFORE_ES = frozenset("sxzhoctdrlnj")
_LETTERED = frozenset({"factor", "group", "hemoglobin", "haemoglobin", "protein", "type"})


@lru_cache(maxsize=200_000)
def stem(word: str) -> str:
    """What a lower-case word has in common with its other number and spelling.

    Use it to compare, not to show. Stems are cached, because the same words come again and again.
    """
    if word.isdigit() or len(word) < 4 or word in _ROMAN:
        return _ROMAN.get(word, word)
    word = _respelt(word)
    if word.endswith("ies"):
        return word[:-3] + "y"
    if word.endswith("omata"):
        return word[:-2]
    return _ENDING.sub("", word)


def content_words(words: Iterable[str]) -> list[str]:
    """A name's words without function words, in the order of the name.

    A lone "s" is left out too, because MedCAT's names leave it of a possessive (but not in protein
    S). `words` are in lower case, without punctuation (`words.LETTERS`). Empty if all are function
    words.
    """
    found: list[str] = []
    before = "s"
    for word in words:
        possessive = word == "s" and before not in _LETTERED
        if word not in FUNCTION_WORDS and not (found and possessive):
            found.append(word)
        before = word
    return found


def stems(words: Iterable[str]) -> list[str]:
    """Stems of a name's content words, in its order. See `content_words`."""
    return [stem(word) for word in content_words(words)]


@lru_cache(maxsize=200_000)
def is_same_word(one: str, other: str) -> bool:
    """Whether two words of one stem are one word in another number or spelling.

    Stems alone join too much: "plan" and "plane", "test" and "testis", "scar" and "scare".
    """
    return one == other or not _singulars(one).isdisjoint(_singulars(other))


def cognates(words: Iterable[str]) -> frozenset[str]:
    """What English and Spanish spellings of a name's words have in common, without `KINDS`.

    Medical words of both languages come from Latin and Greek: "fibrosis masiva progresiva" and
    "progressive massive fibrosis" have the same. If all words are of `KINDS`, they are kept.
    """
    content = content_words(words)
    telling = [word for word in content if _singulars(word).isdisjoint(KINDS)]
    return frozenset(map(_cognate, telling or content))


def _cognate(word: str) -> str:
    word = _respelt(_ROMAN.get(word, word))
    for sound, letter in _SOUNDS:
        word = word.replace(sound, letter)
    word = _DOUBLE.sub(r"\1", word)
    return _VOWELS.sub("", word)


def _singulars(word: str) -> frozenset[str]:
    """What a word may be the plural of, and the word itself, in one spelling."""
    word = _respelt(_ROMAN.get(word, word))
    found = {word}
    if word.endswith("s") and not word.endswith(("ss", "is")):
        found.add(word[:-1])
    if word.endswith("ies"):
        found.add(word[:-3] + "y")
    if word.endswith("es") and word[-3:-2] in _BEFORE_ES:
        found.update({word[:-2], word[:-2] + "is"})
    if word.endswith(("omata", "alis", "aris")):  # "labialis" is Latin for "labial".
        found.add(word[:-2])
    return frozenset(found)


def _respelt(word: str) -> str:
    """The word without accents, in one of British and American spelling."""
    # Accents go, but letters of other alphabets stay.
    if not word.isascii():
        parts = unicodedata.normalize("NFKD", word)
        word = "".join(part for part in parts if not unicodedata.combining(part))
    # "hour" loses its "u" as well. That does no harm, because both sides are treated alike.
    return word.replace("ae", "e").replace("oe", "e").replace("our", "or").replace("sulph", "sulf")


def key(content: Iterable[str]) -> str | None:
    """The key of these stems, in any order. None if there is too little to compare.

    There is too little if they have fewer than `_LEAST_LETTERS` characters, numbers aside.
    """
    ordered = sorted(content)
    letters = sum(len(word) for word in ordered if not word.isdigit())
    return " ".join(ordered) if letters >= _LEAST_LETTERS else None
