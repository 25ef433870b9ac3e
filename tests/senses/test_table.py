from pathlib import Path

import pytest

from embedlink.problems import BadInputError, EmbedLinkError, Problems
from embedlink.senses.table import LANGUAGES, Sense, Senses
from embedlink.text.words import normal_form

HEADER = "short_form,long_form,share,source\n"


@pytest.fixture
def english() -> Senses:
    return Senses.load("en")


def written(folder: Path, rows: str, name: str = "own.csv") -> Path:
    path = folder / name
    path.write_text(HEADER + rows, encoding="utf-8")
    return path


def test_packaged_tables_are_large_and_sound(english):
    assert len(english.by_short_form) >= 600
    assert len(Senses.load("es").by_short_form) >= 150
    for language in LANGUAGES:
        for senses in Senses.load(language).by_short_form.values():
            assert sum(sense.share for sense in senses) <= 1.001
            assert all(sense.share > 0 and sense.source for sense in senses)
            forms = [normal_form(sense.long_form) for sense in senses]
            assert len(set(forms)) == len(forms)


def test_estimates_say_so_and_counted_shares_name_their_source(english):
    sources = {part for sense in english for part in sense.source.split("+")}
    assert sources == {"estimate", "casi", "stetson", "vanderbilt-clinic", "vanderbilt-discharge"}
    assert {sense.source for sense in Senses.load("es")} == {"estimate"}


def test_the_usual_meaning_comes_first(english):
    first = {short: english.find(short)[0].long_form for short in ("PCP", "RA", "BD", "NS", "ED")}
    assert first == {
        "PCP": "primary care physician",
        "RA": "room air",
        "BD": "twice daily",
        "NS": "normal saline",
        "ED": "emergency department",
    }


@pytest.mark.parametrize("surface", ["Pt", "pt", "Pts"])
def test_case_tells_a_patient_from_a_test(english, surface):
    assert {sense.long_form for sense in english.find(surface)} <= {"patient", "patients"}
    assert "prothrombin time" in {sense.long_form for sense in english.find("PT")}


def test_titles_and_ordinary_words_have_no_clinical_sense(english):
    for surface in ("Dr", "Mr", "Ms", "Mrs", "as", "As", "low", "mm"):
        assert len(english.find(surface)) == 1


def test_surfaces_are_found_without_their_case_and_full_stops(english):
    for surface in ("bd", "b.d.", "Bd", "B.D."):
        assert english.find(surface) == english.find("BD")
    assert english.find("no such form") == ()


def test_own_shares_replace_those_of_the_short_forms_that_they_list(english, tmp_path):
    own = Senses.load(written(tmp_path, "RA,rheumatoid arthritis,0.9,rheumatology\n"))
    both = english.replaced(own)
    assert both.find("RA") == (Sense("RA", "rheumatoid arthritis", 0.9, "rheumatology"),)
    assert both.find("PCP") == english.find("PCP")


def test_senses_that_are_found_share_a_fifth():
    known = Senses.of([Sense("QX", "quality index", 0.5), Sense("QX", "quartz", 0.5)])
    found = Senses.of(
        [Sense("QX", "quiet zone", 1.0), Sense("QX", "Quartz", 0.5), Sense("ZY", "zy", 1)]
    )
    both = known.extended(found)
    shares = {sense.long_form: sense.share for sense in both.find("QX")}
    assert shares == pytest.approx({"quality index": 0.4, "quartz": 0.4, "quiet zone": 0.2})
    assert both.find("ZY") == found.find("ZY")


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("HD,,0.5,\n", ("own.csv:2", "empty long_form", "fill it in")),
        ("HD,hospital day,1.7,\n", ("own.csv:2", "'1.7'", "from 0 to 1")),
        ("HD,hospital day,0.7,\nHD,high dose,0.6,\n", ("own.csv:3", "'HD'", "at most 1")),
        ("HD,high dose,0.2,\nHD,High-dose,0.3,\n", ("own.csv:3", "'HD'", "keep one")),
    ],
)
def test_errors_name_file_line_value_and_remedy(tmp_path, rows, words):
    with pytest.raises(BadInputError) as error:
        Senses.load(written(tmp_path, rows))
    assert all(word in str(error.value) for word in words)


def test_problems_are_noted_and_the_other_rows_read(tmp_path):
    problems = Problems()
    rows = "HD,hospital day,lots,\nHD,high dose,0.3,\n"
    assert len(Senses.load(written(tmp_path, rows), problems)) == 1
    assert len(problems.rejected) == 1


def test_a_missing_table_names_the_languages(tmp_path):
    with pytest.raises(EmbedLinkError, match="en, es"):
        Senses.load(tmp_path / "none.csv")


def test_the_source_column_and_commas_are_free(tmp_path):
    path = tmp_path / "own.tsv"
    path.write_text("short_form\tlong_form\tshare\nQX\tquiet, please\t1\n", encoding="utf-8")
    assert Senses.load(path).find("QX") == (Sense("QX", "quiet, please", 1.0),)


def test_a_long_form_may_have_other_wordings(tmp_path):
    senses = Senses.load(written(tmp_path, "RA,right atrium | right atrial,1,\n"))
    assert senses.find("RA") == (Sense("RA", "right atrium", 1.0, "", ("right atrial",)),)
