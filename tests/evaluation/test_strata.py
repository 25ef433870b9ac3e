import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from embedlink.concepts.names import concept_names
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.evaluation.strata import breakdown, gold_groups
from embedlink.linking.mention_table import gold_surfaces, mention_table


def test_groups_by_hand(cdb, documents, linker):
    train, test = documents[:2], [documents[3], documents[1], documents[5]]
    names = concept_names(cdb)
    found = VocabularyDetector(cdb, progress=False)(test)
    table = mention_table(test, found, names, linker.cutter)
    assert gold_surfaces(table) == [
        "Disseminated sclerosis", "MS", "heart failure", "temperature", "cold",
    ]  # fmt: skip
    groups = gold_groups(table, names, TrainingMentions.of(train))
    assert groups["seen_concept"].tolist() == [True, True, True, True, False]  # C1 C2 C4 C3 C5
    assert groups["seen_surface"].tolist() == [False, True, True, False, False]
    assert groups["ambiguous_name"].tolist() == [False, True, False, False, False]
    assert groups["unambiguous_name"].tolist() == [True, False, True, False, True]
    assert groups["no_name"].tolist() == [False, False, False, True, False]


def test_metrics_by_hand_leave_empty_groups_out():
    ranks = torch.tensor([1.0, 2.0, 65.0, torch.inf])
    groups = {
        "seen": torch.tensor([True, True, False, False]),
        "unseen": torch.tensor([False, False, True, True]),
        "nobody": torch.zeros(4, dtype=torch.bool),
    }
    assert breakdown(ranks, groups) == {
        "accuracy_at_1/seen": 0.5, "recall_at_64/seen": 1.0, "mentions/seen": 2.0,
        "accuracy_at_1/unseen": 0.0, "recall_at_64/unseen": 0.0, "mentions/unseen": 2.0,
    }  # fmt: skip


@given(st.lists(st.tuples(st.integers(1, 100), st.booleans()), min_size=1))
def test_the_weighted_groups_give_the_whole(mentions):
    ranks = torch.tensor([float(rank) for rank, _ in mentions])
    inside = torch.tensor([seen for _, seen in mentions])
    metrics = breakdown(ranks, {"seen": inside, "unseen": ~inside})
    hits = sum(
        metrics.get(f"accuracy_at_1/{group}", 0) * metrics.get(f"mentions/{group}", 0)
        for group in ("seen", "unseen")
    )
    assert hits == pytest.approx(float((ranks <= 1).sum()), abs=1e-3)
