"""Turns templates into text with character offsets.

Marks of a template: `{x}` a mention of concept x, `{@x}` the same with an article where the name
needs one, `{x=words}` with these words, `{x|y}` either, `{-x}` a span that the guideline leaves
alone, `{-=words}` the same with these words, `[a|b]` a choice, `<3-9>` a number, `<he>` a pronoun.
"""

import random
import re
from dataclasses import dataclass, field

from bank import Name
from surface import Wording

SLOT = re.compile(r"\{([^{}]+)\}")
CHOICE = re.compile(r"\[([^\[\]]+)\]")
NUMBER = re.compile(r"<(\d+)-(\d+)>")
WORD = re.compile(r"<([A-Za-z]+)>")
TAKES_ARTICLE = frozenset({"with", "had", "has", "of", "from", "after", "for", "and", "by", "as"})
TAKES_ARTICLE |= {"showed", "shows", "confirmed", "suspected"}
LETTERS_AN = "AEFHILMNORSX"
SOUNDS_LIKE_YOU = ("uni", "ure", "uri", "use", "uter", "euro")
PRONOUNS = {
    "M": {"he": "he", "his": "his", "him": "him", "man": "man"},
    "F": {"he": "she", "his": "her", "him": "her", "man": "woman"},
}


@dataclass(frozen=True, slots=True)
class Marked:
    """A mention in the note under construction."""

    start: int
    end: int
    slug: str


@dataclass(slots=True)
class Patient:
    """Whom the note is about: every sentence of it agrees with this."""

    age: int
    sex: str


@dataclass(slots=True)
class Draft:
    """A note under construction: text, mentions and what is already claimed of the patient."""

    patient: Patient
    test: bool
    text: str = ""
    marked: list[Marked] = field(default_factory=list)
    taken: dict[str, str] = field(default_factory=dict)
    stated: dict[str, int] = field(default_factory=dict)
    ruled_out: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)


def article(word: str) -> str:
    """The indefinite article by sound: "an MRI", "a UTI", "a urine culture"."""
    first = word.split()[0].split("-")[0]
    if first.isupper() and first != "CAT":
        return "an" if first[0] in LETTERS_AN and first not in {"STEMI", "NOF"} else "a"
    lower = word.lower()
    return "an" if lower[0] in "aeiou" and not lower.startswith(SOUNDS_LIKE_YOU) else "a"


def _swap(match: re.Match[str], patient: Patient) -> str:
    word = match.group(1)
    if word == "age":
        return str(patient.age)
    found = PRONOUNS[patient.sex][word.lower()]
    return found.capitalize() if word[0].isupper() else found


def expand(template: str, patient: Patient, rng: random.Random) -> str:
    """Settle choices, numbers and pronouns; slots stay."""
    text = CHOICE.sub(lambda m: rng.choice(m.group(1).split("|")), template)
    text = NUMBER.sub(lambda m: str(rng.randint(int(m.group(1)), int(m.group(2)))), text)
    return WORD.sub(lambda m: _swap(m, patient), text)


def _needs_article(name: Name, forced: bool, before: str) -> bool:
    words = before.split()
    return name.countable and (forced or (bool(words) and words[-1].lower() in TAKES_ARTICLE))


class Renderer:
    """Writes sentences into drafts, choosing the wording of each slot."""

    def __init__(self, wording: Wording, rng: random.Random) -> None:
        self.wording = wording
        self.rng = rng

    def add(self, draft: Draft, template: str, plain: bool = False) -> None:
        """Append one sentence, capitalised, with its mentions at their offsets."""
        text = expand(template, draft.patient, self.rng)
        begin = len(draft.text)
        position = 0
        for slot in SLOT.finditer(text):
            draft.text += text[position : slot.start()]
            self._fill(draft, slot.group(1), begin, plain)
            position = slot.end()
        draft.text += text[position:]
        _capitalise(draft, begin)

    def _fill(self, draft: Draft, slot: str, begin: int, plain: bool) -> None:
        ignored, forced = slot.startswith("-"), slot.startswith("@")
        slug, _, words = slot.lstrip("-@").partition("=")
        slug = self.rng.choice(slug.split("|"))
        name = Name(words, False) if words else self._choose(draft, slug, plain or ignored)
        before = draft.text[begin:]
        if not ignored and _needs_article(name, forced, before):
            draft.text += article(name.text) + " "
        start = len(draft.text)
        draft.text += name.text
        if not ignored:
            draft.marked.append(Marked(start, len(draft.text), slug))

    def _choose(self, draft: Draft, slug: str, plain: bool) -> Name:
        return self.wording.pick(slug, self.rng, draft.test, draft.taken, plain)


def _capitalise(draft: Draft, begin: int) -> None:
    """Start the sentence with a capital letter, which never moves an offset."""
    first = draft.text[begin : begin + 1]
    draft.text = draft.text[:begin] + first.upper() + draft.text[begin + 1 :]


def claims(template: str) -> tuple[set[str], set[str]]:
    """Concepts that a template states of the patient, and those it leaves alone."""
    stated: set[str] = set()
    ignored: set[str] = set()
    for slot in SLOT.findall(template):
        slugs = set(slot.lstrip("-@").partition("=")[0].split("|")) - {""}
        (ignored if slot.startswith("-") else stated).update(slugs)
    return stated, ignored
