"""Training batches: every row, like lengths, an order that seed and epoch decide."""

import torch

from embedlink.training.sampling import LengthBatches, training_loader

LENGTHS = torch.randint(3, 40, (103,), generator=torch.Generator().manual_seed(0))


def test_batches_hold_every_row_once():
    batches = list(LengthBatches(LENGTHS, 8, seed=1))
    assert sorted(row for batch in batches for row in batch) == list(range(103))
    assert sum(len(batch) < 8 for batch in batches) == 1


def test_seed_and_epoch_decide_the_order():
    sampler = LengthBatches(LENGTHS, 8, seed=1)
    first = list(sampler)
    assert len(first) == len(sampler)
    assert list(sampler) == first
    sampler.set_epoch(1)
    assert list(sampler) != first
    assert list(LengthBatches(LENGTHS, 8, seed=2)) != first


def test_a_batch_has_rows_of_like_length():
    batches = list(LengthBatches(LENGTHS, 8, seed=1))
    spread = [int(LENGTHS[batch].max() - LENGTHS[batch].min()) for batch in batches]
    assert sum(spread) / len(spread) < 5  # Random batches of 8 spread over about 29 tokens.


def test_a_loader_makes_batches_of_rows():
    loader = training_loader(LENGTHS, lambda rows: LENGTHS[rows], batch_size=8, seed=1)
    assert torch.equal(torch.cat(list(loader)).sort().values, LENGTHS.sort().values)


def test_rows_that_share_a_sequence_come_together():
    shared = torch.arange(103) // 10  # Ten rows of each sequence.
    lengths = 5 + shared
    sampler = LengthBatches(lengths, 10, seed=1, shared=shared)
    batches = list(sampler)
    assert sorted(row for batch in batches for row in batch) == list(range(103))
    # Ten rows are of one sequence, or of the end of one and the beginning of the next.
    assert max(len(set(shared[batch].tolist())) for batch in batches) <= 3
    assert list(LengthBatches(lengths, 10, seed=2, shared=shared)) != batches
