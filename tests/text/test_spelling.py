"""Which spellings of a name share a key."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedlink.text.spelling import cognates, is_same_word, key, stem, stems


def spelt(name):
    return key(stems(name.lower().replace("-", " ").replace("'", " ").split()))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("breast cancer", "Cancer of the Breast"),
        ("breast cancer", "breast cancers"),
        ("Parkinson's disease", "Parkinson disease"),
        ("Parkinsons disease", "Parkinson disease"),
        ("B-cell lymphoma", "b cell lymphomas"),
        ("G6PD deficiency", "deficiencies of G6PD"),
        ("metastasis", "metastases"), ("fibrosis", "fibroses"), ("abscess", "abscesses"),
        ("osteoma", "osteomata"), ("virus", "viruses"), ("disease", "diseases"),
        ("anaemia", "anemia"), ("oesophageal tumour", "esophageal tumors"),
        ("diarrhoea", "diarrhea"), ("type II diabetes", "diabetes type 2"),
        ("factor VIII deficiency", "factor 8 deficiency"),
        ("Sjögren syndrome", "sjogren syndrome"),
        ("enfermedad del corazón", "enfermedades de corazon"),
    ],
)  # fmt: skip
def test_the_same_key(one, other):
    assert spelt(one) == spelt(other) is not None


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("hepatitis A", "hepatitis E"), ("hepatitis A", "hepatitis"),
        ("type 1 diabetes", "type 2 diabetes"), ("protein S deficiency", "protein deficiency"),
        ("hers disease", "her disease"), ("hypertension", "hypotension"),
    ],
)  # fmt: skip
def test_different_keys(one, other):
    assert spelt(one) != spelt(other)


@pytest.mark.parametrize("name", ["", "of the", "ms", "THES", "these", "12 345", "1", "a b c"])
def test_too_little_to_compare(name):
    assert spelt(name) is None


@given(st.text(max_size=20))
def test_a_stem_is_never_empty_and_never_fails(word):
    assert bool(stem(word.lower())) == bool(word) or not word.isascii()


@pytest.mark.parametrize(
    ("one", "other"),
    [("tumour", "tumors"), ("biopsy", "biopsies"), ("stenosis", "stenoses"),
     ("fibroma", "fibromata"), ("testis", "testes"), ("valve", "valves"), ("dolor", "dolores"),
     ("lesión", "lesiones"),     ("reflux", "refluxes"), ("ii", "2")],
)  # fmt: skip
def test_one_word(one, other):
    assert stem(one) == stem(other)
    assert is_same_word(one, other)


@pytest.mark.parametrize(
    ("one", "other"), [("plan", "plane"), ("test", "testis"), ("scar", "scare"), ("dens", "dense")]
)
def test_two_words_of_one_stem(one, other):
    assert not is_same_word(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("fibrosis masiva progresiva", "progressive massive fibrosis"),
        ("glomerulonefritis", "glomerulonephritis"),
        ("insuficiencia renal crónica", "chronic renal insufficiency"),
        ("enfermedad pulmonar obstructiva", "obstructive pulmonary disease"),
        ("Pendred, the disease gene", "Pendred syndrome"),
    ],
)
def test_cognates(one, other):
    pair = [cognates(name.lower().replace(",", "").split()) for name in (one, other)]
    assert pair[0] == pair[1]


def test_what_many_diseases_share_is_no_cognate():
    assert not cognates(["hirschsprung", "disease"]) & cognates(["huntington", "diseases"])
    assert not cognates(["behavior", "disorder"]) & cognates(["bipolar", "disorder"])
    assert cognates(["the", "disease"]) == cognates(["diseases"])
