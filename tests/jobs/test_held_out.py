"""Notes that nothing is trained on are annotated soundly and share no sentence with the others."""

import csv
import json
import re
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
DEMO = ROOT / "src" / "embedlink" / "demo"


SETS = ("held_out", "development")


@cache
def notes(name: str) -> list[dict[str, Any]]:
    return read(ROOT / "tests" / "data" / f"{name}_notes.json")


def read(path: Path) -> list[dict[str, Any]]:
    export = json.loads(path.read_text(encoding="utf-8"))
    return [note for project in export["projects"] for note in project["documents"]]


def sentences(text: str) -> set[str]:
    """Sentences of five words or more, in lower case."""
    parts = re.split(r"[.!?:\n]\s*", text.lower())
    return {part.strip() for part in parts if len(part.split()) >= 5}


@pytest.mark.parametrize(("name", "count"), [("held_out", 60), ("development", 41)])
def test_notes_have_names_of_their_own(name: str, count: int) -> None:
    assert len(notes(name)) == len({note["name"] for note in notes(name)}) == count


@pytest.mark.parametrize("name", SETS)
def test_offsets_give_the_value_and_mentions_do_not_overlap(name: str) -> None:
    for note in notes(name):
        spans = sorted((mention["start"], mention["end"]) for mention in note["annotations"])
        assert all(one[1] <= two[0] for one, two in pairwise(spans))
        for mention in note["annotations"]:
            assert note["text"][mention["start"] : mention["end"]] == mention["value"]


@pytest.mark.parametrize("name", SETS)
def test_cuis_are_those_of_the_demonstration(name: str) -> None:
    with (DEMO / "concepts.csv").open(encoding="utf-8", newline="") as file:
        cuis = {row["cui"] for row in csv.DictReader(file)}
    used = {mention["cui"] for note in notes(name) for mention in note["annotations"]}
    assert used <= cuis
    assert len(used) >= 150


def test_no_sentence_is_shared() -> None:
    """Neither with the demonstration nor between the two sets."""
    shown = set().union(*(sentences(note["text"]) for note in read(DEMO / "notes.json")))
    unlabelled = (DEMO / "unlabelled.jsonl").read_text(encoding="utf-8").splitlines()
    shown |= set().union(*(sentences(json.loads(line)["text"]) for line in unlabelled))
    for name in SETS:
        own = set().union(*(sentences(note["text"]) for note in notes(name)))
        assert not own & shown
        shown |= own
