"""What a word is, and the forms in which texts are compared and read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from embedlink.text.words import LETTERS, TOKEN, WORD, WORD_OR_SIGN, folded, normal_form, readable


@pytest.mark.parametrize(
    "word",
    ["ictus", "íleo", "i\u0301leo", "β2", "fi\u00adebre", "fie\u200bbre", "ni\ud800o", "ni\0o",
     "an\ufffdmia", "Ödem", "ΙΩΑ"],
)  # fmt: skip
def test_a_word_is_never_cut(word):
    for expression in (WORD, WORD_OR_SIGN, TOKEN, LETTERS):
        assert expression.findall(f"({word}, {word}.").count(word) == 2


def test_signs_are_apart():
    assert TOKEN.findall("_a, b_c -- d.") == ["_", "a", ",", "b_c", "--", "d", "."]
    assert LETTERS.findall("b_c") == ["b", "c"]
    assert WORD_OR_SIGN.findall("x-y)") == ["x", "-", "y", ")"]


def test_ways_to_write_one_word_are_folded():
    ways = ["Íleo", "I\u0301leo", "íl\u00adeo", "i\u0301le\u200bo"]
    assert {folded(way) for way in ways} == {"íleo"}
    assert folded("ﬂebitis") == "flebitis"
    assert folded("α") != folded("β") != folded("b")
    assert normal_form("Íleo-biliar") == normal_form("i\u0301leo biliar")


@given(st.text())
def test_a_readable_text_has_its_length_and_can_be_written(text):
    made = readable(text)
    assert len(made) == len(text)
    made.encode()
    assert "\0" not in made
    assert readable(made) == made


@given(st.text())
def test_a_folded_word_stays_as_it_is(text):
    assert folded(folded(text)) == folded(text)


@given(st.text(alphabet=st.characters(exclude_categories=())))
def test_every_character_is_a_blank_or_in_a_token(text):
    assert "".join(TOKEN.findall(text)) == "".join(text.split())
