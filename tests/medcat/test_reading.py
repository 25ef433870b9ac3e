"""Which windows are read, and that a note can be read once for all of its mentions."""

import pytest

from tests.medcat.conftest import entities, linking_of


def test_spans_that_no_window_can_make_probable_are_not_encoded(make_cat, monkeypatch):
    cat = make_cat()
    linking = linking_of(cat)
    before = entities(cat)
    read = []
    encode = type(linking.linker.encoder).encode
    monkeypatch.setattr(
        type(linking.linker.encoder), "encode",
        lambda self, windows, *rest: read.append(len(windows)) or encode(self, windows, *rest),
    )  # fmt: skip
    assert entities(cat) == before
    assert read
    # Now no window adds anything, so what is known before decides: a probability of 0.5.
    linking.linker.decision.reach.fill_(0.0)
    cat.config.components.linking.link_threshold = 0.6
    read.clear()
    assert entities(cat) == []
    assert not read
    cat.config.components.linking.link_threshold = 0.5
    assert len(entities(cat)) == len(before)
    assert read


def test_a_note_is_read_once_for_all_of_its_mentions(make_cat):
    cat = make_cat()
    before, linking = entities(cat), linking_of(cat)
    index = linking.current_index()
    cat.config.components.linking.reads = "note"
    after = entities(cat)
    assert [found[:2] for found in after] == [found[:2] for found in before]
    assert linking.current_index() is index  # Names are encoded as before.
    text = "High fever today."
    ((start, end, cui, cosine),) = entities(cat, text)
    vectors = linking.linker.encoder.encode(linking.linker.cutter([(text, [(start, end)])]))
    row = linking.current_names().cui_row[cui]
    assert float(vectors[0] @ linking.current_index().concept_vectors[row]) == pytest.approx(
        cosine, abs=1e-4
    )
