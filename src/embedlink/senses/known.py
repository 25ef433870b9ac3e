"""Which senses are concepts of the database, and which are competitors from outside it."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain

from embedlink.concepts.names import ConceptNames
from embedlink.senses.collected import sense_key
from embedlink.senses.table import Sense, Senses
from embedlink.text.words import normal_form

_LEAST_NAME = 6  # letters of a full name


def concepts_of_senses(senses: Iterable[Sense], names: ConceptNames) -> dict[Sense, list[int]]:
    """The concepts that each sense is: rows of `names.cuis`, ascending.

    A sense is a concept if its long form equals any of the concept's names, by normal form or by
    spelling ("hemodialysis" and "haemodialysis", "type 2 diabetes" and "diabetes type 2"). The list
    is empty if the sense is outside the database. It has several rows if concepts share the name.
    """
    kept = tuple(dict.fromkeys(senses))
    forms = {sense: set().union(*map(_forms, sense.wordings)) for sense in kept}
    wanted = set().union(*forms.values())
    concepts: dict[str, set[int]] = {}
    for text, rows in _strings(names):
        for form in _forms(text) & wanted:
            concepts.setdefault(form, set()).update(rows)
    return {
        sense: sorted(set().union(*(concepts.get(form, ()) for form in own)))
        for sense, own in forms.items()
    }


def worded(senses: Senses, names: ConceptNames) -> Senses:
    """These senses, with the full names of their concepts as other wordings.

    A name is full if it has small letters and more than a few of them. Names that several concepts
    share are left out.
    """
    full: dict[int, list[str]] = {}
    for text, rows in _strings(names):
        if len(rows) == 1 and len(text) >= _LEAST_NAME and not text.isupper():
            full.setdefault(rows[0], []).append(text)
    concepts = concepts_of_senses(senses, names)
    return Senses.of(
        replace(sense, also=_others(sense, (full.get(row, []) for row in concepts[sense])))
        for sense in senses
    )


def _others(sense: Sense, names: Iterable[Iterable[str]]) -> tuple[str, ...]:
    known = {normal_form(sense.long_form): sense.long_form}
    for wording in chain(sense.also, *names):
        known.setdefault(normal_form(wording), wording)
    return tuple(known.values())[1:]


def _forms(text: str) -> set[str]:
    return {normal_form(text), sense_key(text)}


def _strings(names: ConceptNames) -> Iterator[tuple[str, list[int]]]:
    """Every name and every representative name, with the rows of its concepts."""
    starts = names.concepts_of_name.starts.tolist()
    concepts = names.concepts_of_name.rows.tolist()
    for row in range(len(names.names)):
        yield names.texts[row], concepts[starts[row] : starts[row + 1]]
    for concept, text_row in enumerate(names.representative.tolist()):
        yield names.texts[text_row], [concept]
