"""SNOMED CT releases in RF2: International, national editions, extensions and bundles of them.

The files are recognised by their names, in whatever folder they lie: `sct2_Concept_…Snapshot…`,
`sct2_Description_…Snapshot-<language>…` and `der2_cRefset_…Language…Snapshot…`. If a component is
in several files, the row with the latest effective time counts, as RF2 prescribes.
"""

import hashlib
import os
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from embedlink.concepts.rows import ConceptRow
from embedlink.files.lines import shown
from embedlink.files.rows import Row, read_rows
from embedlink.problems import EmbedLinkError, Problems

_FILE = re.compile(
    r"x?(?:sct2_(?P<kind>Concept|Description)_|der2_c(?P<refset>Refset)_\w*?Language)"
    r"(?P<edition>\w*?)Snapshot(?:-(?P<language>[a-zA-Z]{2}(?:-\w+)?))?_(?P<space>\w+)"
    r"_(?P<date>\d{8})\.txt",
    re.IGNORECASE,
)
_DEEPEST = 6  # folders below the one that is given
_FULL_NAME, _SYNONYM = "900000000000003001", "900000000000013009"
_PREFERRED = "900000000000548007"
# Reference sets of languages and dialects. The first of each language has priority.
_DIALECTS = {
    "900000000000509007": "en-us",
    "900000000000508004": "en-gb",
    "999001261000000100": "en-gb",
    "999000691000001104": "en-gb",
    "448879004": "es",
    "450828004": "es-la",
}
Names = dict[str, list[tuple[tuple[int, int], str]]]
"""The terms of each concept. Each comes with the rank of its language and its rank in that."""
_TAG = re.compile(r"\((\w+\s?.?\s?\w+.?\w+.?\w+.?)\)$")


class _File(NamedTuple):
    """A file of a release. `part` is equal for the same file of another release of the edition."""

    path: Path
    kind: str
    part: tuple[str, str, str, str]
    date: str


def has_release_files(folder: Path) -> bool:
    """Whether files of a release lie in a folder or below, in whatever form (Full, Delta)."""
    return any(
        name.lower().startswith("sct2_concept_")
        for place, _, names in os.walk(folder)
        if len(Path(place).relative_to(folder).parts) <= _DEEPEST
        for name in names
    )


def is_release_file(name: str) -> bool:
    """Whether a path in an archive is one of the files that are read."""
    return _FILE.fullmatch(name.rpartition("/")[2]) is not None


def read_release(folder: Path, language: str, problems: Problems) -> Iterator[ConceptRow]:
    """Yield the names of the active concepts, preferred terms first, in the order of the files.

    `language` is a code such as `en`, `en-GB` or `es`, or several codes separated by commas. If
    there are several releases of an edition, only the newest is read and the others are noted.
    Raises `EmbedLinkError` if concepts or descriptions are missing, or if there are names in
    several languages and none in the one asked for.
    """
    files = _newest(_find(folder), problems)
    for kind in ("Concept", "Description"):
        if not any(file.kind == kind for file in files):
            raise EmbedLinkError(
                f"{folder}: no file sct2_{kind}_…Snapshot….txt, so it is no RF2 release of SNOMED "
                "CT that can be read; unpack the release as published, with its Snapshot folder"
            )
    release = _Release(folder, problems)
    for file in files:
        release.read(file)
    return release.rows([part.strip() for part in language.split(",") if part.strip()])


def _find(folder: Path) -> list[_File]:
    """The release's files with what their names say, in folders of at most `_DEEPEST` levels."""
    found = []
    for place, folders, names in os.walk(folder):
        folders.sort()
        if len(Path(place).relative_to(folder).parts) >= _DEEPEST:
            folders.clear()
        for name in sorted(names):
            match = _FILE.fullmatch(name)
            if match:
                kind = (match["kind"] or match["refset"]).capitalize()
                language, space = (match["language"] or "").lower(), match["space"].lower()
                part = (kind, match["edition"].lower(), language, space)
                found.append(_File(Path(place) / name, kind, part=part, date=match["date"]))
    return found


def _newest(files: list[_File], problems: Problems) -> list[_File]:
    """The files, without releases that a newer release of the same edition replaces."""
    releases: dict[Path, dict[tuple[str, str, str, str], _File]] = {}
    for file in files:
        held = releases.setdefault(_root(file.path), {})
        other = held.get(file.part)
        if other is None or other.date < file.date:
            held[file.part] = file

    def age(root: Path) -> tuple[str, str]:
        return max(file.date for file in releases[root].values()), str(root)

    kept: list[_File] = []
    for root, held in releases.items():
        newer = [other for other in releases if age(other) > age(root)]
        newest = max((n for n in newer if held.keys() <= releases[n].keys()), key=age, default=None)
        if newest is None:
            kept += held.values()
        else:
            value, reason = age(root)[0], "an older release of the same edition"
            remedy = f"left out, {newest.name} is read alone"
            problems.add(str(root), None, value, reason, remedy, counted=True)
    return kept


def _root(path: Path) -> Path:
    """The folder of the release that a file belongs to: the one above `Snapshot`."""
    above = [parent for parent in path.parents if parent.name.lower() == "snapshot"]
    return above[0].parent if above else path.parent


class _Description(NamedTuple):
    """The newest state of a description."""

    time: str
    active: bool
    concept: str
    language: str
    full: bool
    term: str


@dataclass(slots=True)
class _Release:
    """Concepts, descriptions and preferences as they are read, each in its newest state.

    `concepts` has the effective time of each concept, and whether it is active. `preferred` has the
    reference sets that prefer a description, with the time and whether this still holds.
    """

    folder: Path
    problems: Problems
    concepts: dict[str, tuple[str, bool]] = field(default_factory=dict)
    descriptions: dict[str, _Description] = field(default_factory=dict)
    preferred: dict[str, dict[str, tuple[str, bool]]] = field(default_factory=dict)

    def read(self, file: _File) -> None:
        """Take over what a file says."""
        columns, take = {
            "Concept": (("id", "effectiveTime", "active"), self._concept),
            "Description": (
                ("id", "effectiveTime", "active", "conceptId", "languageCode", "typeId", "term"),
                self._description,
            ),
            "Refset": (
                ("effectiveTime", "active", "refsetId", "referencedComponentId", "acceptabilityId"),
                self._preference,
            ),
        }[file.kind]
        for row in read_rows(file.path, columns, self.problems, delimiter="\t", quoted=False):
            take(row)

    def _concept(self, row: Row) -> None:
        cells = row.cells
        state = (cells["effectiveTime"].strip(), cells["active"].strip() == "1")
        self.concepts[cells["id"]] = max(self.concepts.get(cells["id"], state), state)

    def _description(self, row: Row) -> None:
        """Keep the newest state of a description. Definitions and other kinds are left out."""
        cells = row.cells
        kind = cells["typeId"].strip()
        if kind not in (_FULL_NAME, _SYNONYM):
            return
        state = _Description(
            cells["effectiveTime"].strip(),
            cells["active"].strip() == "1",
            concept=cells["conceptId"],
            language=cells["languageCode"].strip().lower(),
            full=kind == _FULL_NAME,
            term=cells["term"].strip(),
        )
        held = self.descriptions.get(cells["id"])
        if held is None or held.time <= state.time:
            self.descriptions[cells["id"]] = state

    def _preference(self, row: Row) -> None:
        """Keep the newest state of whether a language set prefers a description."""
        cells = row.cells
        holds = cells["active"].strip() == "1" and cells["acceptabilityId"].strip() == _PREFERRED
        held = self.preferred.setdefault(cells["referencedComponentId"], {})
        state = (cells["effectiveTime"].strip(), holds)
        held[cells["refsetId"]] = max(held.get(cells["refsetId"], state), state)

    def rows(self, languages: list[str]) -> Iterator[ConceptRow]:
        """The rows of a concept table. Raises `EmbedLinkError` if no language fits."""
        spoken = self._languages(languages)
        names: Names = {}
        tags: dict[str, str] = {}
        strangers: Counter[str] = Counter()
        for id_, each in self.descriptions.items():
            if not each.active:
                continue
            if each.concept not in self.concepts:
                strangers[each.concept] += 1
            elif self.concepts[each.concept][1]:
                if each.full and (each.concept not in tags or each.language == "en"):
                    tags[each.concept] = each.term
                if each.language in spoken:
                    rank = self._rank(id_, each, languages, spoken)
                    names.setdefault(each.concept, []).append((rank, each.term))
        self._note(strangers, names)
        return self._rows(names, tags)

    def _languages(self, languages: list[str]) -> list[str]:
        """The languages to read, without dialects. If the release has one other, it is that."""
        asked = [language.lower().partition("-")[0] for language in languages]
        there = Counter(each.language for each in self.descriptions.values() if each.active)
        if there and not set(asked) & set(there):
            only = next(iter(there))
            if len(there) > 1:
                raise EmbedLinkError(
                    f"{self.folder}: no names in the language {', '.join(languages)}; "
                    f"set data.language to one of {', '.join(sorted(there))}"
                )
            value, remedy = shown(only), f"read in {only}; set data.language={only}"
            reason = f"no names in the language {', '.join(languages)}"
            self.problems.add(str(self.folder), None, value, reason, remedy, repaired=True)
            return [only]
        return asked

    def _rank(
        self, id_: str, each: _Description, languages: list[str], spoken: list[str]
    ) -> tuple[int, int]:
        """What terms are ordered by: language, then preferred term, full name, other terms."""
        position = spoken.index(each.language)
        if each.full:
            return position, 90
        asked = languages[position].lower() if position < len(languages) else each.language
        sets = [refset for refset, (_, holds) in self.preferred.get(id_, {}).items() if holds]
        order = list(_DIALECTS)
        ranks = [
            0 if _DIALECTS.get(refset) == asked else 1 + order.index(refset)
            if refset in _DIALECTS else 50
            for refset in sets
        ]  # fmt: skip
        return position, min(ranks, default=99)

    def _note(self, strangers: Counter[str], names: Names) -> None:
        """Report descriptions without a concept, and active concepts without a name."""
        if strangers:
            value = f"{strangers.total()} descriptions"
            reason = "descriptions of concepts that no concept file has"
            remedy = "left out; put the International release beside the extension"
            self.problems.add(str(self.folder), None, value, reason, remedy, counted=True)
        silent = sum(active for _, active in self.concepts.values()) - len(names)
        if silent > 0:
            reason = "active concepts without a name in the language"
            remedy = "left out; see data.language"
            value = f"{silent} concepts"
            self.problems.add(str(self.folder), None, value, reason, remedy, counted=True)

    def _rows(self, names: Names, tags: dict[str, str]) -> Iterator[ConceptRow]:
        """A row for each name of each concept, the preferred names first."""
        for cui in self.concepts:
            found = sorted(names.get(cui, ()), key=lambda each: each[0])
            type_id = _type_id(tags.get(cui, ""))
            for place, ((_, rank), term) in enumerate(found):
                # MedCAT takes the first P for the preferred name, and adds full names without tag.
                yield ConceptRow(
                    cui,
                    term,
                    ontologies="SNOMED-CT",
                    name_status="A" if rank == 99 and place else "P",
                    type_ids=type_id,
                    description="",
                )


def _type_id(full_name: str) -> str:
    """The semantic tag as a number of 8 digits at most, as MedCAT makes it."""
    match = _TAG.search(full_name)
    tag = match[1] if match else "nan"
    return str(int(hashlib.sha256(tag.encode()).hexdigest(), 16) % 10**8)
