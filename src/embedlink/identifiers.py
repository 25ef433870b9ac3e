"""Identifiers of concepts as corpora and tables write them: none, one, or several in one field.

Every reader and every table uses these rules. So a word for "no concept" is never read as a
concept, and an identifier that a spreadsheet has changed is never taken for another one.
"""

import re
from collections.abc import Iterable
from functools import lru_cache

_NO_CONCEPT = frozenset(
    {"nomap", "nomapping", "notmapped", "unmapped", "nocode", "nocui", "noconcept", "noid"}
    | {"nomatch", "notfound", "cuiless", "codeless", "conceptless", "nil", "none", "nan", "nat"}
    | {"null", "na", "unknown", "undefined", "1", "10"}
)
_SIGNS = re.compile(r"[\s_./<>#()\[\]'\"\-\u2010-\u2015\u2212]+")
_SEPARATOR = re.compile(r"((?<![0-9][eE])\+|[|;,])")  # not the sign of 7.32E+17
# Variants of genes hold the bar themselves: `c|SUB|C|677|T`.
_VARIANT = re.compile(r"(?:tmVar:)?[a-z]\|(?:SUB|DEL|INS|DUP|INDEL|FS|SILENT|Allele)\|[^;,+]*")
_BAR = "\ue000"  # a private character in place of a variant's bar
# A prefix says nothing about an identifier that shows its vocabulary itself.
_PREFIX = re.compile(
    r"(?:mesh:\s*(?=[a-z]\d{4,}$)|umls:\s*(?=c\d{7}$)"
    r"|(?:snomed(?:[ _-]?ct)?(?:_us)?|sctid|sct):\s*(?=\d{5,18}$))",
    re.IGNORECASE,
)
_WRAPPED = re.compile(r"""="(.*)"|'(\d.*)|"(.*)\"""", re.DOTALL)

_AS_TEXT = "export the column as text, not as numbers"
_POWER = re.compile(r"[+-]?\d+(?:[.,]\d+[eE][+-]?\d+|[eE]\+\d+)")
_DECIMAL = re.compile(r"(\d{4,})[.,]0+")
_THOUSANDS = re.compile(
    r"\d{1,3}(?:,\d{3}){2,}(?:\.0+)?|\d{1,3}(?:\.\d{3}){2,}(?:,0+)?"
    r"|\d{1,3}(?:['’ \u00a0\u2009\u202f]\d{3}){1,}(?:[.,]0+)?"
)
_BROKEN = re.compile(
    r"#{2,}|#(?:REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)|-?inf(?:inity)?", re.IGNORECASE
)
MOST_CHARACTERS = 200
"""The longest identifier, or list of identifiers in one field, that is read as one."""


@lru_cache(maxsize=1 << 16)
def says_no_concept(code: str) -> bool:
    """Whether a code says that there is no concept: `-`, `-1`, `NOMAP`, `CUI-less`, `nan`, "".

    Case, spaces and signs within the word make no difference, nor does a vocabulary before it
    (`MESH:-1`). A code without any letter or digit says it as well.
    """
    word = code.rpartition(":")[2].strip()
    plain = _SIGNS.sub("", word).casefold()
    if plain.isdigit() and plain in _NO_CONCEPT:
        return re.fullmatch(r"[-\u2010-\u2015\u2212]\s*1(?:\.0+)?", word) is not None
    return plain in _NO_CONCEPT or not any(map(str.isalnum, plain))


@lru_cache(maxsize=1 << 16)
def split_code(code: str) -> tuple[str, ...]:
    """The parts of a code, with the separators between them at the odd places.

    Identifiers are separated by `+`, `|`, `;` or `,`. A gene variant is one part, although it holds
    bars.
    """
    masked = _VARIANT.sub(lambda match: match[0].replace("|", _BAR), code)
    return tuple(part.replace(_BAR, "|") for part in _SEPARATOR.split(masked))


@lru_cache(maxsize=1 << 16)
def concepts_of(code: str) -> tuple[str, ...]:
    """The concepts that a code names, in its order: none, one, or those of a composite code."""
    if says_no_concept(code):
        return ()
    parts = (part.strip() for part in split_code(code)[::2])
    return tuple(part for part in parts if not says_no_concept(part))


def clean_code(code: str, prefixes: Iterable[str] = ()) -> str:
    """A code without stray spaces, without needless vocabulary names, and without Excel's quotes.

    `prefixes` are always removed. A known vocabulary name is removed if the identifier shows its
    vocabulary itself (`MESH:D001249`, `SNOMEDCT:195967001`). It stays if it belongs to the
    identifier (`OMIM:114500`).
    """
    if says_no_concept(code):
        return code.strip()
    return "".join(_clean(part, prefixes) for part in split_code(_unwrapped(code)))


def _clean(part: str, prefixes: Iterable[str]) -> str:
    """The identifier without blanks and without prefixes that name its terminology."""
    part = part.strip()
    for prefix in prefixes:
        if part[: len(prefix)].casefold() == prefix.casefold():
            part = part[len(prefix) :].strip()
    return _PREFIX.sub("", part)


def _unwrapped(code: str) -> str:
    """The identifier of a cell that spreadsheets are told to take as text: `="0012"`, `'0012`."""
    match = _WRAPPED.fullmatch(code.strip())
    return next(group for group in match.groups() if group is not None) if match else code


def damage(code: str, shortest_padded: int | None = None) -> tuple[str, str] | None:
    """Why this is no longer the identifier that it was, and the remedy. None if nothing is wrong.

    Spreadsheets and pandas take identifiers for numbers. Then they round them, cut their leading
    zeros, or write them in another way. `shortest_padded` is the length of the shortest identifier
    in the same column that consists of digits and begins with 0, see `shortest_padded_of`.
    """
    found = _whole_damage(_unwrapped(code).strip())
    if found:
        return found
    for part in split_code(_unwrapped(code))[::2]:
        found = _part_damage(part.rpartition(":")[2].strip(), shortest_padded)
        if found:
            return found
    return None


def _whole_damage(code: str) -> tuple[str, str] | None:
    """Damages that contain a separator, so they are looked for before a code is split."""
    if _POWER.fullmatch(code):
        return "the identifier has lost digits: a power of ten", _AS_TEXT
    if _THOUSANDS.fullmatch(code):
        return "the identifier has thousands separators", _AS_TEXT
    if _DECIMAL.fullmatch(code):
        return "the identifier has decimals", _AS_TEXT
    if len(code) > MOST_CHARACTERS:
        return f"the identifier has more than {MOST_CHARACTERS} characters", "check the columns"
    return None


def _part_damage(part: str, shortest_padded: int | None) -> tuple[str, str] | None:
    """What is wrong with one identifier, and how to mend it. None if nothing is seen."""
    found = _whole_damage(part)
    if found:
        return found
    if _BROKEN.fullmatch(part):
        return "the identifier is what a program writes for a wrong number", _AS_TEXT
    digits = part.isascii() and part.isdigit()
    if digits and part[0] != "0" and shortest_padded is not None and len(part) < shortest_padded:
        return "the identifier has lost its leading zeros, which others have", _AS_TEXT
    # A spreadsheet keeps 15 digits of a number, JavaScript and pandas about 16.
    if digits and 16 <= len(part) <= 18 and part[-1] == "0" and not _has_check_digit(part):
        return "the identifier has lost its last digits", _AS_TEXT
    return None


def shortest_padded_of(codes: Iterable[str]) -> int | None:
    """The length of the shortest identifier of digits that begins with 0. None if there is none."""
    parts = (part for code in codes for part in split_code(_unwrapped(code))[::2])
    padded = (part.strip() for part in parts if part.strip()[:1] == "0")
    return min((len(p) for p in padded if p.isascii() and p.isdigit() and len(p) > 1), default=None)


# The tables of Verhoeff's method: products of the dihedral group, and permutations of digits.
_PRODUCTS = (
    *("0123456789", "1234067895", "2340178956", "3401289567", "4012395678"),
    *("5987604321", "6598710432", "7659821043", "8765932104", "9876543210"),
)
_PERMUTATIONS = (
    *("0123456789", "1576283094", "5803796142", "8916043527"),
    *("9453126870", "4286573901", "2793806415", "7046913258"),
)


def _has_check_digit(number: str) -> bool:
    """Whether the last digit is the Verhoeff check digit that every SNOMED CT identifier has."""
    check = 0
    for position, digit in enumerate(reversed(number)):
        check = int(_PRODUCTS[check][int(_PERMUTATIONS[position % 8][int(digit)])])
    return check == 0
