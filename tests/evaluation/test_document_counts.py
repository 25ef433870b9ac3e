import csv

import numpy as np
import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.evaluation.counts import total
from embedlink.evaluation.document_counts import HEADER, DocumentCounts
from embedlink.evaluation.metrics import Outcome
from embedlink.evaluation.scorer import Scorer
from embedlink.linking.entity_linking import EntityLinking
from embedlink.linking.mention_table import mention_table
from embedlink.problems import EmbedLinkError
from embedlink.types import Document, Mention, Prediction


@pytest.fixture
def table(cdb, documents, linker):
    outside = Document("g", "Zebra disease, cold.", (Mention(0, 13, "C77"),), "tiny")
    every = [documents[0], outside, documents[5]]
    found = VocabularyDetector(cdb, progress=False)(every)
    return mention_table(every, found, concept_names(cdb), linker.cutter)


def test_counts_by_hand(table):
    # MS and fever; zebra disease, outside the table; temperature and cold.
    ranks = torch.tensor([1.0, 3.0, torch.inf, 1.0, 1.0])
    predictions = [[Prediction(6, 8, "C1", 1.0), Prediction(33, 38, "C5", 1.0)], [], []]
    counts = DocumentCounts.of(table, Outcome(predictions, ranks), "first")
    assert counts.counts.tolist() == [[1, 1, 1, 2, 1], [0, 0, 1, 0, 0], [0, 0, 2, 2, 2]]


def test_they_sum_to_the_metrics(cdb, documents, linker):
    names = concept_names(cdb)
    found = VocabularyDetector(cdb, progress=False)(documents)
    table = mention_table(documents, found, names, linker.cutter)
    index = linker.build_index(names, progress=None)
    scorer = Scorer(EntityLinking.of(linker, names, index))
    vectors = linker.encoder.encode(table.windows)
    metrics = scorer.metrics(table, vectors)
    counts = DocumentCounts.of(table, scorer.outcome(table, vectors), "first").counts.sum(0)
    assert counts[:3].tolist() == [metrics["tp"], metrics["fp"], metrics["fn"]]
    assert counts[4] / counts[3] == pytest.approx(metrics["accuracy_at_1"])
    assert total([]).f1 == 0


def test_what_is_written_is_read_and_holds_no_text(table, tmp_path):
    ranks = torch.full((5,), 2.0)
    counts = DocumentCounts.of(table, Outcome([[], [], []], ranks), "first")
    counts.write(tmp_path / "counts.csv")
    again = DocumentCounts.read(tmp_path / "counts.csv")
    assert (again.documents, again.corpora) == (counts.documents, counts.corpora)
    assert np.array_equal(again.counts, counts.counts)
    written = (tmp_path / "counts.csv").read_text()
    assert not any(word in written for word in ("MS", "cold", "Zebra"))
    (header, *rows) = csv.reader(written.splitlines())
    assert tuple(header) == HEADER
    assert all(len(row[0]) == 32 for row in rows)


def test_sorted_rows_keep_their_counts():
    counts = DocumentCounts(["b", "a"], ["x", "x"], np.array([[1] * 5, [2] * 5]))
    ordered = counts.sorted()
    assert ordered.documents == ["a", "b"]
    assert ordered.counts[0].tolist() == [2] * 5


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "columns"),
        ("document,corpus\n", "columns"),
        (",".join(HEADER) + "\nd,c,1,2,3,4\n", ":2"),
        (",".join(HEADER) + "\nd,c,1,2,3,4,-1\n", ":2"),
    ],
)
def test_a_bad_file_is_named_with_its_line(text, said, tmp_path):
    (tmp_path / "counts.csv").write_text(text)
    with pytest.raises(EmbedLinkError, match=r"counts\.csv.*" + said):
        DocumentCounts.read(tmp_path / "counts.csv")
    (tmp_path / "bytes.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(EmbedLinkError, match=r"bytes\.csv: cannot be read"):
        DocumentCounts.read(tmp_path / "bytes.csv")
    with pytest.raises(EmbedLinkError, match=r"nothing\.csv: cannot be read"):
        DocumentCounts.read(tmp_path / "nothing.csv")
