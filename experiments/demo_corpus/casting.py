"""Decides what may be said of a patient: what is drawn from pools, and what would contradict."""

import random
import re

from bank import Condition, Pools, Scenario
from render import Draft, claims

EITHER = re.compile(r"\{([a-z_]+(?:\|[a-z_]+)+)\}")
POOL = re.compile(r"\{-\?(\w+)\}")
REPEATS = 3
"""How often a note may mention one concept before its sentences are passed over."""
UNSEEN = 0.35
"""How often a test note draws a comorbidity that training never sees."""
FEMALE_ONLY = frozenset({"breastca", "ovca", "hystero"})
MALE_ONLY = frozenset({"prosca", "herniarep"})
SEXED = {"M": MALE_ONLY, "F": FEMALE_ONLY}


class Casting:
    """Settles the draws of a template for one draft and checks it against the rest."""

    def __init__(self, pools: Pools, rng: random.Random) -> None:
        self.pools = pools
        self.rng = rng

    def settle(self, draft: Draft, scenario: Scenario, template: str) -> str | None:
        """The template with its draws made, or None where nothing fits this patient."""
        template = EITHER.sub(lambda match: self._either(draft, match.group(1)), template)
        blocked = self._blocked(draft, scenario)
        if "{#s}" in template:
            return self._with_operation(draft, template, blocked)
        if "{#" in template:
            return self._with_conditions(draft, template, blocked)
        return self._with_pools(template, blocked)

    def agrees(self, draft: Draft, template: str) -> bool:
        """Whether the sentence neither repeats a concept too often nor contradicts the note."""
        stated, ignored = claims(template)
        if any(draft.stated.get(slug, 0) >= REPEATS for slug in stated):
            return False
        return not (stated & draft.ruled_out or ignored & draft.stated.keys())

    def remember(self, draft: Draft, template: str) -> None:
        """Note what the sentence stated and what it left alone."""
        stated, ignored = claims(template)
        for slug in stated:
            draft.stated[slug] = draft.stated.get(slug, 0) + 1
        draft.ruled_out |= ignored

    def _either(self, draft: Draft, choices: str) -> str:
        wrong = SEXED["F" if draft.patient.sex == "M" else "M"]
        fitting = [slug for slug in choices.split("|") if slug not in wrong]
        return "{" + self.rng.choice(fitting) + "}"

    def _blocked(self, draft: Draft, scenario: Scenario) -> set[str]:
        """Concepts that would repeat or contradict the scenario or the note so far."""
        told = set(draft.stated) | draft.ruled_out | scenario.avoid
        for sentences in scenario.sentences.values():
            for sentence in sentences:
                told |= claims(sentence.text)[0]
        return told.union(*(self.pools.related(slug) for slug in told))

    def _with_pools(self, template: str, blocked: set[str]) -> str | None:
        for pool in POOL.findall(template):
            free = [slug for slug in self.pools.pools[pool] if slug not in blocked]
            if not free:
                return None
            slug = self.rng.choice(free)
            blocked = blocked | self.pools.related(slug)
            template = template.replace(f"{{-?{pool}}}", f"{{-{slug}}}", 1)
        return template

    def _fitting(self, draft: Draft, group: str, blocked: set[str]) -> list[Condition]:
        """Conditions of a group that this patient can have, with at least one usable drug."""
        patient = draft.patient
        found = [c for c in self.pools.conditions[group] if c.fits(patient.age, patient.sex)]
        return [c for c in found if c.slug not in blocked and not set(c.drugs) & blocked]

    def _with_operation(self, draft: Draft, template: str, blocked: set[str]) -> str | None:
        found = self._fitting(draft, "cut", blocked)
        return template.replace("#s", self.rng.choice(found).slug) if found else None

    def _with_conditions(self, draft: Draft, template: str, blocked: set[str]) -> str | None:
        """Fill condition c with drug m and condition d with drug n, none of them blocked."""
        for condition, drug in (("#c", "#m"), ("#d", "#n")):
            if condition not in template:
                continue
            found = self._conditions(draft, blocked)
            found = [c for c in found if c.drugs or drug not in template]
            if not found:
                return None
            chosen = self.rng.choice(found)
            blocked = blocked | self.pools.related(chosen.slug)
            template = template.replace(condition, chosen.slug)
            if drug in template:
                medicine = self.rng.choice(chosen.drugs)
                template = template.replace(drug, medicine)
                blocked = blocked | self.pools.related(medicine)
        return template

    def _conditions(self, draft: Draft, blocked: set[str]) -> list[Condition]:
        unseen = self._fitting(draft, "only", blocked) if draft.test else []
        if unseen and self.rng.random() < UNSEEN:
            return unseen
        return self._fitting(draft, "with", blocked)
