import csv
import re

import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.encoder.tokens import TokenSequences
from embedlink.evaluation.errors import KINDS, error_counts, format_errors, write_errors_table
from embedlink.evaluation.metrics import end_to_end
from embedlink.evaluation.scorer import Scorer, predict, thresholds
from embedlink.linking.choice import Links
from embedlink.linking.entity_linking import EntityLinking
from embedlink.linking.mention_table import mention_table
from embedlink.types import Detection, Document, Mention

TEXT = "pure red cell aplasia, fever, flu; heart failure and chest pain"


def no_windows(texts):
    return TokenSequences.of([], [], 0)


def spans(phrases):
    return [(TEXT.index(phrase), TEXT.index(phrase) + len(phrase)) for phrase in phrases]


def errors_of(cdb, mentions, detected, rule="first"):
    """Count errors. `mentions` gives codes, `detected` a concept and a probability by phrase."""
    names = concept_names(cdb)
    gold = zip(spans(mentions), mentions.values(), strict=True)
    document = Document("1", TEXT, tuple(Mention(*span, code) for span, code in gold), "mine")
    ordered = sorted(zip(spans(detected), detected.values(), strict=True))
    found = [Detection(*span, "", ()) for span, _ in ordered]
    table = mention_table([document], [found], names, no_windows)
    concept = torch.full((len(table),), -1)
    probability = torch.zeros(len(table))
    for row, (_, (cui, value)) in zip(table.detection_rows[0].tolist(), ordered, strict=True):
        concept[row], probability[row] = names.cui_row[cui], value
    links = Links(concept, torch.ones(len(table)), probability, torch.zeros(len(table), 4))
    predictions = predict(table, links, names, 0.5)
    rows = error_counts(table, links, predictions, names, rule, 0.5)
    return rows, end_to_end(table, predictions, rule)


@pytest.mark.parametrize(
    ("mentions", "detected", "mention", "prediction"),
    [
        ({"fever": "C3"}, {"fever": ("C3", 0.9)}, "right", "right"),
        ({"fever": "none-such"}, {"fever": ("C3", 0.9)}, "not_in_database", "wrong_concept"),
        ({"fever": "C3"}, {"fever": ("C4", 0.9)}, "wrong_concept", "wrong_concept"),
        ({"fever": "C3"}, {"fever": ("C3", 0.4)}, "rejected_right_concept", None),
        ({"fever": "C3"}, {"fever": ("C4", 0.4)}, "rejected_wrong_concept", None),
        ({"fever": "C3"}, {}, "not_detected", None),
        ({"fever": "C3"}, {"fever": ("C3", 0.6), "aplasia, fever": ("C3", 0.9)}, "displaced",
         "starts_earlier"),
        ({"pure red cell": "C3"}, {"red cell": ("C3", 0.9)}, "not_detected", "starts_later"),
        ({"red cell": "C3"}, {"pure red cell": ("C3", 0.9)}, "not_detected", "starts_earlier"),
        ({"red cell": "C3"}, {"cell aplasia": ("C3", 0.9)}, "not_detected", "other_edges"),
        ({"fever": "C3"}, {"flu": ("C3", 0.9)}, "not_detected", "not_marked"),
        ({"fever": "NOMAP"}, {"fever": ("C3", 0.9)}, None, "not_gold"),
    ],
)  # fmt: skip
def test_each_mention_and_each_prediction_is_of_one_kind(
    cdb, mentions, detected, mention, prediction
):
    rows, _ = errors_of(cdb, mentions, detected)
    found = {(row.of, row.kind): row.number for row in rows if row.number}
    wanted = {("mention", mention), ("prediction", prediction)}
    assert found == dict.fromkeys([pair for pair in wanted if pair[1] is not None], 1)


def test_a_row_says_what_f1_would_be_without_its_errors(cdb):
    rows, metrics = errors_of(
        cdb,
        {"fever": "C3", "heart failure": "C4", "chest pain": "C5"},
        {"fever": ("C3", 0.9), "heart failure": ("C4", 0.4), "flu": ("C3", 0.9)},
    )
    without = {(row.of, row.kind): row.f1_without for row in rows}
    assert metrics["f1"] == pytest.approx(2 / 5)
    assert without["mention", "rejected_right_concept"] == pytest.approx(4 / 6)
    assert without["prediction", "not_marked"] == pytest.approx(2 / 4)
    assert without["prediction", "starts_later"] == pytest.approx(metrics["f1"])


def test_a_skipped_composite_is_counted_on_neither_side(cdb):
    rows, metrics = errors_of(cdb, {"fever": "C3|C4"}, {"fever": ("C5", 0.9)}, rule="skip")
    assert sum(row.number for row in rows) == metrics["fp"] + metrics["fn"] == 0


def test_kinds_add_up_to_medcats_counts_at_every_threshold(cdb, documents, linker, tmp_path):
    names = concept_names(cdb)
    table = mention_table(
        documents, VocabularyDetector(cdb, progress=False)(documents), names, linker.cutter
    )
    scorer = Scorer(EntityLinking.of(linker, names, linker.build_index(names, progress=None)))
    links = scorer.links(table, linker.encoder.encode(table.windows))
    spread = torch.linspace(0, 1, len(table))  # An untrained decision is as sure of everything.
    links = links._replace(probability=spread)
    for threshold in thresholds(table, links):
        predictions = predict(table, links, names, threshold)
        metrics = end_to_end(table, predictions, "first")
        rows = error_counts(table, links, predictions, names, "first", threshold)
        wrong = [row for row in rows if row.kind != "right"]
        assert sum(row.number for row in wrong if row.of == "mention") == metrics["fn"]
        assert sum(row.number for row in wrong if row.of == "prediction") == metrics["fp"]
        right = [row.f1_without for row in rows if row.kind == "right"]
        assert right == pytest.approx([metrics["f1"]] * 2)
    write_errors_table(tmp_path / "errors.csv", rows)
    with (tmp_path / "errors.csv").open(newline="") as file:
        read = list(csv.DictReader(file))
    assert [(row["of"], row["kind"], int(row["count"])) for row in read] == [
        (row.of, row.kind, row.number) for row in rows
    ]
    shown = re.findall(r"\| ([^|]+) \| (\d+) \| [\d.]+ \|$", format_errors(rows), re.MULTILINE)
    assert shown == [(KINDS[row.of][row.kind], str(row.number)) for row in rows]
