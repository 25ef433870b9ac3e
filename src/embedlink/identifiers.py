"""Identifiers of concepts as corpora and tables write them: none, one, or several in one field.

Every reader and every table uses these rules. So a word for "no concept" is never read as a
concept, and an identifier that a spreadsheet has changed is never taken for another one.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_NO_CONCEPT = frozenset(
    {"nomap", "nomapping", "notmapped", "unmapped", "nocode", "nocui", "noconcept", "noid"}
    | {"nomatch", "notfound", "cuiless", "codeless", "conceptless", "nil", "none", "nan", "nat"}
    | {
        "null",
        "\\n",
        "na",
        "nd",
        "unk",
        "unknown",
        "undefined",
        "missing",
        "empty",
        "blank",
        "void",
    }
    | {"false", "tbd", "tobecoded", "uncoded", "oov", "notindatabase", "notavailable"}
    | {"notapplicable", "sincodigo", "sincódigo", "nomapeado"}
)
# -1 and other negative numbers, 0 (OMOP's "no matching concept") and clusters such as NIL0001.
_NO_NUMBER = re.compile(
    r"[-\u2010-\u2015\u2212]\s*\d{1,4}(?:\.0+)?|0+(?:\.0+)?|nil[-_]?\d+", re.IGNORECASE
)
_SIGNS = re.compile(r"[\s_./<>#()\[\]'\"\-\u2010-\u2015\u2212]+")
# Not the sign of 7.32E+17. A blank or slash separates whole identifiers only.
_SEPARATOR = re.compile(
    r"((?<![0-9][eE])\+|[|;,]|(?<=\d{4})(?:\s*[/&^]\s*|\s+(?:and\s+|y\s+)?)"
    r"(?=(?:[A-Za-z]{1,12}:\s*)?[A-Za-z]{0,3}\d{4,18}\b))"
)
# The term that a SNOMED CT expression puts behind an identifier: `195967001 |Asthma|`.
_TERM = re.compile(r"(?<=\d{6})\s*\|\s*(?=[^|]*[a-z]{3})[^|:]*\|")
# A list as Python or JSON writes it: `['C1', 'C2']`.
_LISTED = re.compile(r"[\[({](.*)[\])}]", re.DOTALL)
_QUOTED = "'\"\\ \t"
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
_POWER = re.compile(r"[+-]?\d+(?:[.,]\d+[eE][+-]?\d+|[eE][+-]\d+)")
_DECIMAL = re.compile(r"(\d{4,})[.,]0+")
_THOUSANDS = re.compile(
    r"\d{1,3}(?:,\d{3}){2,}(?:\.0+)?|\d{1,3}(?:\.\d{3}){2,}(?:,0+)?"
    r"|\d{1,3}(?:['’ \u00a0\u2009\u202f]\d{3}){1,}(?:[.,]0+)?"
)
_MONTH = r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]{0,6}"
_DATE = re.compile(
    rf"\d{{4}}-\d\d-\d\d(?:[ T][\d:.]+)?|\d{{1,2}}[-/.]\d{{1,2}}[-/.]\d{{4}}"
    rf"|\d{{1,2}}-{_MONTH}(?:-\d{{2,4}})?|{_MONTH}-\d{{2,4}}",
    re.IGNORECASE,
)
_BROKEN = re.compile(
    r"#{2,}|#(?:REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)|-?inf(?:inity)?", re.IGNORECASE
)
_MINUS = ("-", "\u2212")
_MANY = 10  # identifiers that show what a column looks like
_MOST_WORDS = 0.1  # share of words without a digit among identifiers
MOST_CHARACTERS = 200
"""The longest identifier, or list of identifiers in one field, that is read as one."""


@lru_cache(maxsize=1 << 16)
def says_no_concept(code: str) -> bool:
    """Whether a code says that there is no concept: `-`, `-1`, `NOMAP`, `CUI-less`, `nan`, "".

    Case, spaces and signs within the word make no difference, nor does a vocabulary before it
    (`MESH:-1`). A code without any letter or digit says it as well, and so does a small negative
    number or 0.
    """
    word = code.rpartition(":")[2].strip()
    plain = _SIGNS.sub("", word).casefold()
    if plain in _NO_CONCEPT or not any(map(str.isalnum, plain)):
        return True
    return _NO_NUMBER.fullmatch(word) is not None


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
    """The concepts that a code names, each once and in its order: none, one, or several."""
    if says_no_concept(code):
        return ()
    parts = (part.strip() for part in split_code(code)[::2])
    return tuple(dict.fromkeys(part for part in parts if not says_no_concept(part)))


def clean_code(code: str, prefixes: Iterable[str] = ()) -> str:
    """A code without stray spaces, needless vocabulary names, Excel's quotes, and marks of a list.

    `prefixes` are always removed. A known vocabulary name is removed if the identifier shows its
    vocabulary itself (`MESH:D001249`, `SNOMEDCT:195967001`). It stays if it belongs to the
    identifier (`OMIM:114500`).
    """
    if says_no_concept(code):
        return code.strip()
    plain = _TERM.sub("", _unwrapped(code))
    listed = _LISTED.fullmatch(plain.strip())
    parts = split_code(listed[1] if listed else plain)
    cleaned = [_clean(part, prefixes, _QUOTED if listed else None) for part in parts[::2]]
    signs = [sign if sign.strip() in "+|;," and sign.strip() else "|" for sign in parts[1::2]]
    return "".join(part + sign for part, sign in zip(cleaned, [*signs, ""], strict=True))


def _clean(part: str, prefixes: Iterable[str], around: str | None) -> str:
    """The identifier without blanks and without prefixes that name its terminology."""
    part = part.strip(around).removesuffix("\\")
    for prefix in prefixes:
        if part[: len(prefix)].casefold() == prefix.casefold():
            part = part[len(prefix) :].strip()
    return _PREFIX.sub("", part)


def _unwrapped(code: str) -> str:
    """The identifier of a cell that spreadsheets are told to take as text: `="0012"`, `'0012`."""
    match = _WRAPPED.fullmatch(code.strip())
    return next(group for group in match.groups() if group is not None) if match else code


@dataclass(frozen=True, slots=True)
class Form:
    """What the identifiers of one column look like, which only all of them together show.

    `shortest_padded` is the length of the shortest one that consists of digits and begins with 0.
    It is None if there is none. `numbered` says that nearly all of them hold a digit.
    """

    shortest_padded: int | None = None
    numbered: bool = False

    @classmethod
    def of(cls, codes: Iterable[str]) -> "Form":
        """Learn it from all codes of the column."""
        found = {part.strip() for code in codes for part in split_code(_unwrapped(code))[::2]}
        lengths = (len(part) for part in found if part[:1] == "0" and _is_number(part))
        padded = min((length for length in lengths if length > 1), default=None)
        kept = [part for part in found if not says_no_concept(part)]
        words = sum(not _has_digit(part) for part in kept)
        return cls(padded, len(kept) >= _MANY and words <= _MOST_WORDS * len(kept))

    def is_word(self, code: str) -> bool:
        """Whether a code is a word without a digit, although the others are identifiers."""
        return self.numbered and not says_no_concept(code) and not _has_digit(code)


def damage(code: str, form: Form | None = None) -> tuple[str, str] | None:
    """Why this is no longer the identifier that it was, and the remedy. None if nothing is wrong.

    Spreadsheets and pandas take identifiers for numbers. Then they round them, cut their leading
    zeros, or write them in another way. `form` is that of the same column's identifiers.
    """
    found = _whole_damage(_unwrapped(code).strip())
    if found:
        return found
    shortest_padded = form.shortest_padded if form else None
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
    if _DATE.fullmatch(code):
        return "the identifier has become a date", _AS_TEXT
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
    if part[:1] in _MINUS and _is_number(part[1:]) and not says_no_concept(part):
        return "the identifier is a negative number", _AS_TEXT
    digits = _is_number(part)
    if digits and part[0] != "0" and shortest_padded is not None and len(part) < shortest_padded:
        return "the identifier has lost its leading zeros, which others have", _AS_TEXT
    # A spreadsheet keeps 15 digits of a number, JavaScript and pandas about 16.
    if digits and 16 <= len(part) <= 18 and part[-1] == "0" and not _has_check_digit(part):
        return "the identifier has lost its last digits", _AS_TEXT
    return None


def _is_number(part: str) -> bool:
    return part.isascii() and part.isdigit()


def _has_digit(code: str) -> bool:
    return any(map(str.isdigit, code))


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
