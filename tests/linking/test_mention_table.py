import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.linking.mention_table import NOT_GOLD, OUT_OF_TABLE, mention_table
from embedlink.types import Document, Mention


@pytest.fixture
def table(cdb, documents, linker):
    extra = Document("g", "Has zebra disease and a cold.", (Mention(4, 17, "C77"),), "tiny")
    every = [*documents, extra]
    found = VocabularyDetector(cdb, progress=False)(every)
    return mention_table(every, found, concept_names(cdb), linker.cutter)


def spans(table, document):
    rows = torch.nonzero(table.document == document).squeeze(1).tolist()
    return [(int(table.gold[r]), bool(table.detected[r]), bool(table.linked[r])) for r in rows]


def test_gold_and_detected_spans_appear_once(table):
    assert spans(table, 0) == [(0, True, True), (2, True, True)]


def test_detections_that_annotators_left_alone_are_nil(table):
    assert spans(table, 3) == [(0, True, True), (NOT_GOLD, True, False)]


def test_gold_that_detection_missed_or_the_table_lacks(table):
    assert spans(table, 5) == [(2, False, False), (4, True, True)]
    assert spans(table, 6)[0] == (OUT_OF_TABLE, False, False)
    assert int((table.gold == OUT_OF_TABLE).sum()) == 1
    assert not set(table.trainable.tolist()) & set(
        torch.nonzero(table.gold == OUT_OF_TABLE).squeeze(1).tolist()
    )


def test_own_counts_are_those_of_the_document(table, cdb):
    names = concept_names(cdb)
    counts = table.name_counts(len(names.names))
    cold = names.name_row["cold"]
    assert counts.detected[cold] == 5  # a cold day, common cold, in the cold, her cold, a cold
    assert counts.linked[cold] == 1
    detected, linked = table.own_counts
    row = next(
        r for r in range(len(table)) if table.candidates.name[r] == cold and table.document[r] == 2
    )
    assert detected[row] == 2
    assert linked[row] == 0


def test_detection_rows_follow_the_detections(table):
    for at, found in enumerate(table.detections):
        rows = table.detection_rows[at].tolist()
        assert len(rows) == len(found)
        assert all(table.detected[row] and table.document[row] == at for row in rows)
