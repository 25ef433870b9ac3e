"""Which senses are concepts of the database, and which are competitors from outside it."""

from collections.abc import Iterable, Iterator

from embedlink.concepts.names import ConceptNames
from embedlink.senses.collected import sense_key
from embedlink.senses.table import Sense
from embedlink.text.words import normal_form


def concepts_of_senses(senses: Iterable[Sense], names: ConceptNames) -> dict[Sense, list[int]]:
    """The concepts that each sense is: rows of `names.cuis`, ascending.

    A sense is a concept if its long form equals any of the concept's names, by normal form or by
    spelling ("hemodialysis" and "haemodialysis", "type 2 diabetes" and "diabetes type 2"). The list
    is empty if the sense is outside the database. It has several rows if concepts share the name.
    """
    kept = tuple(dict.fromkeys(senses))
    wanted = {form for sense in kept for form in _forms(sense.long_form)}
    concepts: dict[str, set[int]] = {}
    for text, rows in _strings(names):
        for form in _forms(text) & wanted:
            concepts.setdefault(form, set()).update(rows)
    return {
        sense: sorted(set().union(*(concepts.get(form, ()) for form in _forms(sense.long_form))))
        for sense in kept
    }


def competitors(senses: Iterable[Sense], names: ConceptNames) -> list[Sense]:
    """The senses that are not a concept of the database, in their order."""
    return [sense for sense, rows in concepts_of_senses(senses, names).items() if not rows]


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
