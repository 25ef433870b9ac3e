import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.evaluation.metrics import Outcome, end_to_end, gold_metrics, split_metrics
from embedlink.linking.mention_table import mention_table
from embedlink.types import Document, Mention, Prediction


@pytest.fixture
def split(cdb, documents, linker):
    outside = Document("g", "Zebra disease, cold.", (Mention(0, 13, "C77"),), "other")
    every = [documents[0], outside]
    names = concept_names(cdb)
    found = VocabularyDetector(cdb, progress=False)(every)
    return mention_table(every, found, names, linker.cutter), names


PREDICTIONS = [[Prediction(6, 8, "C1", 1.0), Prediction(33, 38, "C5", 1.0)], []]
RANKS = torch.tensor([1.0, 3.0, torch.inf])  # MS and fever; zebra disease, outside the table.


def test_end_to_end_by_hand_and_by_corpus(split):
    metrics = end_to_end(split[0], PREDICTIONS, "first")
    assert (metrics["tp"], metrics["fp"], metrics["fn"]) == (1, 1, 2)
    assert metrics["tiny/f1"] == 0.5
    assert metrics["other/f1"] == metrics["other/mention_recall"] == 0


def test_ranks_leave_out_what_the_table_lacks_but_for_all(split):
    metrics = gold_metrics(split[0], RANKS)
    assert metrics["accuracy_at_1"] == 0.5
    assert metrics["accuracy_at_5"] == 1
    assert metrics["accuracy_at_1_all"] == pytest.approx(1 / 3)


def test_seen_and_unseen_are_told_apart_where_training_is_known(split):
    table, names = split
    outcome = Outcome(PREDICTIONS, RANKS)
    known = split_metrics(table, outcome, names, "first", TrainingMentions({"C3": 1}, {}))
    assert known["accuracy_at_1/seen_concept"] == 0
    assert known["accuracy_at_1/unseen_concept"] == known["mentions/unseen_concept"] == 1
    assert "accuracy_at_1/seen_surface" not in known
    assert known["accuracy_at_1/ambiguous_name"] == 1
    without = split_metrics(table, outcome, names, "first")
    assert not any(key.endswith("_concept") for key in without)
