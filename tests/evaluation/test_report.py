import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.evaluation.report import measure_linker, measure_outcome
from embedlink.evaluation.scorer import Scorer, judge
from embedlink.linking.entity_linking import EntityLinking
from embedlink.linking.mention_table import mention_table
from embedlink.problems import EmbedLinkError
from embedlink.types import Document, Mention


@pytest.fixture
def scored(cdb, documents, linker):
    names = concept_names(cdb)
    found = VocabularyDetector(cdb, progress=False)(documents)
    table = mention_table(documents, found, names, linker.cutter)
    index = linker.build_index(names, progress=None)
    training = TrainingMentions.of(documents[:2])
    scorer = Scorer(EntityLinking.of(linker, names, index), training=training)
    return scorer, table, linker.encoder.encode(table.windows)


def test_composites_that_are_skipped_are_not_calibrated_on(cdb, linker):
    text = "Fever, heart failure."
    mentions = (Mention(0, 5, "C3|C5"), Mention(7, 20, "C4"))
    documents = [Document("1", text, mentions, "mine", "test")]
    names = concept_names(cdb)
    table = mention_table(
        documents, VocabularyDetector(cdb, False)(documents), names, linker.cutter
    )
    index = linker.build_index(names, progress=None)
    scorer = Scorer(EntityLinking.of(linker, names, index))
    links = scorer.links(table, linker.encoder.encode(table.windows))
    assert judge(table, links, names, "first").counted[table.detected].tolist() == [True, True]
    skipped = judge(table, links, names, "skip")
    starts = [each.start for each in table.detections[0]]
    assert starts == [0, 7]
    assert skipped.counted[table.detection_rows[0]].tolist() == [False, True]


def test_an_untrained_linker_is_half_sure_of_everything(scored):
    scorer, table, vectors = scored
    measured = measure_linker(scorer, table, vectors)
    judged = judge(table, scorer.links(table, vectors), scorer.names, scorer.code_rule)
    assert torch.equal(judged.counted, table.detected)
    right = float(judged.right[judged.counted].float().mean())
    assert measured.metrics["calibration_error"] == pytest.approx(abs(right - 0.5))
    assert measured.metrics["threshold"] == measured.threshold == 0
    for metric in ("precision", "recall", "f1", "accuracy_at_1"):
        low, high = (measured.metrics[f"{metric}_{end}"] for end in ("low", "high"))
        assert low <= measured.metrics[metric] <= high


def test_files_of_a_linker_and_of_what_has_no_threshold(scored, tmp_path):
    scorer, table, vectors = scored
    files = measure_linker(scorer, table, vectors).write(tmp_path / "linker", "test")
    assert [file.name for file in files] == [
        "test_documents.csv", "test_curve.csv", "test_curve.png", "test_errors.csv",
    ]  # fmt: skip
    outcome = scorer.outcome(table, vectors)
    plain = measure_outcome(table, outcome, scorer.names, "first", None)
    (only,) = plain.write(tmp_path / "baseline", "validation")
    assert only.name == "validation_documents.csv"
    assert only.read_text() == files[0].read_text()
    assert not any("seen" in metric for metric in plain.metrics)
    (tmp_path / "blocked").write_text("in the way")
    with pytest.raises(EmbedLinkError, match="blocked: cannot be written"):
        plain.write(tmp_path / "blocked", "test")
