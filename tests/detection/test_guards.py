"""What only looks like a mention."""

import pytest

from embedlink.concepts.database import load_cdb
from embedlink.detection.guards import (
    begins_a_word,
    is_name_in_small_letters,
    is_part_of_names,
    is_well_cut,
    says_nothing,
)
from embedlink.detection.pipeline import VocabularyDetector, detection_config
from embedlink.detection.spellings import NameVariants
from embedlink.plugin import NER
from embedlink.problems import Problems
from embedlink.types import Document, Span

TABLE = """cui,name,name_status
E1,vitamin E deficiency,P
E2,Hepatitis E,P
E3,Hepatitis,P
E4,restless leg syndrome,P
E4,REST,A
E5,Burkitt lymphoma,P
E6,thyroid cancer,P
E7,B-cell tumour,P
E8,dense scar,P
E9,PNEUMONIA,P
E10,enlarged prostate,P
E10,prostate enlargement,A
E10,adenoma of the prostate,A
"""


@pytest.fixture
def cdb(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(TABLE)
    return load_cdb(path, Problems(), detection_config(comp_name=NER, min_name_len=2))


def found(cdb, text):
    (detections,) = VocabularyDetector(cdb, progress=False)([Document("a", text)])
    return [text[each.start : each.end] for each in detections]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Hepatitis E was ruled out", ["Hepatitis", "Hepatitis E"]),
        ("hepatitis e, and fever", ["hepatitis", "hepatitis e"]),
        ("Hepatitis E-related fever", ["Hepatitis", "Hepatitis E"]),
        ("deficiency of vitamin E", ["deficiency of vitamin E"]),
        ("vitamin E deficiencies", ["vitamin E deficiencies"]),
        ("tumours of B cells", ["tumours of B cells"]),
        ("hepatitis e ictericia", ["hepatitis"]),
        ("hepatitis and E symptoms", ["hepatitis"]),
        ("hepatitis, e cough", ["hepatitis"]),
        ("E vitamin deficiency", []),
        ("Hepatitis E-waste", ["Hepatitis"]),
        ("hepatitis E. coli", ["hepatitis"]),
        ("cell B tumour", []),
        ("dens scar", []), ("dense scare", []), ("dense scars", ["dense scars"]),
    ],
)  # fmt: skip
def test_a_letter_is_a_names_only_at_its_place(cdb, text, expected):
    assert found(cdb, text) == expected


def test_small_letters_are_no_short_form(cdb):
    assert found(cdb, "REST at rest. Rest! Pneumonia") == ["REST", "Pneumonia"]
    assert is_name_in_small_letters(cdb, "rest")
    assert not is_name_in_small_letters(cdb, "hepatitis")


def test_a_negating_prefix_is_not_cut_off(cdb):
    assert found(cdb, "non-Burkitt lymphoma") == []
    assert found(cdb, "Non Burkitt lymphoma; pseudo-hepatitis") == []
    assert found(cdb, "post-Burkitt lymphoma") == ["Burkitt lymphoma"]


def test_a_part_of_a_name_is_not_the_name(cdb):
    variants = NameVariants(cdb)
    variants.follow()
    assert is_part_of_names(variants, "Thyroid")
    assert is_part_of_names(variants, "vitamins")
    assert is_part_of_names(variants, "the thyroid")
    assert is_part_of_names(variants, "prostate")  # It ends two names, but is the head of one.
    for surface in ("cancer", "headache", "REST", "thyroid gland", "adenoma", "Burkitt's"):
        assert not is_part_of_names(variants, surface)


@pytest.mark.parametrize(
    ("surface", "expected"),
    [("fever", True), ("fever,", False), ("fever (high", False), ("fever (high)", True),
     ("high)", False), ("fever ", False), ("(high) fever", True), (", fever", False),
     ("type 1+", True), ("[x) y]", False)],
)  # fmt: skip
def test_ends_are_words_or_brackets_in_pairs(surface, expected):
    text = f"no {surface} now"
    assert is_well_cut(text, Span(3, 3 + len(surface))) == expected


def test_a_span_begins_a_word():
    text = "X-linked fever"
    assert begins_a_word(text, Span(0, 8))
    assert not begins_a_word(text, Span(2, 8))
    assert begins_a_word(text, Span(9, 14))


def test_what_says_nothing():
    assert says_nothing("by", 2)
    assert says_nothing("x", 2)
    assert says_nothing("of the", 2)
    assert not says_nothing("TB", 2)
