"""Mentions that stand near each other share a window, and each pools its own tokens of it."""

import torch

from embedlink.encoder.shared_windows import encode_together
from embedlink.encoder.windows import WindowCutter

TEXT = "Fever and chills for days, known MS, no cough. Seen by the nurse."
SPANS = [(33, 35), (0, 5), (10, 16), (10, 16)]


def test_a_text_that_fits_is_read_once_with_the_vectors_of_a_window_for_each(linker):
    cutter = WindowCutter(linker.tokenizer, 50, 64)
    assert len(list(cutter.together(TEXT, SPANS))) == 1
    together = encode_together(linker.encoder, cutter, [(TEXT, SPANS), (TEXT[:16], SPANS[1:3])])
    apart = linker.encoder.encode(cutter([(TEXT, SPANS), (TEXT[:16], SPANS[1:3])]))
    assert torch.allclose(together, apart, atol=1e-5)


def test_windows_keep_to_the_limit_and_hold_every_mention_whole(linker):
    text = " ".join(f"word{n} fever" for n in range(200))
    spans = [(at, at + 5) for at in range(len(text)) if text.startswith("fever", at)]
    cutter = WindowCutter(linker.tokenizer, 35, 64)
    shared = list(cutter.together(text, spans))
    assert sorted(at for window in shared for at in window.mentions) == list(range(200))
    assert 1 < len(shared) < 100
    fever = linker.tokenizer("fever", add_special_tokens=False)["input_ids"]
    for window, mentions in shared:
        assert len(window) <= 64
        assert all(window[first:end] == fever for first, end in mentions.values())


def test_a_mention_longer_than_a_window_and_one_without_tokens_are_read(linker):
    cutter = WindowCutter(linker.tokenizer, 5, 16)
    text = "fever " * 40 + "\u200b end"
    spans = [(0, 239), (240, 241)]
    vectors = encode_together(linker.encoder, cutter, [(text, spans)])
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-5)


def test_no_span_needs_no_window(linker):
    cutter = WindowCutter(linker.tokenizer, 5, 16)
    assert encode_together(linker.encoder, cutter, [(TEXT, [])]).shape == (0, linker.encoder.dim)
