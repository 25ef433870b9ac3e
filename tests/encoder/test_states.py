"""What lies below the trainable layers is computed once, exactly, within its budget."""

import os

import pytest
import torch

import embedlink.encoder.states as frozen
from embedlink.concepts.names import concept_names
from embedlink.encoder.states import FrozenSequences, StateCache
from embedlink.linking.linker import Linker
from embedlink.linking.settings import LinkerSettings
from tests.encoder.test_context import model, windows  # noqa: F401

GIGABYTE = 2**30


@pytest.mark.parametrize("layers", [0, 1, 3])
@pytest.mark.parametrize("pooling", ["mention", "window"])
def test_encoding_from_states_is_encoding(model, windows, layers, pooling):  # noqa: F811
    encoder = frozen.ContextEncoder(model, pooling, projection=True, unfreeze=layers)
    kept = StateCache(GIGABYTE).freeze(encoder, windows)
    assert isinstance(kept, FrozenSequences)
    assert len(kept) == len(windows)
    torch.testing.assert_close(encoder.encode(kept), encoder.encode(windows), atol=1e-5, rtol=0)


def test_names_are_not_run_through_frozen_layers_again(linker, cdb):
    names = concept_names(cdb)
    linker.encoder.unfreeze(0)
    kept = StateCache(GIGABYTE).freeze(linker.encoder, linker.tokenise(names))
    before = linker.build_index(names, progress=None)
    with torch.no_grad():
        for parameter in linker.encoder.language_model.parameters():
            parameter.zero_()  # If anything were computed again, it would show.
    after = linker.build_index(names, kept, progress=None)
    torch.testing.assert_close(after.vectors, before.vectors)


def test_trained_layers_show_in_vectors_from_states(linker, windows):  # noqa: F811
    kept = StateCache(GIGABYTE).freeze(linker.encoder, windows)
    before = linker.encoder.encode(kept)
    with torch.no_grad():
        for parameter in linker.encoder.parameters():
            if parameter.requires_grad:
                parameter.mul_(2.0)
    after = linker.encoder.encode(kept)
    assert not torch.allclose(before, after)
    torch.testing.assert_close(after, linker.encoder.encode(windows), atol=1e-5, rtol=0)


def test_a_small_budget_means_float16_and_then_nothing(linker, windows):  # noqa: F811
    size = len(windows.ids) * linker.encoder.dim
    cache = StateCache(3 * size)
    half = cache.freeze(linker.encoder, windows)
    assert half.states.dtype == torch.float16
    assert cache.left == size
    similarity = (linker.encoder.encode(half) * linker.encoder.encode(windows)).sum(1)
    assert similarity.min() > 0.9999
    assert cache.freeze(linker.encoder, windows) is windows


def test_many_states_go_to_a_file_without_a_name(linker, windows, tmp_path, monkeypatch):  # noqa: F811
    monkeypatch.setattr(frozen, "IN_MEMORY", 0)
    kept = StateCache(GIGABYTE, tmp_path).freeze(linker.encoder, windows)
    assert list(tmp_path.iterdir()) == []
    torch.testing.assert_close(linker.encoder.encode(kept), linker.encoder.encode(windows))


def test_a_full_disk_means_computing_again(linker, windows, monkeypatch, caplog):  # noqa: F811
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(frozen, "IN_MEMORY", 0)
    monkeypatch.setattr(frozen.os, "posix_fallocate", full)
    cache = StateCache(GIGABYTE)
    assert cache.freeze(linker.encoder, windows) is windows
    assert cache.left == GIGABYTE
    assert "no room on the disk" in caplog.text


def test_nothing_is_kept_when_everything_trains(linker, windows):  # noqa: F811
    linker.encoder.unfreeze(-1)
    assert StateCache(GIGABYTE).freeze(linker.encoder, windows) is windows


def test_an_architecture_that_cannot_be_cut_is_left_whole(linker, windows, monkeypatch, caplog):  # noqa: F811
    def wrong(encoder, batch, without=0):
        return states(encoder, batch, without) + float(without == 2)

    linker.encoder.unfreeze(2)
    states = frozen.ContextEncoder.states
    monkeypatch.setattr(frozen.ContextEncoder, "states", wrong)
    assert StateCache(GIGABYTE).freeze(linker.encoder, windows) is windows
    assert "cannot be cut" in caplog.text


@pytest.mark.parametrize("layers", [0, 2])
def test_surfaces_are_kept_too(tiny_encoder, layers):
    settings = LinkerSettings(str(tiny_encoder), max_tokens=32, surface_weight=1.0)
    linker = Linker.untrained(settings, unfreeze=layers)
    linker.encoder.eval()
    mentions = linker.cutter([("known ms with optic neuritis", [(6, 8), (14, 19), (6, 8)])])
    kept = StateCache(GIGABYTE).freeze(linker.encoder, mentions)
    assert isinstance(kept.surfaces, FrozenSequences)
    torch.testing.assert_close(
        linker.encoder.encode(kept), linker.encoder.encode(mentions), atol=1e-5, rtol=0
    )
