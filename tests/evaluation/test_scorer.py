import dataclasses
import json

import pytest
import torch
from medcat.cat import CAT
from medcat.stats.stats import get_stats

from embedlink.concepts.database import load_cdb
from embedlink.concepts.names import concept_names
from embedlink.detection.pipeline import VocabularyDetector, detection_config
from embedlink.evaluation.operating_point import OperatingPoint
from embedlink.evaluation.scorer import Scorer, best_threshold, judge, trade_offs
from embedlink.linking.choice import Links
from embedlink.linking.decision import NameCounts
from embedlink.linking.entity_linking import EntityLinking
from embedlink.linking.mention_table import mention_table
from embedlink.linking.reranker import Reranker
from embedlink.linking.settings import RerankerSettings
from embedlink.medcat.pack import linking_cat, save_pack
from embedlink.plugin import NER
from embedlink.problems import Problems


def export(documents):
    return {
        "projects": [
            {
                "name": "test", "id": 1, "cuis": "", "tuis": "",
                "documents": [
                    {
                        "id": n, "name": d.id, "text": d.text, "last_modified": "",
                        "annotations": [
                            {"id": k, "start": m.start, "end": m.end, "cui": m.cuis[0],
                             "value": d.text[m.start : m.end], "validated": True}
                            for k, m in enumerate(d.mentions)
                        ],
                    }
                    for n, d in enumerate(documents)
                ],
            }
        ]
    }  # fmt: skip


@pytest.fixture
def scored(cdb, documents, linker):
    names = concept_names(cdb)
    found = VocabularyDetector(cdb, progress=False)(documents)
    table = mention_table(documents, found, names, linker.cutter)
    index = linker.build_index(names, progress=None)
    scorer = Scorer(EntityLinking.of(linker, names, index))
    return table, scorer, linker.encoder.encode(table.windows)


def test_surfaces_count_in_a_pack_as_in_training(cdb, documents, linker, tmp_path):
    linker = linker.adapted(dataclasses.replace(linker.settings, surface_weight=1.0))
    names = concept_names(cdb)
    found = VocabularyDetector(cdb, progress=False)(documents)
    table = mention_table(documents, found, names, linker.cutter)
    index = linker.build_index(names, progress=None)
    scorer = Scorer(EntityLinking.of(linker, names, index))
    expected = scorer.outcome(table, linker.encoder.encode(table.windows)).predictions
    linker.save(tmp_path / "linker", names, index)
    pack = save_pack(linking_cat(tmp_path / "linker", cdb), tmp_path / "pack")
    cat = CAT.load_model_pack(str(pack))
    assert cat.config.components.linking.surface_weight == 1.0
    for document, predictions in zip(documents, expected, strict=True):
        found = cat.get_entities(document.text)["entities"].values()
        assert [(e["start"], e["cui"]) for e in found] == [(p.start, p.cui) for p in predictions]
        similarity = [e["context_similarity"] for e in found]
        assert similarity == pytest.approx([p.similarity for p in predictions], abs=1e-5)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 0.52])
def test_counts_equal_medcat_stats_on_a_saved_pack(
    scored, cdb, documents, linker, tmp_path, threshold
):
    table, scorer, vectors = scored
    torch.manual_seed(1)
    torch.nn.init.normal_(linker.decision.head.weight, std=0.05)
    linker.decision.threshold.fill_(threshold)
    metrics = scorer.metrics(table, vectors)
    linker.save(tmp_path / "linker", scorer.names, scorer.linking.index)
    pack = save_pack(linking_cat(tmp_path / "linker", cdb), tmp_path / "pack")
    cat = CAT.load_model_pack(str(pack))
    data = json.loads(json.dumps(export(documents)))
    fps, fns, tps, *_ = get_stats(cat, data, do_print=False)
    assert [sum(c.values()) for c in (tps, fps, fns)] == [
        metrics["tp"], metrics["fp"], metrics["fn"],
    ]  # fmt: skip


def test_the_threshold_that_separates_best_is_found(scored):
    table, scorer, _ = scored
    probability = torch.where(table.linked, 0.9, 0.2)
    concept = torch.where(table.gold >= 0, table.gold, 0)
    links = Links(concept, torch.ones(len(table)), probability, torch.empty(len(table), 0))
    threshold = best_threshold(table, links, scorer.names, "first")
    assert 0.2 < threshold <= 0.9


def test_fitting_calibrates_and_serves_the_operating_point(scored, caplog):
    table, scorer, vectors = scored
    torch.manual_seed(1)
    torch.nn.init.normal_(scorer.decision.head.weight, std=0.05)
    right = judge(table, scorer.links(table, vectors), scorer.names, "first").right.float()

    def loss():
        probability = scorer.links(table, vectors).probability[table.detected]
        return torch.nn.functional.binary_cross_entropy(probability, right[table.detected])

    before = loss()
    scorer.fit(table, vectors, OperatingPoint("recall", 0.5))
    assert loss() < before
    assert scorer.metrics(table, vectors)["recall"] >= 0.5
    assert not caplog.records
    scorer.fit(table, vectors, OperatingPoint("recall", 0.999))
    assert "no threshold gives recall 0.999" in caplog.text


def test_trade_offs_begin_where_everything_is_linked(scored):
    table, scorer, vectors = scored
    rows = trade_offs(table, scorer.links(table, vectors), scorer.names, "first")
    metrics = scorer.metrics(table, vectors)  # An untrained decision links everything.
    assert (rows[0].threshold, rows[0].corpus) == (0, "tiny")
    assert (rows[0].counts.tp, rows[0].counts.fp) == (metrics["tp"], metrics["fp"])
    assert [row.threshold for row in rows] == sorted(row.threshold for row in rows)


def test_metrics_by_corpus_sum_to_the_whole(scored):
    table, scorer, vectors = scored
    metrics = scorer.metrics(table, vectors)
    assert metrics["tiny/f1"] == metrics["f1"]
    assert metrics["tp"] + metrics["fn"] >= 10
    assert 0 <= metrics["mrr"] <= 1


def test_name_counts_survive_a_change_of_rows(cdb, linker):
    names = concept_names(cdb)
    counts = NameCounts.empty(len(names.names))
    counts.detected[names.name_row["fever"]] = 3
    counts.linked[names.name_row["fever"]] = 2
    counted = linker.with_counts(counts, names)
    assert counted.counts == {"fever": (3, 2)}
    assert not linker.counts
    assert counted.name_counts(names).linked.sum() == 2


@pytest.mark.parametrize("rerank", [False, True])
def test_a_pack_links_what_the_tagger_finds_as_the_evaluation_does(
    cdb, documents, linker, tagger_folder, concept_table, tmp_path, tiny_encoder, rerank
):
    config = detection_config(
        comp_name=NER, min_name_len=2, tagger=str(tagger_folder), least_tagged=0.2
    )
    cdb = load_cdb(concept_table, Problems(), config)
    settings = dataclasses.replace(linker.settings, frequency_weight=0.1)
    linker = dataclasses.replace(linker, settings=settings, frequencies={"C3": 5, "C2": 2})
    names = concept_names(cdb)
    found = VocabularyDetector(cdb, progress=False)(documents)
    table = mention_table(documents, found, names, linker.cutter)
    assert bool((table.candidates.concepts.sizes == 0)[table.detected].any())
    index = linker.build_index(names, progress=None)
    if rerank:
        reranker = Reranker.untrained(RerankerSettings(top_k=3), str(tiny_encoder))
        torch.nn.init.normal_(reranker.head.weight, std=5.0)
        linker = dataclasses.replace(linker, reranker=reranker)
    linking = EntityLinking.of(linker, names, index)
    scorer = Scorer(linking)
    vectors = linker.encoder.encode(table.windows)
    plain = Scorer(dataclasses.replace(linking, reranking=None)).links(table, vectors)
    assert torch.equal(scorer.links(table, vectors).concept, plain.concept) != rerank
    torch.nn.init.normal_(linker.decision.head.weight, std=0.05)
    scorer.fit(table, vectors)
    metrics = scorer.metrics(table, vectors)
    expected = scorer.outcome(table, vectors).predictions
    linker.save(tmp_path / "linker", names, index)
    pack = save_pack(linking_cat(tmp_path / "linker", cdb), tmp_path / "pack")
    cat = CAT.load_model_pack(str(pack))
    for document, predictions in zip(documents, expected, strict=True):
        entities = cat.get_entities(document.text)["entities"].values()
        assert [(e["start"], e["cui"]) for e in entities] == [(p.start, p.cui) for p in predictions]
    fps, fns, tps, *_ = get_stats(cat, json.loads(json.dumps(export(documents))), do_print=False)
    assert [sum(c.values()) for c in (tps, fps, fns)] == [
        metrics["tp"], metrics["fp"], metrics["fn"],
    ]  # fmt: skip
