import torch

from embedlink.concepts.names import ConceptNames
from embedlink.ragged import Groups
from embedlink.senses.known import competitors, concepts_of_senses
from embedlink.senses.table import Sense

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


def test_competitors_are_the_senses_outside_the_database():
    outside = sense("hospital day")
    assert competitors([sense("haemodialysis"), outside], NAMES) == [outside]
