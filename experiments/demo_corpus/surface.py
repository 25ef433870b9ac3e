"""Chooses how a concept is worded in a note, so that test notes hold unseen wordings."""

import random

from bank import Concept, Name

AMBIGUOUS = 0.7
"""How often a concept that has a shared name or abbreviation is written with it."""
HELD = 0.22
"""How often a test mention takes a name that no training note uses."""
PARAPHRASE = 0.24
"""How often a test mention of a concept with paraphrases takes one."""


class Wording:
    """Names by concept, split into shared, training and held-out ones.

    Shared names stay in both parts, because what decides them is the context.
    """

    def __init__(self, concepts: dict[str, Concept], rng: random.Random) -> None:
        self.concepts = concepts
        self.shared = _shared_names(concepts)
        self.held = {slug: self._hold_out(c, rng) for slug, c in concepts.items()}

    def _own(self, concept: Concept) -> list[Name]:
        return [name for name in concept.names if name.text.lower() not in self.shared]

    def _hold_out(self, concept: Concept, rng: random.Random) -> frozenset[Name]:
        """Half of a concept's own names, never its preferred one."""
        own = [name for name in self._own(concept) if name != concept.names[0]]
        return frozenset(rng.sample(own, (len(own) + 1) // 2))

    def pick(
        self, slug: str, rng: random.Random, test: bool, taken: dict[str, str], plain: bool
    ) -> Name:
        """A name for the concept; `taken` keeps one shared name from meaning two things.

        `plain` sentences say too little to carry a shared name or a paraphrase and get neither.
        """
        concept = self.concepts[slug]
        shared = [] if plain else self._free_shared(concept, taken)
        if shared and rng.random() < AMBIGUOUS:
            name = rng.choice(shared)
            taken[name.text.lower()] = slug
            return name
        if test and not plain and concept.paraphrases and rng.random() < PARAPHRASE:
            return rng.choice(concept.paraphrases)
        return self._own_name(concept, rng, test)

    def _free_shared(self, concept: Concept, taken: dict[str, str]) -> list[Name]:
        names = [name for name in concept.names if name.text.lower() in self.shared]
        return [n for n in names if taken.get(n.text.lower(), concept.slug) == concept.slug]

    def _own_name(self, concept: Concept, rng: random.Random, test: bool) -> Name:
        held = sorted(self.held[concept.slug], key=lambda name: name.text)
        if test and held and rng.random() < HELD:
            return rng.choice(held)
        seen = [name for name in self._own(concept) if name not in self.held[concept.slug]]
        weights = [2 if name == concept.names[0] else 1 for name in seen]
        return rng.choices(seen, weights)[0]


def _shared_names(concepts: dict[str, Concept]) -> frozenset[str]:
    """Lower-cased names that belong to several concepts."""
    owners: dict[str, set[str]] = {}
    for concept in concepts.values():
        for name in concept.names:
            owners.setdefault(name.text.lower(), set()).add(concept.slug)
    return frozenset(name for name, slugs in owners.items() if len(slugs) > 1)
