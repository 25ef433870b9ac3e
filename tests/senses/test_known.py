import torch

from embedlink.concepts.names import ConceptNames
from embedlink.ragged import Groups
from embedlink.senses.known import concepts_of_senses, worded
from embedlink.senses.table import Sense, Senses

NAMES = ConceptNames(
    names=("haemodialysis", "hd", "huntington~s~disease", "type~2~diabetes"),
    cuis=("C1", "C2", "C3"),
    texts=(
        "haemodialysis",
        "hd",
        "huntington s disease",
        "type 2 diabetes",
        "Renal dialysis by machine",
    ),
    representative=torch.tensor([4, 2, 3]),
    concepts_of_name=Groups.of([[0], [0, 1], [1], [2]]),
)


def sense(long_form: str) -> Sense:
    return Sense("HD", long_form, 0.5)


def test_a_sense_is_the_concept_that_has_its_long_form_as_a_name():
    senses = [sense("Hemodialysis"), sense("hospital day"), sense("Huntington's disease")]
    assert concepts_of_senses(senses, NAMES) == dict(zip(senses, ([0], [], [1]), strict=True))


def test_word_order_and_representative_names_count():
    senses = [sense("diabetes, type 2"), sense("renal dialysis by machine")]
    assert list(concepts_of_senses(senses, NAMES).values()) == [[2], [0]]


def test_a_shared_name_gives_every_concept():
    assert concepts_of_senses([sense("HD")], NAMES)[sense("HD")] == [0, 1]


def test_any_wording_of_a_sense_may_be_a_name():
    dialysis = Sense("HD", "dialysis", 0.5, also=("haemodialysis",))
    assert concepts_of_senses([dialysis], NAMES) == {dialysis: [0]}


def test_full_names_of_a_concept_are_wordings_of_its_sense():
    senses = worded(Senses.of([sense("haemodialysis"), sense("hospital day")]), NAMES)
    assert [each.also for each in senses] == [("Renal dialysis by machine",), ()]
