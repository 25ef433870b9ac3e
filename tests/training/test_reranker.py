"""A reranker's pairs, order, files, and what it learns."""

import dataclasses

import lightning as L
import pytest
import torch

from embedlink.concepts.names import concept_names
from embedlink.encoder.windows import WindowCutter
from embedlink.index.concept_index import Hits
from embedlink.linking.linker import Linker
from embedlink.linking.mention_table import mention_table
from embedlink.linking.reranker import Reranker, Reranking
from embedlink.linking.settings import RerankerSettings
from embedlink.problems import EmbedLinkError
from embedlink.training.reranker import ChoiceData, Choices, learn_reranking
from embedlink.types import Detection


@pytest.fixture
def reranker(tiny_encoder):
    torch.manual_seed(0)
    return Reranker.untrained(RerankerSettings(top_k=3), str(tiny_encoder)).eval()


@pytest.fixture
def table(documents, cdb, linker):
    """Gold mentions alone, without the names that they equal."""
    return mention_table(documents, [[] for _ in documents], concept_names(cdb), linker.cutter)


@pytest.fixture
def index(linker, cdb):
    return linker.build_index(concept_names(cdb), progress=None)


@pytest.mark.parametrize("note_tokens", [None, 32])
@pytest.mark.parametrize("surfaces", [False, True])
def test_a_pair_is_the_mention_the_name_and_the_window(reranker, surfaces, note_tokens):
    tokenizer = reranker.tokenizer
    text = "patient with high fever today"
    cutter = WindowCutter(tokenizer, 2, 32, surfaces, note_tokens)
    windows = cutter([(text, [(13, 23), (13, 17)])])
    pairs = reranker.pairs(windows, torch.tensor([1, 0]), ["cold", "fever"])

    def read(text):
        return tokenizer(text)["input_ids"]

    expected = [
        read("high") + read("cold")[1:] + read("patient with high fever today")[1:],
        read("high fever") + read("fever")[1:] + read("patient with high fever today")[1:],
    ]
    batch = pairs.batch(torch.arange(2))
    for row, ids in enumerate(expected):
        assert batch.input_ids[row, : len(ids)].tolist() == ids
        first = len(read("high fever" if row else "high") + read("fever" if row else "cold")[1:])
        assert batch.mention_mask[row].nonzero().flatten().tolist() == list(range(first))


def test_a_pair_is_no_longer_than_the_encoder_reads(reranker):
    tokenizer = reranker.tokenizer
    limit, tokenizer.model_max_length = tokenizer.model_max_length, 10**30  # As where none is set.
    windows = WindowCutter(tokenizer, 100, 120)([("fever " * 300, [(600, 605)])])
    pairs = reranker.pairs(windows, torch.tensor([0]), ["cold " * 60])
    assert pairs.lengths.tolist() == [limit]
    assert torch.isfinite(reranker.score(pairs)).all()


def test_pairs_score_alike_alone_and_together(reranker, table):
    torch.nn.init.normal_(reranker.head.weight)
    names = ["fever", "common cold", "cold"]
    pairs = reranker.pairs(table.windows, torch.arange(3), names)
    together = reranker.score(pairs)
    for row in range(3):
        alone = reranker.pairs(table.windows, torch.tensor([row]), names[row : row + 1])
        torch.testing.assert_close(
            reranker.score(alone), together[row : row + 1], atol=0.05, rtol=0
        )


def test_untrained_it_changes_no_order(reranker, table, linker, index, cdb):
    vectors = linker.encoder.encode(table.windows)
    hits = index.search_concepts(vectors, 4)
    reranking = Reranking(reranker, index, concept_names(cdb).texts)
    found = reranking.reordered(vectors, table.windows, torch.arange(len(table)), hits)
    assert torch.equal(found.rows, hits.rows)
    assert torch.equal(found.scores, hits.scores)


def pairs_of(hits):
    """Scores by row, of each query."""
    tables = zip(hits.rows.tolist(), hits.scores.tolist(), strict=True)
    return [dict(zip(rows, scores, strict=True)) for rows, scores in tables]


def test_only_the_nearest_change_places_and_scores_stay_with_them(
    reranker, table, linker, index, cdb
):
    torch.nn.init.normal_(reranker.head.weight, std=20.0)
    vectors = linker.encoder.encode(table.windows)
    hits = index.search_concepts(vectors, 5)
    reranking = Reranking(reranker, index, concept_names(cdb).texts)
    found = reranking.reordered(vectors, table.windows, torch.arange(len(table)), hits)
    assert not torch.equal(found.rows, hits.rows)
    assert torch.equal(found.rows[:, 3:], hits.rows[:, 3:])
    assert torch.equal(found.rows[:, :3].sort(1).values, hits.rows[:, :3].sort(1).values)
    for before, after in zip(pairs_of(hits), pairs_of(found), strict=True):
        assert after == {row: before[row] for row in after}


def test_what_is_missing_is_left_where_it_was(reranker, table, linker, index, cdb):
    torch.nn.init.normal_(reranker.head.weight, std=20.0)
    reranking = Reranking(reranker, index, concept_names(cdb).texts)
    hits = Hits(torch.tensor([[0.5, 0.4, -torch.inf]]), torch.tensor([[1, 0, -1]]))
    vectors = linker.encoder.encode(table.windows)[:1]
    found = reranking.reordered(vectors, table.windows, torch.tensor([0]), hits)
    assert found.rows[0, 2] == -1
    assert sorted(found.rows[0, :2].tolist()) == [0, 1]


def detected(text, mention):
    name = text[mention.start : mention.end].lower().replace(" ", "~")
    return Detection(mention.start, mention.end, name, mention.cuis)


def test_a_mention_never_chooses_its_own_wording(documents, cdb, linker, index):
    names = concept_names(cdb)
    detections = [[detected(document.text, m) for m in document.mentions] for document in documents]
    table = mention_table(documents, detections, names, linker.cutter)
    vectors = linker.encoder.encode(table.windows)
    choices = Choices.of(table, vectors, index, 3)
    own = table.candidates.name[choices.mention]
    assert len(choices)
    assert bool((own >= 0).any())
    assert not bool((choices.name == own[:, None]).any())
    chosen = choices.name.gather(1, choices.gold[:, None]).squeeze(1)
    for mention, name in zip(choices.mention.tolist(), chosen.tolist(), strict=True):
        assert int(table.gold[mention]) in names.concepts_of_name[name].tolist()
    assert bool((choices.score[:, :-1] >= choices.score[:, 1:]).all())


def test_it_learns_to_choose_and_repeats_it(tiny_encoder, table, linker, index, cdb):
    names = concept_names(cdb)
    vectors = linker.encoder.encode(table.windows)

    def learn(epochs):
        torch.manual_seed(0)
        trainer = L.Trainer(
            max_epochs=epochs, logger=False, enable_checkpointing=False, accelerator="cpu",
            enable_progress_bar=False, enable_model_summary=False,
        )  # fmt: skip
        untrained = Reranker.untrained(RerankerSettings(top_k=3), str(tiny_encoder))
        return learn_reranking(
            untrained, table, vectors, index, names, trainer, lr=1e-3, batch_size=4,
            weight_decay=0.0, warmup_share=0.1, seed=0,
        )  # fmt: skip

    def right(reranker):
        known = torch.nonzero(table.gold >= 0).squeeze(1)
        hits = index.search_concepts(vectors[known], 3)
        reranking = Reranking(reranker, index, names.texts)
        found = reranking.reordered(vectors[known], table.windows, known, hits)
        return float((found.rows[:, 0] == table.gold[known]).float().mean())

    learned = learn(12)
    start = Reranker.untrained(RerankerSettings(top_k=3), str(tiny_encoder))
    assert right(learned) > right(start)
    assert all(map(torch.equal, learned.parameters(), learn(12).parameters()))


def test_a_linker_keeps_its_reranker(reranker, linker, index, cdb, tmp_path):
    names = concept_names(cdb)
    dataclasses.replace(linker, reranker=reranker).save(tmp_path / "linker", names, index)
    again = Linker.load(tmp_path / "linker").reranker
    assert again is not None
    assert again.settings == reranker.settings
    assert again.digest() == reranker.digest()
    (tmp_path / "linker" / "reranker" / "head.safetensors").write_bytes(b"no")
    with pytest.raises(EmbedLinkError, match=r"reranker/head.safetensors: .* was damaged"):
        Linker.load(tmp_path / "linker")


def test_nothing_to_choose_from_is_an_error(reranker, table):
    none = Choices(
        torch.empty(0, dtype=torch.int64), torch.empty(0, 3, dtype=torch.int64),
        torch.empty(0, 3), torch.empty(0, dtype=torch.int64),
    )  # fmt: skip
    with pytest.raises(EmbedLinkError, match=r"reranker"):
        ChoiceData(reranker, table, none, [], 4, 0)
