"""The embedded demonstration corpus keeps the properties that the linker's training relies on."""

import csv
import json
import re
from collections import defaultdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

from embedlink.senses.table import Senses
from embedlink.text.words import normal_form

DEMO = Path(__file__).resolve().parents[2] / "src" / "embedlink" / "demo"
COLUMNS = ["cui", "name", "ontologies", "name_status", "type_ids", "description"]
LONG_ENOUGH = 4
"""Shorter names count only in capitals, which is MedCAT's own rule."""


@cache
def rows() -> list[dict[str, str]]:
    with (DEMO / "concepts.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@cache
def owners() -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for row in rows():
        found[row["name"].lower()].add(row["cui"])
    return found


@cache
def documents() -> dict[str, list[dict[str, Any]]]:
    export = json.loads((DEMO / "notes.json").read_text(encoding="utf-8"))
    return {project["name"]: project["documents"] for project in export["projects"]}


def every_document() -> list[dict[str, Any]]:
    return [document for part in documents().values() for document in part]


def surfaces(part: str) -> list[str]:
    found = [note["annotations"] for note in documents()[part]]
    return [mention["value"].lower() for mentions in found for mention in mentions]


@cache
def pattern() -> re.Pattern[str]:
    names = sorted(owners(), key=len, reverse=True)
    return re.compile(r"(?<!\w)(?:" + "|".join(map(re.escape, names)) + r")(?!\w)", re.IGNORECASE)


def dictionary_spans(text: str) -> list[tuple[int, int]]:
    """Longest matches of the table's names, without overlaps."""
    found = [match.span() for match in pattern().finditer(text)]
    return [(a, b) for a, b in found if b - a >= LONG_ENOUGH or text[a:b].isupper()]


def test_table_has_the_columns_of_the_cdb_maker() -> None:
    assert list(rows()[0]) == COLUMNS
    assert {row["name_status"] for row in rows()} == {"P", "A"}


def test_table_is_large_enough() -> None:
    assert len({row["cui"] for row in rows()}) >= 300
    assert len(rows()) >= 1000


def test_every_concept_has_one_preferred_name() -> None:
    preferred = [row["cui"] for row in rows() if row["name_status"] == "P"]
    assert sorted(preferred) == sorted({row["cui"] for row in rows()})


def test_no_name_is_given_twice_to_one_concept() -> None:
    pairs = [(row["cui"], row["name"].lower()) for row in rows()]
    assert len(pairs) == len(set(pairs))


def test_many_names_are_shared_by_several_concepts() -> None:
    assert sum(len(cuis) > 1 for cuis in owners().values()) >= 40


def test_there_are_enough_notes_in_both_parts() -> None:
    sizes = {name: len(part) for name, part in documents().items()}
    assert set(sizes) == {"train", "test"}
    assert sum(sizes.values()) >= 400
    assert 0.15 <= sizes["test"] / sum(sizes.values()) <= 0.3


def test_ids_and_texts_are_unique_across_projects() -> None:
    notes = every_document()
    assert len({note["id"] for note in notes}) == len(notes)
    assert len({note["name"] for note in notes}) == len(notes)
    assert len({note["text"] for note in notes}) == len(notes)


def test_offsets_give_the_value_and_cuis_are_in_the_table() -> None:
    cuis = {row["cui"] for row in rows()}
    for note in every_document():
        for mention in note["annotations"]:
            assert note["text"][mention["start"] : mention["end"]] == mention["value"]
            assert mention["cui"] in cuis


def test_mentions_do_not_overlap() -> None:
    for note in every_document():
        spans = sorted((mention["start"], mention["end"]) for mention in note["annotations"])
        assert all(one[1] <= two[0] for one, two in pairwise(spans))


def test_short_forms_have_meanings_in_and_outside_the_table() -> None:
    for part, notes in documents().items():
        left, linked = set(), set()
        for note in notes:
            starts = {mention["start"] for mention in note["annotations"]}
            for start, end in dictionary_spans(note["text"]):
                surface = note["text"][start:end]
                (linked if start in starts else left).add(surface)
        both = {surface for surface in left & linked if surface.isupper() and len(surface) <= 4}
        assert len(both) >= (15 if part == "train" else 10)


def unlabelled() -> list[dict[str, str]]:
    lines = (DEMO / "unlabelled.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


def test_unlabelled_notes_are_new_and_unique() -> None:
    notes = unlabelled()
    assert all(set(note) == {"id", "text"} for note in notes)
    assert len({note["id"] for note in notes}) == len({note["text"] for note in notes}) >= 150
    assert not {note["text"] for note in notes} & {note["text"] for note in every_document()}


def test_unlabelled_notes_write_several_senses_of_a_short_form_in_full() -> None:
    texts = [f" {normal_form(note['text'])} " for note in unlabelled()]
    ambiguous = 0
    for senses in Senses.load("en").by_short_form.values():
        forms = [f" {normal_form(sense.long_form)} " for sense in senses]
        ambiguous += sum(sum(form in text for text in texts) >= 3 for form in forms) >= 2
    assert ambiguous >= 30


def test_test_notes_use_wordings_that_training_never_shows() -> None:
    seen = set(surfaces("train"))
    tested = surfaces("test")
    assert sum(surface not in seen for surface in tested) / len(tested) >= 0.25


def test_both_parts_need_the_context_of_shared_names() -> None:
    for part in documents():
        found = surfaces(part)
        shared = sum(len(owners().get(surface, ())) > 1 for surface in found)
        assert 0.1 <= shared / len(found) <= 0.3


def test_a_fair_share_of_dictionary_spans_is_not_annotated() -> None:
    spans = left_alone = 0
    for note in every_document():
        mentions = [(mention["start"], mention["end"]) for mention in note["annotations"]]
        for start, end in dictionary_spans(note["text"]):
            spans += 1
            left_alone += not any(start < b and a < end for a, b in mentions)
    assert 0.15 <= left_alone / spans <= 0.4
