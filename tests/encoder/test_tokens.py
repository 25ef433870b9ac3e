"""Flat token sequences and their batches."""

import pytest
import torch

from embedlink.encoder.tokens import TokenSequences, tokenise_names


@pytest.fixture
def sequences():
    generator = torch.Generator().manual_seed(0)
    lengths = torch.randint(3, 40, (500,), generator=generator).tolist()
    ids = [list(range(1, length + 1)) for length in lengths]
    return TokenSequences.of(ids, [(1, length - 1) for length in lengths], pad_id=0)


@pytest.mark.parametrize("budget", [1, 64, 512, 4096, 10**6])
def test_every_row_is_in_one_batch_within_the_budget(sequences, budget):
    batches = list(sequences.batches(budget))
    assert torch.cat(batches).sort().values.tolist() == list(range(len(sequences)))
    for rows in batches:
        assert len(rows) * int(sequences.lengths[rows].max()) <= max(budget, 40)


def test_little_is_padded(sequences):
    cells = sum(len(r) * int(sequences.lengths[r].max()) for r in sequences.batches(512))
    assert cells < 1.03 * len(sequences.ids)


def test_no_sequences_give_no_batches():
    assert list(TokenSequences.of([], [], 0).batches(64)) == []


def test_a_batch_pads_and_masks():
    batch = TokenSequences.of([[5, 6, 7], [8, 9]], [(1, 3), (0, 1)], pad_id=4).batch(
        torch.tensor([1, 0])
    )
    assert batch.input_ids.tolist() == [[8, 9, 4], [5, 6, 7]]
    assert batch.attention_mask.tolist() == [[1, 1, 0], [1, 1, 1]]
    assert batch.mention_mask.tolist() == [[1, 0, 0], [0, 1, 1]]
    assert batch.to("cpu").states is None


def test_long_names_are_cut_to_the_limit(linker):
    sequences = tokenise_names(linker.tokenizer, ["fever " * 30, "cold", ""], 10)
    assert sequences.lengths.tolist() == [10, 3, 2]
    assert sequences.mention.tolist() == [[1, 9], [1, 2], [1, 1]]


def test_names_are_tokenised_a_chunk_at_a_time(linker):
    texts = ["fever", "", "heart failure", "a cold day", "ms"]
    whole = tokenise_names(linker.tokenizer, texts, 10)
    parts = tokenise_names(linker.tokenizer, texts, 10, chunk=2)
    for name in ("ids", "starts", "mention"):
        assert torch.equal(getattr(whole, name), getattr(parts, name))
    assert len(tokenise_names(linker.tokenizer, [], 10)) == 0
