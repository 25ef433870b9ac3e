"""What is not a mention although a name or the tagger finds it there.

A span that a guard refuses is not detected in any way. If the guards applied to names alone, the
tagger would propose a refused span again, and the linker would find the same name by similarity.
"""

import re

from medcat.cdb import CDB

from embedlink.detection.spellings import NameVariants
from embedlink.text.spelling import COORDINATIONS, FUNCTION_WORDS, stem
from embedlink.text.words import LETTERS, WORD, folded
from embedlink.types import Span

_LONGEST_SHORT_FORM = 6  # letters
_NEARBY = 40  # characters looked at beside a span

_HYPHENS = "-\u2010\u2011\u2012\u2013"
_NEGATED = re.compile(rf"(?<!\w)(?:(?:non|pseudo|anti|pre)[{_HYPHENS}]|non[ \t])$", re.IGNORECASE)
_COMPOUND = re.compile(rf"\w[{_HYPHENS}]$")
_NEXT_WORD = re.compile(r"\s+(\w+)")
_NEXT_PART = re.compile(rf"[{_HYPHENS}](\w+)")
_INITIAL = re.compile(r"\. ?(\w+)")
_ARTICLES = frozenset("aeiouy")
"""Letters that are words in English or Spanish if they are small."""
_BEHIND_A_NAME = frozenset({"is", "was", "were", "are", "has", "had", "may", "can", "es", "fue"})
_QUALIFIERS = ("ed", "ive", "ing", "ent", "ant", "like", "free")
_CLOSING = {")": "(", "]": "[", "}": "{"}


def is_well_cut(text: str, span: Span) -> bool:
    """Whether a span begins and ends with its own words.

    It must end in a word, or close a bracket of its own. It must not leave out a "non-" before it.
    Its last word may be a single letter, but not an article and not the start of another word.
    """
    return (
        _is_balanced(text[span.start : span.end])
        and _NEGATED.search(text[max(0, span.start - _NEARBY) : span.start]) is None
        and not _ends_in_foreign_letter(text, span)
    )


def begins_a_word(text: str, span: Span) -> bool:
    """Whether no hyphen ties the span to a word before it."""
    return _COMPOUND.search(text[max(0, span.start - 2) : span.start]) is None


def is_name_in_small_letters(cdb: CDB, word: str) -> bool:
    """Whether a word would be the name of a short form if it had that name's capitals.

    "as" is not "AS". If all names of a concept are in capitals, they do not count, because then
    capitals say nothing.
    """
    info = cdb.name2info.get(folded(word))
    if info is None or not info["is_upper"] or word.isupper():
        return False
    if len(word) > _LONGEST_SHORT_FORM or WORD.fullmatch(word) is None:
        return False
    return any(
        not cdb.name2info[name]["is_upper"]
        for cui in info["per_cui_status"]
        if cui in cdb.cui2info
        for name in cdb.cui2info[cui]["names"]
        if name in cdb.name2info
    )


def is_part_of_names(variants: NameVariants, surface: str) -> bool:
    """Whether a single word only says what a name is about: "prostate" in "prostate cancer".

    Such a word is hardly ever the head of a name: of one, or of a tenth of those that it stands in.
    An article before it does not count. A word with capitals beyond the first letter is a short
    form, so it is no such part.
    """
    words = [word for word in LETTERS.findall(folded(surface)) if word not in FUNCTION_WORDS]
    if len(words) != 1 or surface[1:] != surface[1:].lower():
        return False
    heads, names = variants.heads[stem(words[0])], variants.words[stem(words[0])]
    return 2 * heads < names and heads <= 1 + names // 10


def says_nothing(surface: str, least_letters: int) -> bool:
    """Whether a surface has too few letters, or only function words."""
    words = LETTERS.findall(folded(surface))
    if sum(map(len, words)) < least_letters:
        return True
    return all(word in FUNCTION_WORDS or word in COORDINATIONS for word in words)


def _is_balanced(surface: str) -> bool:
    """Whether the ends are words or brackets, and every bracket has its other half inside."""
    if not surface or not (surface[0].isalnum() or surface[0] in _CLOSING.values()):
        return False
    last = surface[-1]
    if last in ",;:.!?\"'’”-–/" or last.isspace():
        return False
    opened: list[str] = []
    for character in surface:
        if character in _CLOSING.values():
            opened.append(character)
        elif character in _CLOSING and (not opened or opened.pop() != _CLOSING[character]):
            return False
    return not opened


def _ends_in_foreign_letter(text: str, span: Span) -> bool:
    """Whether the last word is one letter that belongs to what comes behind the span."""
    surface = text[span.start : span.end]
    letter = surface[-1]
    if len(surface) < 3 or not letter.isalpha() or surface[-2].isalnum():
        return False
    behind = text[span.end : span.end + _NEARBY]
    if part := _NEXT_PART.match(behind):  # "hepatitis B-cell", but "hepatitis B-related"
        return not part[1].endswith(_QUALIFIERS)
    if initial := _INITIAL.match(behind):  # "hepatitis, E. coli"
        return initial[1].islower()
    word = _NEXT_WORD.match(behind)
    if letter not in _ARTICLES or word is None:
        return False
    following = word[1].lower()  # "hepatitis a year ago", but "hepatitis a and b"
    return following not in FUNCTION_WORDS | COORDINATIONS | _BEHIND_A_NAME
