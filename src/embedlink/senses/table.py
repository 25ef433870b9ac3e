"""A table of short forms, their senses and how often each occurs.

A closed database knows one meaning of "PCP", but notes have several. Senses outside the database
compete with its concepts. If one of them wins, the span is linked to nothing. Shares differ between
hospitals, so they are a prior and never a rule.

`Senses.load("en")` reads a table of the package, `Senses.load("my_clinic.csv")` the user's own.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from embedlink.files.decoding import suffix_of
from embedlink.files.lines import require_file, shown
from embedlink.files.rows import read_rows
from embedlink.problems import Problems
from embedlink.text.words import normal_form

LANGUAGES = ("en", "es")
"""The tables that come with the package."""
COLUMNS = ("short_form", "long_form", "share", "source")
"""The columns of a table of senses. The last may be missing. A long form may have other wordings
behind a vertical bar: `right atrium|right atrial`."""
_ROUNDING = 0.005  # the shares of a short form may exceed 1 by this
_NEW_SHARE = 0.2  # what senses that a corpus adds to a known short form get together


@dataclass(frozen=True, slots=True)
class Sense:
    """One meaning of a short form.

    `share` (0 to 1) is the part of the short form's occurrences that have this meaning. `source`
    says who counted or estimated it. `also` holds other wordings of the long form.
    """

    short_form: str
    long_form: str
    share: float
    source: str = ""
    also: tuple[str, ...] = ()

    @property
    def wordings(self) -> tuple[str, ...]:
        """The long form and its other wordings."""
        return (self.long_form, *self.also)


@dataclass(frozen=True)
class Senses:
    """Senses by short form, the most frequent first."""

    by_short_form: Mapping[str, tuple[Sense, ...]] = field(default_factory=dict)

    @classmethod
    def of(cls, senses: Iterable[Sense]) -> "Senses":
        """Group senses by their short form. Equal shares keep their order."""
        grouped: dict[str, list[Sense]] = {}
        for sense in senses:
            grouped.setdefault(sense.short_form, []).append(sense)
        ordered = {
            short: tuple(sorted(found, key=lambda sense: -sense.share))
            for short, found in grouped.items()
        }
        return cls(ordered)

    @classmethod
    def load(cls, source: str | Path, problems: Problems | None = None) -> "Senses":
        """Read a table of the package by its language, or a file of the user.

        Rows that cannot be used are noted in `problems`. If `problems` is not given, they raise
        `BadInputError`, which names file, line, value and remedy.
        """
        packaged = str(source) in LANGUAGES
        path = f"package://embedlink/senses/{source}.csv" if packaged else source
        remedy = f"give the path of a table, or a language of the package: {', '.join(LANGUAGES)}"
        found = Problems() if problems is None else problems
        senses = cls.of(_read(require_file(path, remedy), found))
        if problems is None:
            found.raise_if_rejected()
        return senses

    def __iter__(self) -> Iterator[Sense]:
        """Every sense, short form by short form."""
        for senses in self.by_short_form.values():
            yield from senses

    def __len__(self) -> int:
        """How many senses there are."""
        return sum(map(len, self.by_short_form.values()))

    def find(self, surface: str) -> tuple[Sense, ...]:
        """The senses of a surface as it stands in a text, or none if the table does not know it.

        Case tells senses apart: "Pt" is a patient and "PT" may be a blood test. So a surface is
        looked up as it is written. If the table does not list it, it is looked up in small letters
        if it is in title case, because it may begin a sentence, and then in capitals. Full stops
        are left out: "b.d." is "BD".
        """
        for spelt in _spellings(surface):
            if spelt in self.by_short_form:
                return self.by_short_form[spelt]
        return ()

    def replaced(self, own: "Senses") -> "Senses":
        """These senses, except that short forms listed in `own` have the senses of `own` alone."""
        return Senses({**self.by_short_form, **own.by_short_form})

    def extended(self, found: "Senses") -> "Senses":
        """These senses and those of `found` that they lack.

        A new short form takes the shares of `found`. If a known short form gets new senses, these
        share a fifth of its occurrences, and the known senses share the rest as before.
        """
        merged = dict(self.by_short_form)
        for short, senses in found.by_short_form.items():
            known = self.by_short_form.get(short, ())
            forms = {normal_form(sense.long_form) for sense in known}
            added = [sense for sense in senses if normal_form(sense.long_form) not in forms]
            if not known:
                merged[short] = senses
            elif added:
                merged[short] = _mixed(known, added)
        return Senses(merged)


def _mixed(known: Iterable[Sense], added: list[Sense]) -> tuple[Sense, ...]:
    """Known and added senses of a short form together. The added ones get `_NEW_SHARE` at most."""
    total = sum(sense.share for sense in added)
    scaled = [_with_share(sense, sense.share * (1 - _NEW_SHARE)) for sense in known]
    scaled += [_with_share(sense, sense.share * _NEW_SHARE / max(total, 1)) for sense in added]
    return tuple(sorted(scaled, key=lambda sense: -sense.share))


def _with_share(sense: Sense, share: float) -> Sense:
    return replace(sense, share=share)


def _spellings(surface: str) -> Iterator[str]:
    """The forms under which a surface is looked up, the most exact first."""
    plain = surface.strip()
    for form in dict.fromkeys((plain, plain.replace(".", ""))):
        yield form
        if form.istitle():
            yield form.lower()
        yield form.upper()


def _read(path: Path, problems: Problems) -> Iterator[Sense]:
    """The usable rows of a table. The others are noted."""
    totals: dict[str, float] = {}
    known: set[tuple[str, str]] = set()
    file, tabs = str(path), suffix_of(path) == ".tsv"
    delimiter = "\t" if tabs else ","
    for line, cells in read_rows(path, COLUMNS[:3], problems, delimiter=delimiter, quoted=not tabs):
        short = cells["short_form"].strip()
        long, *also = (wording.strip() for wording in cells["long_form"].split("|"))
        share = _share(cells["share"])
        pair = short, normal_form(long)
        if not short or not long:
            empty = "short_form" if not short else "long_form"
            problems.add(file, line, shown(short), f"empty {empty}", "fill it in")
        elif share is None:
            remedy = "write a number from 0 to 1"
            problems.add(file, line, shown(cells["share"]), "share is no share", remedy)
        elif pair in known:
            problems.add(file, line, short, "a sense given twice", "keep one of its rows")
        elif totals.get(short, 0.0) + share > 1 + _ROUNDING:
            remedy = "lower the shares of this short form to a sum of at most 1"
            problems.add(file, line, short, "shares exceed 1", remedy)
        else:
            known.add(pair)
            totals[short] = totals.get(short, 0.0) + share
            source = cells.get("source", "").strip()
            yield Sense(short, long, share, source, tuple(filter(None, also)))


def _share(cell: str) -> float | None:
    """The number in a cell if it lies between 0 and 1."""
    try:
        share = float(cell)
    except ValueError:
        return None
    return share if 0 <= share <= 1 else None
