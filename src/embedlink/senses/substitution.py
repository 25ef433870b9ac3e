"""Examples made from notes without labels: a short form takes the place of its long form.

The context then has to tell which sense was meant. The idea is MeDAL's (Wen, Lu and Reddy 2020).
"""

import random
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from embedlink.senses.ambiguous import Ambiguous, LongForms, of_table, phrases_of
from embedlink.senses.table import Senses

REACH = 1200
"""Characters kept on each side of an example. This is more than any context window reads."""


class Example(NamedTuple):
    """A piece of a note in which a short form stands for one of its senses."""

    document: int  # which of the texts it comes from
    text: str
    start: int  # in characters of `text`
    end: int
    sense: int  # its number among all senses


@dataclass(frozen=True)
class Substitutions:
    """Examples, and the senses to choose from.

    Senses are numbered short form by short form, as `ambiguous` lists them.
    """

    ambiguous: tuple[Ambiguous, ...]
    examples: tuple[Example, ...]

    @property
    def short_form_of_sense(self) -> list[int]:
        """For every sense the number of its short form."""
        return [number for number, each in enumerate(self.ambiguous) for _ in each.senses]

    @property
    def long_forms(self) -> list[tuple[str, ...]]:
        """The spellings of every sense."""
        return [sense for each in self.ambiguous for sense in each.senses]


def substitute(
    texts: Sequence[str], ambiguous: Sequence[Ambiguous], *, per_sense: int, seed: int
) -> Substitutions:
    """At most `per_sense` examples of each sense, drawn at random.

    They are sorted by sense, and within a sense by their place in the texts.
    """
    found: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    long_forms = LongForms.of(ambiguous)
    for document, text in enumerate(texts):
        for start, end, sense in long_forms.find(text):
            found[sense].append((document, start, end))
    short_forms = [each.short_form for each in ambiguous for _ in each.senses]
    generator = random.Random(seed)
    examples = []
    for sense, places in sorted(found.items()):
        drawn = sorted(generator.sample(places, min(per_sense, len(places))))
        examples += [
            _example(
                texts[document],
                document,
                start=start,
                end=end,
                short_form=short_forms[sense],
                sense=sense,
            )
            for document, start, end in drawn
        ]
    return Substitutions(tuple(ambiguous), tuple(examples))


def examples_of(
    texts: Sequence[str],
    senses: Senses,
    *,
    per_sense: int,
    per_phrase: int,
    made_up: float,
    seed: int,
    without: Iterable[str] = (),
) -> Substitutions:
    """Examples of a table's short forms, and of short forms made up from repeated phrases.

    There are at most `per_sense` examples of each sense and `per_phrase` of each phrase. For each
    example of the table there are at most `made_up` examples of made-up short forms, drawn at
    random. `without` names short forms that must not be made up.
    """
    listed = substitute(texts, of_table(senses), per_sense=per_sense, seed=seed)
    phrases = phrases_of(texts, seed=seed, without=[*senses.by_short_form, *without])
    more = substitute(texts, phrases, per_sense=per_phrase, seed=seed).examples
    most = round(made_up * len(listed.examples))
    if len(more) > most:
        more = tuple(random.Random(seed).sample(more, most))
    first = len(listed.long_forms)
    shifted = tuple(example._replace(sense=first + example.sense) for example in more)
    return Substitutions((*listed.ambiguous, *phrases), (*listed.examples, *shifted))


def _example(
    text: str, document: int, start: int, end: int, short_form: str, sense: int
) -> Example:
    """An example whose short form stands where the long form stood, with its surroundings."""
    before, after = text[max(0, start - REACH) : start], text[end : end + REACH]
    first = len(before)
    return Example(
        document, before + short_form + after, start=first, end=first + len(short_form), sense=sense
    )
