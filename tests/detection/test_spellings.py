"""The table of variants follows the database."""

import pytest
from medcat.preprocessors.cleaners import NameDescriptor

from embedlink.detection.spellings import NameVariants
from embedlink.text.spelling import content_words


def add(cdb, cui, name):
    described = NameDescriptor(name.split("~"), {name}, name, False)
    cdb._add_concept(cui, {name: described}, set(), "A", set(), "", full_build=True)


@pytest.fixture
def variants(cdb):
    made = NameVariants(cdb)
    made.follow()
    return made


def test_the_same_order_comes_before_any(cdb, variants):
    add(cdb, "C4", "failure~heart")
    variants.follow()
    assert variants.names(["heart", "failures"]) == ["heart~failure"]
    assert variants.names(["failures", "heart"]) == ["failure~heart", "failure~of~the~heart"]
    assert variants.names(["sclerosis", "multiple"]) == ["multiple~sclerosis"]
    assert variants.names(["sclerosis", "multiple"], any_order=False) == []
    assert variants.names(["nothing"]) == []


def test_new_names_are_known_and_removed_ones_are_not(cdb, variants):
    add(cdb, "C9", "optic~neuritis")
    add(cdb, "C9", "neuritis~of~optic~nerve")
    variants.follow()
    assert variants.names(["neuritis", "optic"]) == ["optic~neuritis"]
    assert "neurit" in variants.words
    cdb.remove_cui("C9")
    assert variants.names(["neuritis", "optic"]) == []
    variants.follow()
    add(cdb, "C8", "optic~neuritis")
    variants.follow()
    assert variants.names(["neuritis", "optic"]) == ["optic~neuritis"]


def test_followed_is_as_read_anew(cdb, variants):
    for step in range(6):
        if step == 3:
            cdb.remove_cui("C5")
        add(cdb, f"C{step}", f"number~{step}~fever")
        if step % 2:
            variants.follow()
    fresh = NameVariants(cdb)
    fresh.follow()
    for name in cdb.name2info:
        content = content_words(name.split("~"))
        assert variants.names(content) == fresh.names(content)
