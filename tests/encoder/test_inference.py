"""Running a model over sequences leaves the model as it was."""

import pytest
import torch

from embedlink.concepts.names import concept_names


@pytest.fixture
def training(linker, cdb):
    """An encoder in training mode, with something to encode."""
    return linker.encoder.train(), linker.tokenise(concept_names(cdb))


def test_the_mode_comes_back_after_the_last_batch(training):
    encoder, sequences = training
    modes = [encoder.training for _ in encoder.run(encoder, sequences, token_budget=20)]
    assert len(modes) > 1
    assert not any(modes)
    assert encoder.training


def test_the_mode_comes_back_if_the_caller_stops_early(training):
    encoder, sequences = training
    batches = encoder.run(encoder, sequences, token_budget=20)
    next(batches)
    batches.close()
    assert encoder.training


def test_the_mode_comes_back_after_an_error(training):
    encoder, sequences = training

    def fail(batch):
        raise MemoryError

    with pytest.raises(MemoryError):
        list(encoder.run(fail, sequences))
    assert encoder.training


def test_every_row_is_computed_once(training):
    encoder, sequences = training
    rows = torch.cat([batch.rows for batch in encoder.run(encoder, sequences, token_budget=20)])
    assert rows.sort().values.tolist() == list(range(len(sequences)))
