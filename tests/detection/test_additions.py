"""What the ways of detecting do to one table of entities."""

import numpy as np
import pytest

from embedlink.concepts.database import load_cdb
from embedlink.detection.additions import add_tagged, define_short_forms, prefer_longer
from embedlink.detection.entity_table import EntityTable
from embedlink.detection.pipeline import detection_config
from embedlink.detection.spellings import NameVariants
from embedlink.detection.tagger import Tags
from embedlink.detection.tokenizer import WordTokenizer
from embedlink.plugin import NER
from embedlink.problems import Problems
from embedlink.text.words import WORD_OR_SIGN
from embedlink.types import Span

NAMES = """cui,name,name_status
F1,systolic murmur,P
F2,portal thrombosis,P
F2,PT,A
F3,pleural effusion,P
F4,progressive massive fibrosis,P
F5,Huntington disease,P
"""


@pytest.fixture
def variants(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(NAMES)
    made = NameVariants(load_cdb(path, Problems(), detection_config(comp_name=NER)))
    made.follow()
    return made


def table_of(text, *names):
    """The entities of these names, wherever they stand, each with itself as candidate."""
    table = EntityTable(WordTokenizer()(text), WordTokenizer(), [])
    for name in names:
        at = text.find(name)
        while at >= 0:
            table.put(table.tokens_of(Span(at, at + len(name))), name, [name])
            at = text.find(name, at + 1)
    return table


def tags_of(text, **mentions):
    """Tags by which these pieces of text are as probable as given."""
    words = [Span(*match.span()) for match in WORD_OR_SIGN.finditer(text)]
    begin, inside = np.zeros(len(words)), np.zeros(len(words))
    for piece, probability in mentions.items():
        start = text.index(piece.replace("_", " "))
        end = start + len(piece)
        for at, word in enumerate(words):
            if word.start == start:
                begin[at] = probability
            elif start < word.start < end:
                inside[at] = 1.0
    return Tags(words, begin, inside)


def shown(table):
    return {
        table.text[span.start : span.end]: list(table.found[span].link_candidates)
        for span in sorted(table.found)
    }


def test_a_short_form_means_what_the_note_says_wherever_it_stands(variants):
    text = "PT first. Then portal thrombosis (PT)."
    table = table_of(text, "portal thrombosis")
    define_short_forms(table, None, variants)
    assert shown(table) == {
        "PT": ["portal thrombosis"], "portal thrombosis": ["portal thrombosis"],
    }  # fmt: skip
    assert len(table.found) == 3


@pytest.mark.parametrize(
    "text",
    ["prothrombin time (PT). PT 14", "PT (prothrombin time), PT 14", "PT = prothrombin time; PT 14",
     "each trip (PT), PT"],
)  # fmt: skip
def test_what_is_no_concept_is_left_alone(text, variants):
    table = table_of(text, "PT")
    assert table.found
    define_short_forms(table, tags_of(text, PT=0.9), variants)
    assert not table.found


def test_a_long_form_that_may_be_a_mention_is_compared_with_all_names(variants):
    text = "primary torticollis (PT)"
    table = table_of(text, "PT")
    define_short_forms(table, tags_of(text, primary_torticollis=0.04), variants)
    assert shown(table) == {"PT": []}


def test_a_short_form_keeps_a_concept_of_the_same_words(variants):
    text = "pleural fluid effusion (PE), PE"
    table = table_of(text, "PE")
    for entity in table.found.values():
        entity.link_candidates = ["F3"]
    define_short_forms(table, None, variants)
    assert shown(table) == {"PE": ["F3"]}


@pytest.mark.parametrize(
    ("text", "short", "concept", "kept"),
    [
        ("fibrosis masiva progresiva (FMP), FMP", "FMP", "F4", True),
        ("Hirschsprung disease (HD), HD", "HD", "F5", False),
        ("helper deficit disease (HD), HD", "HD", "F5", False),
        ("Huntington, the disease gene (HD), HD", "HD", "F5", True),
    ],
)
def test_words_that_tell_diseases_apart_decide_in_two_languages(
    variants, text, short, concept, kept
):
    table = table_of(text, short)
    for entity in table.found.values():
        entity.link_candidates = [concept]
    define_short_forms(table, None, variants)
    assert bool(table.found) == kept


def test_a_remark_is_no_definition(variants):
    text = "left pleural effusion (RE), RE"
    table = table_of(text, "pleural effusion", "RE")
    define_short_forms(table, None, variants)
    assert "RE" in shown(table)


def test_the_longer_of_two_with_one_end_wins_if_it_is_as_probable():
    text = "loud systolic murmur"
    for probability, expected in ((0.7, ["loud systolic murmur"]), (0.2, None)):
        table = table_of(text, "loud systolic murmur", "systolic murmur")
        prefer_longer(table, tags_of(text, loud_systolic_murmur=probability), least=0.05)
        assert list(shown(table)) == (expected or ["loud systolic murmur", "systolic murmur"])


def test_the_tagger_adds_what_no_guard_refuses(variants):
    text = "Pt has a pleural thickening, and effusion"
    for piece, expected in (
        ("Pt", []), ("pleural", []), ("pleural_thickening", ["pleural thickening"]),
        ("effusion", ["effusion"]), ("a", []), ("thickening,", []),
    ):  # fmt: skip
        table = table_of(text)
        tags = tags_of(text, **{piece: 0.9})
        add_tagged(table, tags, variants, least=0.5, least_letters=2)
        assert list(shown(table)) == expected
