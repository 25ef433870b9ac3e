"""Definitions of abbreviations, as documents write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedlink.text.abbreviations import abbreviations, occurrences


def pairs(text):
    return [(each.short, each.long) for each in abbreviations(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Familial myotonic dystrophy (DM) is.", [("DM", "myotonic dystrophy")]),
        ("DM (myotonic dystrophy) is.", [("DM", "myotonic dystrophy")]),
        ("cáncer con virus humano (HIV)", []),
        ("dystrophy of muscle (DM)", [("DM", "dystrophy of muscle")]),
        ("VHL (von Hippel-Lindau) disease", [("VHL", "von Hippel-Lindau")]),
        ("non-Hodgkin lymphoma (NHL)", [("NHL", "non-Hodgkin lymphoma")]),
        ("ataxia-telangiectasia (A-T)", [("A-T", "ataxia-telangiectasia")]),
        ("a disorder (cystic fibrosis (CF)) here", [("CF", "cystic fibrosis")]),
        ("a disorder (cystic fibrosis [CF]) here", [("CF", "cystic fibrosis")]),
        ("nephrogenic diabetes insipidus (NDI (OMIM 304800))",
         [("NDI", "nephrogenic diabetes insipidus")]),
        ("basal cell carcinomas (BCCs) of", [("BCCs", "basal cell carcinomas")]),
        ("basal cell carcinoma (BCCs) of", [("BCCs", "basal cell carcinoma")]),
        ("congestive heart failure (CHF; see below)", [("CHF", "congestive heart failure")]),
        ('insulin resistance ("IR")', [("IR", "insulin resistance")]),
        ("Insuficiencia cardíaca (IC) crónica", [("IC", "Insuficiencia cardíaca")]),
        ("enfermedad de Ménière (EM)", [("EM", "enfermedad de Ménière")]),
        ("Duchenne (DMD) and Becker (BMD)", []),  # Neither word has the letters.
        ("seen by the nurse (RN, today)", []),
        ("pain (see above), fever (38.5)", []),
        ("several forms (type II) exist", []),
        ("She stayed. Home oxygen (SHO)", []),  # No long form begins in another sentence.
        ("()", []), ("(", []), ("", []), ("(DM)", []), ("DM ()", []), ("[[[((((DM", []),
    ],
)  # fmt: skip
def test_definitions(text, expected):
    assert pairs(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("every night (ON), then", [("ON", "every night")]),
        ("ON (every night)", [("ON", "every night")]),
        ("ON = every night.", [("ON", "every night")]),
        ("PT = prothrombin time was long", [("PT", "prothrombin time")]),
        ("prothrombin time = PT", [("PT", "prothrombin time")]),
        ("PT means prothrombin time; PE stands for physical exam",
         [("PT", "prothrombin time"), ("PE", "physical exam")]),
        ("once nightly (PN), parenteral nutrition (PN)", [("PN", "parenteral nutrition")]),
        ("ST (since 2010), ST (of the arm), ST (see text)", [("ST", "see text")]),
        ("x = 3, (ON) = , = ON", []),
    ],
)  # fmt: skip
def test_definitions_by_other_words(text, expected):
    assert pairs(text) == expected


def test_a_definition_by_its_last_letter_is_loose():
    assert [each.loose for each in abbreviations("every night (ON), see text (ST)")] == [
        True,
        False,
    ]


def test_spans_are_those_of_the_text():
    text = "naïve İ: Known type 2 diabetes (T2D), and heart failure [HF]."
    found = abbreviations(text)
    assert [each.short for each in found] == ["T2D", "HF"]
    for each in found:
        assert text[each.short_span.start : each.short_span.end] == each.short
        assert text[each.long_span.start : each.long_span.end] == each.long


def test_the_first_definition_of_a_short_form_counts():
    assert pairs("mitral stenosis (MS); multiple sclerosis (MS)") == [("MS", "mitral stenosis")]


def test_occurrences_stand_by_themselves_in_singular_and_plural():
    text = "BCCs: a BCC, BCC-like, (BCC) not BCCX, xBCC nor bcc"
    for short in ("BCC", "BCCs"):
        found = [text[span.start : span.end] for span in occurrences(text, [short])[short]]
        assert found == ["BCCs", "BCC", "BCC", "BCC"]
    assert [tuple(span) for span in occurrences("GEFS+ and A.B GEFS+", ["GEFS+"])["GEFS+"]] == [
        (0, 5), (14, 19),
    ]  # fmt: skip


@given(st.text(alphabet="abC (D)[].s-;\"'éİß", max_size=200))
def test_any_text_gives_definitions_that_are_in_it(text):
    for each in abbreviations(text):
        assert text[each.short_span.start : each.short_span.end] == each.short
        assert text[each.long_span.start : each.long_span.end] == each.long
        assert len(each.long) > len(each.short)
        assert (
            each.short_span in occurrences(text, [each.short])[each.short]
            or not each.short[-1].isalnum()
        )


@pytest.mark.parametrize(
    ("piece", "expected"),
    [("(", []), ("(A", []), ("A" * 9 + "(", []), ("word ", []),
     ("heart failure (HF) ", [("HF", "heart failure")])],
)  # fmt: skip
def test_documents_of_100_000_characters(piece, expected):
    text = piece * (100_000 // len(piece))
    assert pairs(text) == expected
    assert len(occurrences(text, ["HF"])["HF"]) == len(expected) * text.count("HF")
