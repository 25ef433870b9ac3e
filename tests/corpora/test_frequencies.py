from hypothesis import given
from hypothesis import strategies as st

from embedlink.concepts.names import concept_names
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.linking.mention_table import NOT_GOLD, gold_surfaces, mention_table
from embedlink.text.words import normal_form
from embedlink.types import Document, Mention


def test_training_mentions_count_concepts_and_surfaces_by_hand(documents):
    training = TrainingMentions.of(documents)
    assert training.concepts["C1"] == 2
    assert training.surfaces["ms"] == {"C1": 1, "C2": 1}
    assert training.surfaces["disseminated sclerosis"] == {"C1": 1}


def test_composites_and_mentions_without_concept_are_not_counted():
    text = "asthma and cough"
    document = Document("d", text, (Mention(0, 6, "A+B"), Mention(11, 16, "NOMAP")))
    assert TrainingMentions.of([document]) == TrainingMentions({}, {})


def test_gold_surfaces_are_those_of_the_tables_gold_rows(cdb, documents, linker):
    found = VocabularyDetector(cdb, progress=False)(documents)
    names = concept_names(cdb)
    table = mention_table(documents, found, names, linker.cutter)
    surfaces = gold_surfaces(table)
    assert surfaces[:3] == ["MS", "fever", "MS"]
    gold = table.gold[table.gold != NOT_GOLD].tolist()
    concept_of = {d.text[m.start : m.end]: set() for d in documents for m in d.mentions}
    for document in documents:
        for m in document.mentions:
            concept_of[document.text[m.start : m.end]].add(m.cui)
    assert len(gold) == len(surfaces)
    assert all(names.cuis[row] in concept_of[s] for row, s in zip(gold, surfaces, strict=True))


@given(st.text(max_size=40))
def test_a_normal_form_stays_as_it_is_and_ignores_case_of_ascii(text):
    form = normal_form(text)
    assert normal_form(form) == form
    if text.isascii():
        assert normal_form(text.upper()) == form


def test_punctuation_and_blanks_do_not_count():
    assert normal_form("X-linked  Ataxia") == normal_form("x linked ataxia,") == "x linked ataxia"
    assert normal_form(" % ") == "%"
