import os

import numpy as np
import pytest
import torch
from hydra import compose, initialize

from embedlink.concepts.enrichment import enrich_cdb
from embedlink.concepts.names import concept_names
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.evaluation.baseline_outcome import baseline_outcome, measure_baseline, tie_break
from embedlink.evaluation.baselines import BASELINES
from embedlink.experiment.data import load_data
from embedlink.experiment.evaluate import NoWindows, data_baseline
from embedlink.experiment.parts import Inputs
from embedlink.experiment.resolvers import register_resolvers
from embedlink.linking.mention_table import gold_surfaces, mention_table
from tests.written import published


class Fixed:
    """Scores every surface alike."""

    def __init__(self, row):
        self.row = np.array(row, dtype=float)

    def scores(self, surfaces):
        return np.tile(self.row, (len(surfaces), 1))


@pytest.fixture
def split(cdb, documents):
    names = concept_names(cdb)
    found = VocabularyDetector(cdb, progress=False)(documents)
    return mention_table(documents, found, names, NoWindows()), names


def test_ranks_and_links_by_hand(split):
    table, names = split
    outcome = baseline_outcome(Fixed([2, 3, 1, 0, 1]), table, names, TrainingMentions({}, {}))
    # C2 before C1 before C3 and C5, of which the first in order counts; C4 is not found.
    expected = {"C1": 2, "C2": 1, "C3": 3, "C4": torch.inf, "C5": 4}
    gold = [names.cuis[row] for row in table.gold[table.gold >= 0].tolist()]
    assert outcome.ranks.tolist() == [expected[cui] for cui in gold]
    # MS may be C1 or C2; whatever has one candidate is linked to it.
    first = {(p.start, p.cui) for p in outcome.predictions[0]}
    assert first == {(6, "C2"), (33, "C3")}


def test_among_equals_the_most_frequent_in_training_counts(split):
    table, names = split
    often = TrainingMentions({"C2": 2, "C1": 1}, {})
    assert tie_break(names, often).argsort()[::-1].tolist() == [1, 0, 2, 3, 4]
    outcome = baseline_outcome(BASELINES["dictionary"](names, often, ()), table, names, often)
    ambiguous = [n for n, surface in enumerate(gold_surfaces(table)) if surface == "MS"]
    assert outcome.ranks[ambiguous].tolist() == [2, 1]  # C1 in note a, C2 in note b.
    assert {p.cui for p in outcome.predictions[0] if p.start == 6} == {"C2"}


@pytest.mark.parametrize("name", BASELINES)
def test_every_baseline_gives_the_metrics_of_a_linker(split, documents, name):
    table, names = split
    training = TrainingMentions.of(documents[:3])
    measured = measure_baseline(name, table, names, training, (), "first")
    for key in ("f1", "tiny/f1", "mention_recall", "accuracy_at_5", "recall_at_64", "mrr",
                "accuracy_at_1_all", "accuracy_at_1/seen_concept", "mentions/unseen_surface",
                "accuracy_at_1_low", "f1_high"):  # fmt: skip
        assert 0 <= measured.metrics[key] <= len(table)
    assert measured.metrics["accuracy_at_1"] > 0.5
    assert len(measured.documents.documents) == len(documents)


def test_the_published_metrics_of_ncbi():
    published("ncbi_disease")
    register_resolvers()
    with initialize(version_base="1.3", config_path="../conf"):
        overrides = [
            "baseline=dictionary", "data=ncbi", f"data_dir={os.environ['EMBEDLINK_DATA']}",
            "data.new_concepts=false",
        ]  # fmt: skip
        cfg = compose("evaluate", overrides=overrides)
    data = load_data(Inputs.of(cfg), "preferred")
    found = VocabularyDetector(data.cdb, progress=False)(data.splits.test)
    table = mention_table(data.splits.test, found, data.names, NoWindows())
    for name, accuracy in (("dictionary", 0.36), ("dictionary_spans", 0.70)):
        measured = data_baseline(name, data, table, "first")
        assert measured.metrics["accuracy_at_1"] == pytest.approx(accuracy, abs=0.01)


def test_the_plain_dictionary_links_as_without_the_names_of_training(cdb, documents):
    training = TrainingMentions.of(documents)

    def tp(name, added):
        names = concept_names(cdb)
        found = VocabularyDetector(cdb, progress=False)(documents)
        table = mention_table(documents, found, names, NoWindows())
        return measure_baseline(name, table, names, training, added, "first").metrics["tp"]

    before = tp("dictionary", ())
    added = enrich_cdb(cdb, documents)
    assert tp("dictionary", added) == before < tp("dictionary_spans", added)
