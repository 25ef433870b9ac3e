"""Many notes together give what each gives alone, in their order."""

import pytest

from embedlink.medcat import many
from embedlink.medcat.many import annotate
from tests.medcat.conftest import TEXT, linking_of

TEXTS = [TEXT, "", "Known MS today.", "High fever today. " * 20, TEXT, "No finding."]


def test_many_notes_give_what_each_gives_alone(make_cat):
    cat = make_cat()
    alone = [cat.get_entities(text) for text in TEXTS]
    together = list(annotate(cat, TEXTS))
    assert [spans(one) for one in together] == [spans(one) for one in alone]
    assert any(spans(one) for one in alone)
    few = [spans(one) for one in annotate(cat, iter(TEXTS), notes=2, progress="Annotating")]
    assert few == [spans(one) for one in alone]
    cuis = list(annotate(cat, TEXTS, only_cui=True))
    assert [sorted(one.get("entities", {}).values()) for one in cuis] == [
        sorted(entity["cui"] for entity in one.get("entities", {}).values()) for one in alone
    ]


def test_windows_of_many_notes_are_encoded_together(make_cat, monkeypatch):
    cat = make_cat()
    cat.get_entities(TEXT)  # This also builds the index.
    encoder = type(linking_of(cat).linker.encoder)
    calls, encode = [], encoder.encode
    monkeypatch.setattr(
        encoder, "encode", lambda self, *rest: calls.append(rest) or encode(self, *rest)
    )
    list(annotate(cat, [TEXT] * 4))
    together = len(calls)
    calls.clear()
    for _ in range(4):
        cat.get_entities(TEXT)
    assert 0 < together < len(calls)


def test_nothing_is_read_ahead_of_a_block(make_cat):
    taken = []

    def texts():
        for number in range(10):
            taken.append(number)
            yield "Known MS today."

    found = annotate(make_cat(), texts(), notes=3)
    next(found)
    assert len(taken) <= 4


@pytest.mark.parametrize(
    ("sizes", "notes", "characters", "expected"),
    [
        ([1, 1, 1], 2, 100, [2, 1]),
        ([60, 60, 10], 9, 100, [1, 2]),
        ([500], 9, 100, [1]),
        ([], 9, 100, []),
    ],
)
def test_a_block_is_bounded(sizes, notes, characters, expected):
    blocks = many._blocks(["x" * size for size in sizes], notes, characters)
    assert [len(block) for block in blocks] == expected


def spans(output):
    return sorted(
        (entity["start"], entity["end"], entity["cui"], round(entity["acc"], 5))
        for entity in output.get("entities", {}).values()
    )
