from embedlink.senses.ambiguous import Ambiguous, LongForms, of_table, phrases_of
from embedlink.senses.substitution import substitute
from embedlink.senses.table import Sense, Senses

ARM = Ambiguous("LA", (("left arm",), ("left atrium", "left atria")))


def test_a_table_gives_short_forms_with_two_senses_or_more():
    senses = Senses.of([
        Sense("LA", "left arm", 0.5), Sense("LA", "left atrium", 0.3), Sense("LA", "Left Arm", 0.1),
        Sense("QZ", "quiet zone", 1.0),
    ])  # fmt: skip
    [found] = of_table(senses)
    assert found.short_form == "LA"
    assert found.senses == (("left arm", "Left Arm"), ("left atrium",))


def test_long_forms_are_found_whole_and_the_longest_first():
    both = [ARM, Ambiguous("LAP", (("left atrium pressure",), ("lap",)))]
    text = "Left atrium pressure up; left  atrium large, left armpit."
    found = list(LongForms.of(both).find(text))
    assert [(text[start:end], sense) for start, end, sense in found] == [
        ("Left atrium pressure", 2), ("left  atrium", 1)
    ]  # fmt: skip


def test_long_forms_are_found_in_the_plural_and_in_both_spellings():
    anaemia = Ambiguous("AN", (("anaemia",), ("nasal airway",)))
    text = "Anemia, blocked nasal airways."
    assert [text[start:end] for start, end, _ in LongForms.of([anaemia]).find(text)] == [
        "Anemia", "nasal airways"
    ]  # fmt: skip


def test_an_example_holds_the_short_form_in_place_of_the_long_form():
    texts = ["Nothing here.", "Clot in the left atria, then gone."]
    [example] = substitute(texts, [ARM], per_sense=5, seed=0).examples
    assert example.document == 1
    assert example.text == "Clot in the LA, then gone."
    assert example.text[example.start : example.end] == "LA"
    assert example.sense == 1


def test_no_sense_has_more_examples_than_asked_for_and_the_seed_decides_them():
    texts = [f"{n}: left arm." for n in range(30)]
    drawn = [substitute(texts, [ARM], per_sense=4, seed=seed).examples for seed in (0, 0, 1)]
    assert len(drawn[0]) == 4
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_phrases_with_the_same_initials_become_a_short_form():
    texts = ["The chest pain eased. Cardiac pacing began.", "Cardiac pacing; chest pain."] * 2
    found = {each.short_form: each.senses for each in phrases_of(texts, seed=0)}
    assert sorted(found["CP"]) == [("cardiac pacing",), ("chest pain",)]
    assert "CP" not in {each.short_form for each in phrases_of(texts, seed=0, without=["cp"])}


def test_a_phrase_of_one_text_is_not_phrases_of():
    assert not phrases_of(["chest pain, cardiac pacing. " * 5], seed=0)
