"""A tagger's words, chunks, probabilities and files."""

import itertools
import shutil

import numpy as np
import pytest
import torch

from embedlink.detection.settings import TaggerSettings
from embedlink.detection.tagger import MentionTagger, Tags, chunks_of
from embedlink.problems import EmbedLinkError
from embedlink.text.words import WORD_OR_SIGN
from embedlink.types import Span
from tests.conftest import NOTES

TEXTS = [text for _, text, _ in NOTES]


@pytest.fixture
def tagger(tiny_encoder):
    torch.manual_seed(0)
    return MentionTagger.untrained(TaggerSettings(str(tiny_encoder), max_tokens=64)).eval()


def tags(begin, inside):
    words = [Span(2 * at, 2 * at + 1) for at in range(len(begin))]
    return Tags(words, np.array(begin), np.array(inside))


def test_spans_are_all_that_reach_the_least_probability():
    made = tags([0.9, 0.5, 0.1, 0.0], [0.0, 0.8, 0.5, 0.0])
    every = {
        Span(2 * first, 2 * last + 1): made.probability(Span(2 * first, 2 * last + 1))
        for first, last in itertools.combinations_with_replacement(range(4), 2)
    }
    for least in (0.05, 0.1, 0.3):
        expected = {span: p for span, p in every.items() if p >= least}
        assert dict(made.spans(least)) == pytest.approx(expected)
    assert every[Span(0, 3)] == pytest.approx(0.9 * 0.8 * 0.5)
    assert all(span in made.words for span, _ in made.spans(0.05, longest=1))


def test_the_spans_from_one_word_share_its_probability_to_begin():
    made = tags([0.7, 0.2, 0.1], [0.0, 0.6, 0.3])
    assert sum(p for span, p in made.spans(1e-9) if span.start == 0) == pytest.approx(0.7)


def test_a_span_counts_with_the_words_that_it_touches():
    made = tags([0.9, 0.5], [0.0, 0.8])
    assert made.probability(Span(0, 1)) == made.probability(Span(0, 2))
    assert made.probability(Span(9, 12)) == 0


@pytest.mark.parametrize("max_tokens", [16, 40, 128])
def test_every_word_is_tagged_where_its_first_token_stands(tagger, max_tokens):
    texts = [*TEXTS, "", " ".join(TEXTS), "?!"]
    chunks = chunks_of(texts, tagger.tokenizer, max_tokens)
    assert int(chunks.sequences.lengths.max()) <= max_tokens
    words = [text[slice(*word)] for text, own in zip(texts, chunks.words, strict=True)
             for word in own]  # fmt: skip
    assert words == [match for text in texts for match in WORD_OR_SIGN.findall(text)]
    read = tagger.tokenizer.convert_ids_to_tokens(chunks.sequences.ids[chunks.position].tolist())
    assert all(word.lower().startswith(token[:1]) for word, token in zip(words, read, strict=True))


def test_a_long_text_is_tagged_as_in_one_piece_but_for_its_context(tagger):
    text = " ".join(TEXTS)
    (whole,) = tagger.tag([text])
    assert [text[slice(*word)] for word in whole.words] == WORD_OR_SIGN.findall(text)
    assert ((whole.begin + whole.inside) <= 1 + 1e-6).all()


def test_texts_are_tagged_alike_alone_and_together(tagger):
    for text, together in zip(TEXTS, tagger.tag(TEXTS), strict=True):
        (alone,) = tagger.tag([text])
        assert alone.words == together.words
        assert np.allclose(alone.begin, together.begin, atol=0.02)  # bfloat16 where there is it


def test_no_chunk_is_longer_than_the_encoder_takes(tiny_encoder):
    long = MentionTagger.untrained(TaggerSettings(str(tiny_encoder), max_tokens=4096))
    chunks = long.chunks([" ".join(TEXTS * 20)])
    assert int(chunks.sequences.lengths.max()) == long.tokenizer.model_max_length == 128


def test_a_tagger_comes_back_as_it_was(tagger, tmp_path):
    tagger.save(tmp_path / "tagger")
    again = MentionTagger.load(tmp_path / "tagger")
    assert again.settings == tagger.settings
    for one, other in zip(tagger.tag(TEXTS), again.tag(TEXTS), strict=True):
        assert np.array_equal(one.begin, other.begin)
    assert not list((tmp_path / "tagger").rglob("*.bin"))


def test_what_is_no_tagger_is_named(tagger, tmp_path):
    with pytest.raises(EmbedLinkError, match="nowhere: no tagger"):
        MentionTagger.load(tmp_path / "nowhere")
    tagger.save(tmp_path / "tagger")
    (tmp_path / "tagger" / "head.safetensors").write_bytes(b"no")
    with pytest.raises(EmbedLinkError, match=r"head.safetensors: this part of the tagger was dam"):
        MentionTagger.load(tmp_path / "tagger")
    shutil.rmtree(tmp_path / "tagger" / "encoder")
    with pytest.raises(EmbedLinkError, match=r"tagger/encoder/.*: this part .* is missing"):
        MentionTagger.load(tmp_path / "tagger")
