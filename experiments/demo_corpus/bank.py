"""Reads the phrase bank: concepts, scenarios, common sentences and pools.

The bank is plain text so that a clinician can read and correct it without reading code.
"""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Name:
    """One string of a concept; a countable one takes an article ("a heart attack")."""

    text: str
    countable: bool

    @classmethod
    def parse(cls, raw: str) -> "Name":
        """Read a name whose "+", on either end, marks it as countable."""
        raw = raw.strip()
        return cls(raw.strip("+"), "+" in (raw[0], raw[-1]))


@dataclass(frozen=True, slots=True)
class Concept:
    """A row of the concept file; `paraphrases` are wordings that stay out of the table."""

    slug: str
    cui: str
    kind: str
    names: tuple[Name, ...]
    paraphrases: tuple[Name, ...]


@dataclass(frozen=True, slots=True)
class Sentence:
    """A template; `held` ones are kept for test notes, `age` is the youngest that it fits."""

    text: str
    held: bool
    age: int = 0

    @classmethod
    def parse(cls, raw: str, held: bool) -> "Sentence":
        """Read a template that may start with an age ("66+ Retired cook")."""
        age, plus, rest = raw.partition("+ ")
        return cls(rest, held, int(age)) if plus and age.isdigit() else cls(raw, held)


@dataclass(slots=True)
class Scenario:
    """One clinical story: who has it, and its sentences by role (O, S, E, T, P)."""

    id: str
    sexes: str
    ages: tuple[int, int]
    avoid: frozenset[str]
    sentences: dict[str, list[Sentence]] = field(default_factory=dict)
    test_only: bool = False


@dataclass(frozen=True, slots=True)
class Condition:
    """A comorbidity or past operation with the patients it fits and the drugs that treat it."""

    slug: str
    ages: tuple[int, int]
    sexes: str
    drugs: tuple[str, ...]

    def fits(self, age: int, sex: str) -> bool:
        """Whether a patient of this age and sex can plausibly have it."""
        return self.ages[0] <= age <= self.ages[1] and sex in self.sexes


@dataclass(slots=True)
class Pools:
    """What common sentences draw from, and which concepts must not meet in one note."""

    pools: dict[str, list[str]] = field(default_factory=dict)
    clashes: list[frozenset[str]] = field(default_factory=list)
    conditions: dict[str, list[Condition]] = field(default_factory=dict)

    def related(self, slug: str) -> set[str]:
        """Everything that shares a clash group with the concept, itself included."""
        return {slug}.union(*(group for group in self.clashes if slug in group))


def _lines(path: Path) -> list[str]:
    """The lines of a bank file without comments and blanks."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line for line in lines if line.strip() and not line.startswith("#")]


def _range(text: str) -> tuple[int, int]:
    low, high = text.strip().split("-")
    return int(low), int(high)


def read_concepts(path: Path) -> dict[str, Concept]:
    """Concepts by slug; cuis follow the order of the file, so append, never insert."""
    concepts: dict[str, Concept] = {}
    for number, line in enumerate(_lines(path), start=1):
        slug, kind, names, *rest = line.split("|")
        paraphrases = tuple(Name.parse(raw) for raw in ";".join(rest).split(";") if raw)
        parsed = tuple(Name.parse(raw) for raw in names.split(";"))
        concepts[slug] = Concept(slug, f"D{number:04d}", kind, parsed, paraphrases)
    return concepts


def _with_held(texts: list[str]) -> list[Sentence]:
    """Keep the last third of a role's sentences (at least one of two or more) for test notes."""
    held = max(1, len(texts) // 3) if len(texts) > 1 else 0
    return [Sentence.parse(text, index >= len(texts) - held) for index, text in enumerate(texts)]


def _roles(lines: list[str]) -> dict[str, list[Sentence]]:
    texts: dict[str, list[str]] = {}
    for line in lines:
        texts.setdefault(line[0], []).append(line[2:].strip())
    return {role: _with_held(found) for role, found in texts.items()}


def read_common(path: Path) -> dict[str, list[Sentence]]:
    """Sentences that fit any scenario, by role."""
    return _roles(_lines(path))


def read_scenarios(path: Path) -> list[Scenario]:
    """The scenarios of one file; those of `test_only.txt` never occur in training notes."""
    scenarios: list[Scenario] = []
    for block in "\n".join(_lines(path)).split("== ")[1:]:
        head, *lines = block.strip().splitlines()
        name, sexes, ages, avoid = (part.strip() for part in head.split("|"))
        avoided = frozenset(part.strip() for part in avoid.split(",") if part.strip())
        scenario = Scenario(name, sexes, _range(ages), avoided, _roles(lines))
        scenario.test_only = path.stem == "test_only"
        scenarios.append(scenario)
    return scenarios


def read_pools(path: Path) -> Pools:
    """Pools, clash groups, comorbidities (`with`, `only` for test) and operations (`cut`)."""
    pools = Pools()
    for line in _lines(path):
        word, rest = line.split(" ", 1)
        if word == "clash":
            pools.clashes.append(frozenset(rest.split()))
            continue
        name, *parts = (part.strip() for part in rest.split("|"))
        if word == "pool":
            pools.pools[name] = parts[0].split()
        else:
            drugs = tuple(parts[2].split()) if len(parts) > 2 else ()
            condition = Condition(name, _range(parts[0]), parts[1], drugs)
            pools.conditions.setdefault(word, []).append(condition)
    return pools
