"""Windows that mentions share: one pass gives what a window of each mention's own would give."""

from dataclasses import replace

import pytest
import torch

from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.shared import SharedWindows
from embedlink.encoder.states import FrozenSequences, StateCache
from embedlink.encoder.surfaces import KnownSurfaces
from embedlink.encoder.tokens import MentionSequences, TokenSequences
from embedlink.encoder.windows import WindowCutter, piece_of

TEXT = "known ms with optic neuritis . no fever today . she has a common cold . " * 8
SPANS = [(6, 8), (14, 28), (34, 39), (300, 305), (490, 510)]


@pytest.fixture(scope="module")
def parts(tiny_encoder):
    model, tokenizer = load_encoder(str(tiny_encoder))
    return ContextEncoder(model, unfreeze=2).eval(), tokenizer


@pytest.fixture
def windows(parts):
    found = WindowCutter(parts[1], note_tokens=40)([(TEXT, SPANS), ("", []), ("fever", [(0, 5)])])
    assert isinstance(found, SharedWindows)
    return found


def own_windows(shared):
    """The same windows once more for each mention, which then shares none."""
    distinct = shared.windows
    ids = [distinct.ids[distinct.starts[row] : distinct.starts[row + 1]].tolist()
           for row in shared.window.tolist()]  # fmt: skip
    return TokenSequences.of(ids, shared.mention.tolist(), distinct.pad_id, note=True)


def test_a_note_is_read_once_for_all_of_its_mentions(parts, windows):
    encoder, _ = parts
    assert len(windows) == 6
    assert len(windows.windows) < 6
    assert int(windows.lengths.max()) <= 40
    alone = encoder.encode(own_windows(windows))
    for budget in (None, 1):
        assert torch.allclose(encoder.encode(windows, budget), alone, atol=1e-5)
    rows = torch.tensor([4, 0])
    assert torch.allclose(encoder(windows.batch(rows)), alone[rows], atol=1e-5)


def test_every_mention_comes_out_once(windows):
    rows = torch.cat(list(windows.batches(50)))
    assert sorted(rows.tolist()) == list(range(len(windows)))


def test_states_below_the_trained_layers_are_kept_once_a_window(parts, windows):
    encoder, _ = parts
    frozen = StateCache(2**20).freeze(encoder, windows)
    assert isinstance(frozen, SharedWindows)
    assert isinstance(frozen.windows, FrozenSequences)
    assert len(frozen.windows.states) == int(windows.windows.lengths.sum())
    assert torch.allclose(encoder.encode(frozen), encoder.encode(windows), atol=1e-4)


def test_without_trained_layers_each_mention_keeps_its_vector(parts, windows, tiny_encoder):
    encoder = ContextEncoder(load_encoder(str(tiny_encoder))[0]).eval()
    frozen = StateCache(2**20).freeze(encoder, windows)
    assert isinstance(frozen, FrozenSequences)
    assert len(frozen) == len(windows)
    assert torch.allclose(encoder.encode(frozen), encoder.encode(windows), atol=1e-4)


@pytest.mark.parametrize(("token", "count", "expected"), [
    (5, 32, 0), (0, 100, 0), (23, 100, 0), (24, 100, 20), (99, 100, 92),
])  # fmt: skip
def test_a_token_is_read_far_from_the_ends_of_its_piece(token, count, expected):
    low = piece_of(token, count, room=32)
    assert low == expected
    assert low <= token < low + 32


def test_a_mention_without_tokens_or_longer_than_a_piece_is_read(parts):
    _, tokenizer = parts
    cutter = WindowCutter(tokenizer, note_tokens=16)
    found = cutter([(TEXT, [(0, len(TEXT))]), ("ab \u200b cd", [(3, 4)]), ("\u200b", [(0, 1)])])
    ranges, lengths = found.mention, found.lengths
    assert bool((ranges[:, 0] < ranges[:, 1]).all())
    assert bool((ranges[:, 1] <= lengths).all())


def test_a_surface_is_encoded_once(parts, monkeypatch):
    encoder, tokenizer = parts
    encoder = ContextEncoder(encoder.language_model, surface_weight=1.0).eval()
    cut = WindowCutter(tokenizer, 2, 32, surfaces=True)
    windows = cut([(TEXT, SPANS)])
    assert isinstance(windows, MentionSequences)
    known = KnownSurfaces(encoder, most=5)
    assert torch.allclose(known.encode(windows), encoder.encode(windows), atol=1e-5)
    encoded = []
    encode = ContextEncoder.encode
    monkeypatch.setattr(
        ContextEncoder, "encode",
        lambda self, given, *rest: encoded.append(given) or encode(self, given, *rest),
    )  # fmt: skip
    again = known.encode(windows)
    assert encoded == [windows.windows]  # No surface was read again.
    assert torch.allclose(again, encode(encoder, windows), atol=1e-5)
    known.encode(replace(windows, surfaces=cut([("a new murmur", [(6, 12)])]).surfaces,
                         surface=torch.zeros(len(windows), dtype=torch.int64)))  # fmt: skip
    assert len(known._vectors) <= 5
