"""Puts sentences together into notes of one coherent patient each."""

import random
from collections.abc import Iterable
from dataclasses import dataclass

from bank import Pools, Scenario, Sentence
from casting import Casting
from layouts import LAYOUTS, Layout
from render import Draft, Patient, Renderer
from surface import Wording

TRAIN_EACH = 3
TEST_ONLY_EACH = 2
WORDS = (60, 160)
MENTIONS = (5, 12)
HELD_SHARE = 0.6
"""How often a test note prefers a sentence that no training note may use."""
SHARES = {"B": 0.75, "Q": 0.25, "X": 0.6, "N": 0.7, "F": 0.5, "A": 0.5}
SHARES |= {"R": 0.5, "V": 0.3, "K": 0.35, "G": 0.6, "L": 0.3}
"""How often a note has a sentence of each common role."""
SECOND = 0.45
"""How often a section's second sentence of a scenario role is written."""
PLAIN = frozenset("BQ")
"""Roles whose sentences say too little to decide a shared name."""


@dataclass(frozen=True, slots=True)
class Note:
    """A finished note; mentions are (start, end, slug)."""

    scenario: str
    text: str
    mentions: tuple[tuple[int, int, str], ...]

    @property
    def fits(self) -> bool:
        """Whether the note has the length and the number of mentions of a short note."""
        words = len(self.text.split())
        return WORDS[0] <= words <= WORDS[1] and MENTIONS[0] <= len(self.mentions) <= MENTIONS[1]


class Composer:
    """Composes the notes of both parts from one random stream."""

    def __init__(
        self,
        wording: Wording,
        scenarios: list[Scenario],
        common: dict[str, list[Sentence]],
        pools: Pools,
        rng: random.Random,
    ) -> None:
        self.renderer = Renderer(wording, rng)
        self.casting = Casting(pools, rng)
        self.scenarios = scenarios
        self.common = common
        self.rng = rng
        self.texts: set[str] = set()

    def train_notes(self) -> list[Note]:
        """The same number of notes of every scenario that training may see, shuffled."""
        seen = [s for s in self.scenarios if not s.test_only]
        return self._shuffled(self._note(s, False) for s in seen for _ in range(TRAIN_EACH))

    def test_notes(self) -> list[Note]:
        """One note of every scenario, and two of those that training never sees."""
        plan: list[Scenario] = []
        for scenario in self.scenarios:
            plan += [scenario] * (TEST_ONLY_EACH if scenario.test_only else 1)
        return self._shuffled(self._note(scenario, True) for scenario in plan)

    def _shuffled(self, notes: Iterable[Note]) -> list[Note]:
        listed = list(notes)
        self.rng.shuffle(listed)
        return listed

    def _note(self, scenario: Scenario, test: bool) -> Note:
        """Try until a note fits and is new."""
        while True:
            note = self._attempt(scenario, test)
            if note.fits and note.text not in self.texts:
                self.texts.add(note.text)
                return note

    def _attempt(self, scenario: Scenario, test: bool) -> Note:
        patient = Patient(self.rng.randint(*scenario.ages), self.rng.choice(scenario.sexes))
        draft = Draft(patient, test)
        layout = self.rng.choice(LAYOUTS)
        for heading, roles in layout.sections:
            self._section(draft, scenario, layout, (heading, roles))
        mentions = tuple((mark.start, mark.end, mark.slug) for mark in draft.marked)
        return Note(scenario.id, draft.text, mentions)

    def _section(
        self, draft: Draft, scenario: Scenario, layout: Layout, section: tuple[str, str]
    ) -> None:
        """One heading with its sentences; a section that gets none is left out."""
        heading, roles = section
        before = draft.text
        draft.text += (layout.between if before else "") + heading
        begin = len(draft.text)
        for index, role in enumerate(roles):
            if role in roles[:index] and self.rng.random() > SECOND:
                continue
            self._sentence(draft, scenario, role, len(draft.text) > begin)
        if roles and len(draft.text) == begin:
            draft.text = before

    def _sentence(self, draft: Draft, scenario: Scenario, role: str, spaced: bool) -> None:
        own = scenario.sentences.get(role)
        if own is None and self.rng.random() > SHARES[role]:
            return
        template = self._template(draft, scenario, own or self.common[role])
        if template is None:
            return
        draft.text += " " if spaced else ""
        self.renderer.add(draft, template, plain=role in PLAIN)
        self.casting.remember(draft, template)

    def _template(self, draft: Draft, scenario: Scenario, sentences: list[Sentence]) -> str | None:
        """A usable sentence that contradicts nothing said so far."""
        order = self.rng.sample(sentences, len(sentences))
        if draft.test:
            first = self.rng.random() < HELD_SHARE
            order.sort(key=lambda sentence: sentence.held != first)
        for sentence in order:
            if not _usable(sentence, draft):
                continue
            template = self.casting.settle(draft, scenario, sentence.text)
            if template and self.casting.agrees(draft, template):
                draft.used.add(sentence.text)
                return template
        return None


def _usable(sentence: Sentence, draft: Draft) -> bool:
    """Whether the sentence is new to the note, meant for its part and fits the patient's age."""
    if sentence.held and not draft.test:
        return False
    return sentence.text not in draft.used and sentence.age <= draft.patient.age
