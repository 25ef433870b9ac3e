import pytest

from embedlink.senses.collected import collected
from embedlink.types import Document


def documents(*texts: str) -> list[Document]:
    return [Document(str(number), text) for number, text in enumerate(texts)]


def test_long_forms_that_documents_define_are_senses_with_shares():
    senses = collected(
        documents(
            "Seen by her primary care provider (PCP) on Monday.",
            "Treated for pneumocystis pneumonia (PCP). PCP again in May.",
            "Letter to the primary care provider (PCP).",
            "No definition of PCP here.",
        )
    )
    shares = {sense.long_form: sense.share for sense in senses.find("PCP")}
    assert shares == pytest.approx(
        {"primary care provider": 2 / 3, "pneumocystis pneumonia": 1 / 3}
    )
    assert {sense.source for sense in senses} == {"corpus"}


def test_spellings_of_one_long_form_are_one_sense():
    senses = collected(
        documents(
            "Transient ischaemic attacks (TIAs) in 2019.",
            "A transient ischaemic attack (TIA).",
            "One transient ischaemic attack (TIA) more.",
        )
    )
    (only,) = senses
    assert (only.short_form, only.long_form, only.share) == ("TIA", "transient ischaemic attack", 1)


def test_documents_without_definitions_give_no_sense():
    assert len(collected(documents("Well today.", ""))) == 0
