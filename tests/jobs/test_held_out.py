"""The held-out notes are annotated soundly and share no sentence with the demonstration."""

import csv
import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "src" / "embedlink" / "demo"


@cache
def held_out() -> list[dict[str, Any]]:
    return read(ROOT / "tests" / "data" / "held_out_notes.json")


def read(path: Path) -> list[dict[str, Any]]:
    export = json.loads(path.read_text(encoding="utf-8"))
    return [note for project in export["projects"] for note in project["documents"]]


def sentences(text: str) -> set[str]:
    """Sentences of five words or more, in lower case."""
    parts = re.split(r"[.!?:\n]\s*", text.lower())
    return {part.strip() for part in parts if len(part.split()) >= 5}


def test_there_are_sixty_notes_with_names_of_their_own() -> None:
    assert len(held_out()) == 60
    assert len({note["name"] for note in held_out()}) == 60


def test_offsets_give_the_value_and_mentions_do_not_overlap() -> None:
    for note in held_out():
        spans = sorted((mention["start"], mention["end"]) for mention in note["annotations"])
        assert all(one[1] <= two[0] for one, two in pairwise(spans))
        for mention in note["annotations"]:
            assert note["text"][mention["start"] : mention["end"]] == mention["value"]


def test_cuis_are_those_of_the_demonstration() -> None:
    with (DEMO / "concepts.csv").open(encoding="utf-8", newline="") as file:
        cuis = {row["cui"] for row in csv.DictReader(file)}
    used = {mention["cui"] for note in held_out() for mention in note["annotations"]}
    assert used <= cuis
    assert len(used) >= 150


def test_no_sentence_is_one_of_the_demonstration() -> None:
    shown = set().union(*(sentences(note["text"]) for note in read(DEMO / "notes.json")))
    assert not any(sentences(note["text"]) & shown for note in held_out())
