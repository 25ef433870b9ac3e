"""What a short form means where it stands: context and shares against the concepts."""

import copy

import pytest
import torch
from torch.nn import functional as F

from embedlink.concepts.names import concept_names
from embedlink.evaluation.scorer import Scorer
from embedlink.linking import senses
from embedlink.linking.choice import Candidates, link
from embedlink.linking.decision import LinkDecision, NameCounts
from embedlink.linking.entity_linking import EntityLinking
from embedlink.linking.linker import Linker
from embedlink.linking.mention_table import mention_table
from embedlink.linking.senses import SenseReader
from embedlink.problems import EmbedLinkError
from embedlink.ragged import Groups
from embedlink.senses.table import Sense, Senses
from embedlink.types import Detection, Document, Mention

TABLE = Senses.of([
    Sense("MS", "mental status", 0.6), Sense("MS", "multiple sclerosis", 0.3),
    Sense("MS", "mitral stenosis", 0.1), Sense("Fe", "iron", 1.0),
])  # fmt: skip
TEXT = "Known MS with fever. Fe low."
MS = Detection(6, 8, "ms", ("C1", "C2"))
FEVER = Detection(14, 19, "fever", ("C3",))
FE = Detection(21, 23, "", ())


@pytest.fixture
def names(cdb):
    return concept_names(cdb)


@pytest.fixture
def reader(linker, names):
    return SenseReader.untrained(
        linker.encoder, linker.tokenizer, TABLE, names, layers=1, context_window=8, max_tokens=32
    )


def with_context(reader, monkeypatch, row):
    """The reader, as if every context were exactly the long form in this row."""
    read_as(reader, monkeypatch, reader.vectors[row])


def read_as(reader, monkeypatch, contexts):
    """The reader, as if it read these contexts: one for each place, or one for all."""

    def encoded(encoder, cutter, texts):
        places = sum(len(spans) for _, spans in texts)
        return contexts.expand(places, -1)

    monkeypatch.setattr(senses, "encode_together", encoded)


def outside(reader, detections, text=TEXT):
    [found] = reader.read([(text, detections)])
    assert [(d.start, d.end) for d in found] == [(d.start, d.end) for d in detections]
    return [round(detection.outside, 4) for detection in found]


def row_of(reader, long_form):
    return [each.sense.long_form for each in reader.known].index(long_form)


def test_senses_know_their_concepts(reader):
    cuis = {each.sense.long_form: each.cuis for each in reader.known}
    assert cuis == {
        "mental status": (), "multiple sclerosis": ("C1",), "mitral stenosis": ("C2",), "iron": ()
    }  # fmt: skip


def test_names_that_are_no_listed_short_forms_are_left_as_they_are(reader):
    assert outside(reader, [FEVER]) == [0.0]
    assert 0 < outside(reader, [FEVER, MS])[1] < 1


def test_the_context_moves_what_the_shares_say(reader, monkeypatch):
    reader.vectors = torch.eye(len(reader.known), reader.encoder.dim)
    with_context(reader, monkeypatch, row_of(reader, "multiple sclerosis"))
    [low] = outside(reader, [MS])
    with_context(reader, monkeypatch, row_of(reader, "mental status"))
    [high] = outside(reader, [MS])
    assert low < 0.01
    assert high > 0.99


def test_the_context_chooses_among_the_candidates(reader, monkeypatch):
    reader.vectors = torch.eye(len(reader.known), reader.encoder.dim)
    for long_form, cui in (("multiple sclerosis", "C1"), ("mitral stenosis", "C2")):
        with_context(reader, monkeypatch, row_of(reader, long_form))
        [[found]] = reader.read([(TEXT, [MS])])
        assert found.candidates == (cui,)


def test_a_table_is_read_as_its_detections_are(reader, linker, names):
    documents = [Document("a", TEXT), Document("b", "Fever of MS.")]
    detections = [[MS, FEVER, FE], [Detection(9, 11, "ms", ("C1", "C2"))]]
    table = mention_table(documents, detections, names, linker.cutter)
    read = reader.read_table(table, names)
    for at, (document, own) in enumerate(zip(documents, detections, strict=True)):
        [found] = reader.read([(document.text, own)])
        for row, detection in zip(read.detection_rows[at].tolist(), found, strict=True):
            cuis = [names.cuis[concept] for concept in read.candidates.concepts[row].tolist()]
            assert tuple(cuis) == detection.candidates
            assert read.candidates.outside[row] == pytest.approx(detection.outside)


def test_equal_contexts_leave_the_shares(reader, monkeypatch):
    reader.vectors = torch.eye(1, reader.encoder.dim).expand(len(reader.known), -1)
    with_context(reader, monkeypatch, 0)
    assert outside(reader, [MS]) == [pytest.approx(0.6, abs=1e-3)]


def test_a_sense_in_the_database_is_its_concept_even_if_detection_did_not_propose_it(
    reader, monkeypatch
):
    reader.vectors = torch.eye(1, reader.encoder.dim).expand(len(reader.known), -1)
    with_context(reader, monkeypatch, 0)
    [[found]] = reader.read([(TEXT, [Detection(6, 8, "ms", ("C2",))])])
    assert found.candidates == ("C1",)  # Its share is three times that of C2.
    assert found.outside == pytest.approx(0.6, abs=1e-3)


def test_a_sense_that_the_text_names_in_full_is_more_probable(reader, monkeypatch):
    reader.vectors = torch.eye(1, reader.encoder.dim).expand(len(reader.known), -1)
    with_context(reader, monkeypatch, 0)
    text = "Known MS. Valve: mitral stenosis again."
    named = Detection(17, 32, "mitral~stenosis", ("C2",))
    [[found, _]] = reader.read([(text, [MS, named])])
    assert found.candidates == ("C2",)
    assert outside(reader, [MS, FEVER], "Known MS, mental status was normal.")[0] > 0.8


def test_places_of_one_short_form_share_their_contexts(reader, monkeypatch):
    reader.vectors = torch.eye(len(reader.known), reader.encoder.dim)
    sclerosis, stenosis = (row_of(reader, f) for f in ("multiple sclerosis", "mitral stenosis"))
    mixed = F.normalize(reader.vectors[sclerosis] + 1.3 * reader.vectors[stenosis], dim=0)
    contexts = torch.stack([reader.vectors[sclerosis], reader.vectors[sclerosis], mixed])
    read_as(reader, monkeypatch, contexts)
    text = "MS, MS, MS."
    places = [Detection(at, at + 2, "ms", ("C1", "C2")) for at in (0, 4, 8)]
    [apart] = reader.read([(text, places)])
    [together] = reader.read([(text, places)], consistency=0.5)
    assert [found.candidates for found in apart] == [("C1",), ("C1",), ("C2",)]
    assert [found.candidates for found in together] == [("C1",)] * 3


def test_a_short_form_without_any_concept_is_outside(reader):
    assert outside(reader, [FE]) == [1.0]


def test_nothing_is_read_if_no_context_could_change_the_meaning(reader, monkeypatch):
    monkeypatch.delattr(senses, "encode_together")
    assert outside(reader, [FE, FEVER]) == [1.0, 0.0]
    with pytest.raises(NameError):
        outside(reader, [MS])


def test_a_candidate_that_the_table_lacks_has_a_small_share(reader, monkeypatch):
    reader.vectors = torch.eye(1, reader.encoder.dim).expand(len(reader.known), -1)
    with_context(reader, monkeypatch, 0)
    assert outside(reader, [Detection(21, 23, "fe", ("C3",))]) == [pytest.approx(1 / 1.05, 1e-3)]


def test_a_short_form_that_the_text_spells_out_is_left_to_its_definition(reader):
    text = "Mitral stenosis (MS) on echo. MS is severe."
    assert outside(reader, [Detection(30, 32, "ms", ("C2",))], text) == [0.0]


def test_what_lies_outside_takes_its_share_of_the_probability(linker, names):
    index = linker.build_index(names)
    decision = LinkDecision(linker.encoder.dim)
    detections = [MS, Detection(6, 8, "ms", ("C1", "C2"), outside=0.9)]
    vectors = linker.encoder.encode(linker.cutter([(TEXT, [(6, 8), (6, 8)])]))
    row = names.cui_row
    groups = Groups.of([[row["C1"], row["C2"]]] * 2)
    links = link(
        vectors, Candidates.found(groups, detections, names), index, decision,
        NameCounts.empty(len(names.names)),
    )  # fmt: skip
    assert links.probability[1] == pytest.approx(0.1 * float(links.probability[0]), rel=1e-4)
    assert links.concept[0] == links.concept[1]


def test_a_linker_keeps_its_reader(reader, linker, names, tmp_path):
    own = Linker(
        linker.settings, linker.encoder, linker.tokenizer, copy.deepcopy(linker.decision),
        senses=reader,
    )  # fmt: skip
    with torch.no_grad():
        for parameter in reader.encoder.note_layers.parameters():
            parameter.add_(0.05)
    own.save(tmp_path / "linker", names, own.build_index(names))
    loaded = Linker.load(tmp_path / "linker")
    assert loaded.senses is not None
    assert loaded.senses.digest() == reader.digest()
    assert outside(loaded.senses, [MS, FE]) == outside(reader, [MS, FE])


def test_a_damaged_reader_is_named(reader, linker, names, tmp_path):
    own = Linker(linker.settings, linker.encoder, linker.tokenizer, linker.decision, senses=reader)
    own.save(tmp_path / "linker", names, own.build_index(names))
    (tmp_path / "linker" / "senses" / "senses.json").write_text("[]")
    with pytest.raises(EmbedLinkError, match=r"senses.*senses\.json"):
        Linker.load(tmp_path / "linker")


@pytest.mark.parametrize(("long_form", "cui"), [
    ("multiple sclerosis", "C1"), ("mitral stenosis", "C2"),
])  # fmt: skip
def test_ranks_see_what_links_see(reader, linker, names, monkeypatch, long_form, cui):
    document = Document("a", TEXT, (Mention(6, 8, cui), Mention(14, 19, "C3")))
    table = mention_table([document], [[MS, FEVER]], names, linker.cutter)
    vectors = linker.encoder.encode(table.windows)
    scorer = Scorer(EntityLinking.of(linker, names, linker.build_index(names)))
    before = scorer.gold_ranks(table, vectors)
    reader.vectors = torch.eye(len(reader.known), reader.encoder.dim)
    with_context(reader, monkeypatch, row_of(reader, long_form))
    read = reader.read_table(table, names)
    ranks = scorer.gold_ranks(read, vectors)
    assert names.cuis[scorer.links(read, vectors).concept[0]] == cui
    assert ranks[0] == 1
    assert ranks[1] == before[1]  # No short form: the reader says nothing of it.
