import string

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.windows import WindowCutter


@pytest.fixture(scope="module")
def tokenizer(tiny_encoder):
    return load_encoder(str(tiny_encoder))[1]


def cut(tokenizer, text, span, window=3, limit=32):
    sequences = WindowCutter(tokenizer, window, limit)([(text, [span])])
    tokens = tokenizer.convert_ids_to_tokens(sequences.ids.tolist())
    first, last = sequences.mention[0].tolist()
    return tokens, tokens[first:last]


TEXT = "known ms with optic neuritis . no fever today . she has a common cold"


def test_words_on_each_side_and_the_mention(tokenizer):
    start = TEXT.index("fever")
    tokens, mention = cut(tokenizer, TEXT, (start, start + 5), window=2)
    assert tokens == ["[CLS]", ".", "no", "fever", "today", ".", "[SEP]"]
    assert mention == ["fever"]


def test_window_zero_is_the_mention_alone(tokenizer):
    start = TEXT.index("common cold")
    tokens, mention = cut(tokenizer, TEXT, (start, start + 11), window=0)
    assert tokens == ["[CLS]", "common", "cold", "[SEP]"]
    assert mention == ["common", "cold"]


@pytest.mark.parametrize("span", [(0, 5), (len(TEXT) - 4, len(TEXT)), (0, len(TEXT))])
def test_mentions_at_the_ends_of_the_text(tokenizer, span):
    tokens, mention = cut(tokenizer, TEXT, span, window=4, limit=64)
    assert tokens[0] == "[CLS]"
    assert tokens[-1] == "[SEP]"
    assert tokenizer.convert_tokens_to_string(mention) == TEXT[slice(*span)].replace(" .", " .")


def test_too_long_a_window_loses_its_ends_evenly(tokenizer):
    text = "today " * 40 + "fever " + "today " * 40
    start = text.index("fever")
    tokens, mention = cut(tokenizer, text, (start, start + 5), window=35, limit=13)
    assert len(tokens) == 13
    assert mention == ["fever"]
    assert tokens.index("fever") == 6


def test_what_one_side_cannot_use_goes_to_the_other(tokenizer):
    text = "fever " + "today " * 40
    tokens, _ = cut(tokenizer, text, (0, 5), window=35, limit=12)
    assert tokens == ["[CLS]", "fever", *["today"] * 9, "[SEP]"]


def test_too_long_a_mention_loses_its_middle(tokenizer):
    text = "known " + "today " * 30 + "fever"
    tokens, mention = cut(tokenizer, text, (0, len(text)), window=5, limit=12)
    assert len(tokens) == 12
    assert mention[0] == "known"
    assert mention[-1] == "fever"
    assert len(mention) == 10


@pytest.mark.parametrize("text", ["", " ", "\u200b", "a\u200bb"])
def test_nothing_to_pool_still_gives_a_window(tokenizer, text):
    sequences = WindowCutter(tokenizer, 3, 16)([(text, [(0, len(text))])])
    first, last = sequences.mention[0].tolist()
    assert first < last


@settings(max_examples=200, deadline=None)
@given(
    words=st.lists(st.text(string.ascii_lowercase + ".,-é ", max_size=12), max_size=60),
    ends=st.tuples(st.integers(0, 700), st.integers(0, 700)),
    window=st.integers(0, 40),
    limit=st.integers(8, 64),
)
def test_any_window_fits_and_holds_its_mention(tokenizer, words, ends, window, limit):
    text = " ".join(words)
    start, end = sorted(min(at, len(text)) for at in ends)
    sequences = WindowCutter(tokenizer, window, limit)([(text, [(start, end)])])
    first, last = sequences.mention[0].tolist()
    assert len(sequences.ids) <= limit
    assert 0 < first < last <= len(sequences.ids)
    whole = tokenizer(text[start:end], add_special_tokens=False)["input_ids"]
    if whole and len(whole) <= limit - 2 and text[start:end].strip():
        assert last - first >= 1


def test_surfaces_are_the_mentions_own_tokens_each_once(tokenizer):
    text = "known ms ms known ms ms"
    spans = [(6, 8), (0, 5), (9, 11), (6, 11)]
    sequences = WindowCutter(tokenizer, 2, 32, surfaces=True)([(text, spans)])
    rows = [sequences.surfaces.ids[a:b].tolist()
            for a, b in zip(sequences.surfaces.starts[:-1], sequences.surfaces.starts[1:],
                            strict=True)]  # fmt: skip
    assert [tokenizer.decode(row) for row in rows] == [
        "[CLS] ms [SEP]", "[CLS] known [SEP]", "[CLS] ms ms [SEP]",
    ]  # fmt: skip
    assert sequences.surface.tolist() == [0, 1, 0, 2]
    batch = sequences.batch(torch.tensor([3, 0]))
    assert batch.surface.input_ids.shape == (2, 4)
    assert batch.surface.mention_mask.tolist() == [[0, 1, 1, 0], [0, 1, 0, 0]]


def test_a_mention_without_tokens_has_a_surface_too(tokenizer):
    sequences = WindowCutter(tokenizer, 2, 32, surfaces=True)([("ab \u200b cd", [(3, 4)])])
    assert sequences.batch(torch.tensor([0])).surface.mention_mask.sum() == 1


def test_a_surface_spells_out_what_the_text_defines(tokenizer):
    text = "Known mitral stenosis (MS). MS and severe MS, not MSX; mitral stenosis (MS) again."

    def surface(words, at=0):
        start = text.index(words, at)
        cut = WindowCutter(tokenizer, 2, 48, surfaces=True).cut(text, [(start, start + len(words))])
        return tokenizer.decode(next(iter(cut)).surface).replace(" ##", "").replace(" ", "")

    assert surface("MS") == surface("MS and"[:2], 28) == "mitralstenosis"
    assert surface("severe MS") == "severemitralstenosis"
    assert surface("MSX") == "msx"
    assert surface("Known") == "known"
    assert surface("mitral stenosis (MS)") == "mitralstenosis(ms)"
