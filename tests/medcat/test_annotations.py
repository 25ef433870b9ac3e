"""Training sees the annotation's own characters, whatever tokens MedCAT hands over."""

import random

import pytest
from medcat.cat import CAT

from embedlink.plugin import TRAINABLE
from tests.medcat.conftest import export, linking_of

CASES = [
    ("Known ALD/AMN today.", [("ALD", "C1"), ("AMN", "C2")]),
    ("(ALD) is ALD, not ALD.", [("ALD", "C1")]),
    ("Type (2) diabetes (mild).", [("diabetes (mild)", "C1"), ("Type (2)", "C2")]),
    ("ALD", [("ALD", "C1")]),
    ("Ends with ALD/", [("ALD", "C1")]),
    ("Non-small-cell carcinoma, NOS/x", [("Non-small-cell carcinoma, NOS", "C1")]),
    ("Several cancers/tumours", [("cancer", "C1"), ("tumours", "C2")]),
    (
        "Adenomatous polyposis coli (APC)tumour",
        [("Adenomatous polyposis coli", "C1"), ("APC", "C2")],
    ),
    ("µ-receptor/ß and naïve ödem/x", [("naïve ödem", "C1")]),
    ("FAP/ and fap/ and Fap", [("Fap", "C1")]),
    ("deficiency of C2/C3 in it", [("deficiency of C2", "C1")]),
]


@pytest.fixture
def seen(trainable, monkeypatch):
    """Trains on an export; returns the (text, start, end, cui) that the component noted."""

    def run(*notes):
        from embedlink.medcat import samples

        found = set()
        inner = samples.OpenDocument.add

        def add(self, span, cui, negative, repeats=1):
            found.add((self.text, *span, cui))
            return inner(self, span, cui, negative, repeats)

        monkeypatch.setattr(samples.OpenDocument, "add", add)
        component = linking_of(trainable)  # That spans arrive is enough: no training.
        drop = lambda: setattr(component, "_document", None)  # noqa: E731
        monkeypatch.setattr(component, "_close_document", drop)
        trainable.trainer.train_supervised_raw(export(*notes), disable_progress=True)
        return found

    return run


def gold(*notes):
    return {
        (document["text"], a["start"], a["end"], a["cui"])
        for document in export(*notes)["projects"][0]["documents"]
        for a in document["annotations"]
    }


@pytest.mark.parametrize("note", CASES, ids=[note[0] for note in CASES])
def test_the_annotations_own_characters(seen, note):
    assert seen(note) == gold(note)


def test_all_of_them_in_one_export(seen):
    assert seen(*CASES) == gold(*CASES)


def test_any_annotation_of_whole_words(seen):
    chance = random.Random(0)
    notes = []
    for _ in range(40):
        words = [
            chance.choice(["ALD", "cold", "type", "C-2", "x.y", "disease's"]) for _ in range(12)
        ]
        marks = [chance.choice([" ", "/", ", ", " (", ") ", "-", "; "]) for _ in words]
        first = chance.randrange(11)
        last = chance.randrange(first + 1, 13)
        text = "".join(w + m for w, m in zip(words, marks, strict=True))
        start = sum(len(w) + len(m) for w, m in zip(words[:first], marks, strict=False))
        value = "".join(w + m for w, m in zip(words[first:last], marks[first:last], strict=True))
        value = value[: len(value) - len(marks[last - 1])]
        if text.index(value) == start:
            notes.append((text, [(value, "C1")]))
    expected, found = gold(*notes), seen(*notes)
    assert len(notes) > 20
    assert len(found & expected) / len(expected) > 0.95  # One surface inside another is a guess.


def test_real_annotations(data_export, tmp_path):
    """At least 99.5 % of the NCBI annotations come out as the annotators made them."""
    cdb, exported = data_export
    from embedlink.medcat import samples

    cat: CAT = cdb(TRAINABLE)
    found, inner = set(), samples.OpenDocument.add
    component = linking_of(cat)
    component._close_document = lambda: setattr(component, "_document", None)
    samples.OpenDocument.add = lambda self, span, cui, negative, repeats=1: found.add(
        (self.text, *span, cui)
    )
    try:
        cat.trainer.train_supervised_raw(exported, disable_progress=True)
    finally:
        samples.OpenDocument.add = inner
    expected = {
        (document["text"], a["start"], a["end"], a["cui"])
        for document in exported["projects"][0]["documents"]
        for a in document["annotations"]
    }
    print(f"{len(expected & found)} of {len(expected)} annotations")
    assert len(expected & found) / len(expected) > 0.995
