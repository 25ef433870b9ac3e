"""The tokenizer for letters of every alphabet, alone, in names and in a pack."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from medcat.cat import CAT
from medcat.config import Config
from medcat.tokenizing.regex_impl.tokenizer import RegexTokenizer
from medcat.vocab import Vocab

from embedlink.concepts.database import load_cdb
from embedlink.detection.config import detect_as_medcat
from embedlink.detection.pipeline import VocabularyDetector, detection_config
from embedlink.detection.tokenizer import WordTokenizer
from embedlink.plugin import NER, TAGGING, TOKENIZER
from embedlink.problems import Problems
from embedlink.types import Document

TABLE = """cui,name,name_status
D1,íleo paralítico,P
D2,α-sarcoglicanopatía,P
D3,β-sarcoglicanopatía,P
D4,cough,P
"""


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "names.csv"
    path.write_text(TABLE, encoding="utf-8")
    return path


@pytest.fixture
def database(table):
    return load_cdb(table, Problems(), detection_config(comp_name=NER, min_name_len=2))


def found(cdb, text):
    (detections,) = VocabularyDetector(cdb, progress=False)([Document("a", text)])
    return [(text[each.start : each.end], each.candidates) for each in detections]


@given(st.text(alphabet="aZ 9.,-'()/\n\t", max_size=40))
def test_ascii_is_split_as_medcat_splits_it(text):
    def shown(tokenizer):
        return [
            (token.text, token.lower, token.text_with_ws, token.char_index, token.index)
            for token in tokenizer(text)
        ]

    assert shown(WordTokenizer()) == shown(RegexTokenizer())


def test_names_keep_letters_that_are_not_a_to_z(database, table):
    assert list(database.name2info) == [
        "íleo~paralítico", "α~sarcoglicanopatía", "β~sarcoglicanopatía", "cough",
    ]  # fmt: skip
    assert list(load_cdb(table, Problems()).name2info) == list(database.name2info)


def test_they_are_detected_in_every_writing(database):
    for written in ("íleo paralítico", "ÍLEO PARALÍTICO", "i\u0301leo parali\u0301tico",
                    "íl\u00adeo paralí\u200btico"):  # fmt: skip
        assert found(database, f"Presenta {written}.") == [(written, ("D1",))]


def test_a_greek_letter_tells_names_apart(database):
    assert found(database, "β-sarcoglicanopatía") == [("β-sarcoglicanopatía", ("D3",))]
    assert found(database, "γ-sarcoglicanopatía") == []


@pytest.mark.parametrize("broken", ["cou\ud83dgh", "cough\udce9s", "c\0ough", "cough\u00ading"])
def test_no_piece_of_a_word_is_detected(database, broken):
    assert found(database, f"A {broken} here, cough.") == [("cough", ("D4",))]


def test_a_pack_brings_it(database, tmp_path):
    database.config.components.comp_order = ["tagging", "token_normalizing", "ner"]
    cat = CAT(database, Vocab())
    loaded = CAT.load_model_pack(cat.save_model_pack(str(tmp_path), "pack", make_archive=False))
    assert loaded.config.general.nlp.provider == TOKENIZER
    assert loaded.config.components.tagging.comp_name == TAGGING
    (entity,) = loaded.pipe.get_doc("Un íleo paralítico").ner_ents
    assert (entity.base.start_char_index, entity.base.text) == (3, "íleo paralítico")


def test_a_pack_for_medcat_alone_has_medcats(database):
    detect_as_medcat(database.config)
    plain = Config()
    assert database.config.general.nlp.provider == plain.general.nlp.provider == "regex"
    assert database.config.components.tagging.comp_name == plain.components.tagging.comp_name
