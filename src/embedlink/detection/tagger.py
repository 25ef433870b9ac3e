"""Which spans of a text annotators mark: every word gets a tag, learned from training documents.

Names find only mentions that are written like a name. The tagger reads the text itself. A word
begins a mention, goes on inside one, or stands outside. These are the tags of Ramshaw and Marcus
(1995), over a transformer as in Devlin et al. (2019).

`chunks_of` cuts texts into chunks that the encoder reads at a time. `MentionTagger.tag` gives every
word its probabilities. `Tags` makes spans of them. A span is a mention if its first word begins
one, the other words go on inside it, and the word after them does not. Its probability is the
product of these.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from embedlink.detection.settings import TaggerSettings
from embedlink.encoder.context import last_states
from embedlink.encoder.headed import HeadedEncoder
from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.tokens import EncoderBatch, SpecialTokens, TokenSequences
from embedlink.text.words import WORD_OR_SIGN, readable
from embedlink.types import Span

OUTSIDE, BEGIN, INSIDE = 0, 1, 2
"""The tags, in the order of the head's outputs."""

Probabilities = NDArray[np.float64]


@dataclass(frozen=True)
class Tags:
    """How probably each word of one text begins a mention, or goes on inside one."""

    words: Sequence[Span]  # (words,) in characters, in order
    begin: Probabilities  # (words,) in [0, 1]
    inside: Probabilities  # (words,) in [0, 1]

    def spans(self, least: float, longest: int = 20) -> Iterator[tuple[Span, float]]:
        """Spans of up to `longest` words that are mentions with at least this probability.

        They are sorted by start, the shorter first. They may overlap, and linking decides which of
        them stays.
        """
        for first in np.flatnonzero(self.begin >= least).tolist():
            reached = float(self.begin[first])
            for last in range(first, min(first + longest, len(self.words))):
                if last > first:
                    reached *= float(self.inside[last])
                if reached < least:  # Further words only make it less.
                    break
                whole = reached * self._ends(last)
                if whole >= least:
                    yield Span(self.words[first].start, self.words[last].end), whole

    def probability(self, span: Span) -> float:
        """The probability that exactly the words of this span are a mention.

        A word belongs to the span if they share a character. 0 if none does.
        """
        first, end = self._range(span)
        if end <= first:
            return 0.0
        reached = float(self.begin[first] * self.inside[first + 1 : end].prod())
        return reached * self._ends(end - 1)

    def reaches(self, span: Span, last: int = 2) -> float:
        """The probability that a mention holds one of the last words of this span."""
        first, end = self._range(span)
        words = slice(max(first, end - last), end)
        return float((self.begin[words] + self.inside[words]).max(initial=0.0))

    def _range(self, span: Span) -> tuple[int, int]:
        """The words that share a character with this span, half-open."""
        first = bisect_right(self.words, span.start, key=lambda word: word.end)
        return first, max(first, bisect_left(self.words, span.end, key=lambda word: word.start))

    def _ends(self, word: int) -> float:
        """The probability that a mention which reached this word ends with it."""
        return 1.0 - float(self.inside[word + 1]) if word + 1 < len(self.words) else 1.0


@dataclass(frozen=True)
class Chunks:
    """Texts cut into what an encoder reads at a time, with the words of each.

    Chunks overlap. A word is tagged in the chunk that holds the most text around it. `words` has
    the spans of each text. `chunk` and `token` say where each word is tagged, for the words of all
    texts end to end. `token` counts within the chunk's sequence.
    """

    sequences: TokenSequences  # (chunks,)
    words: Sequence[Sequence[Span]]  # (texts,) of (words of the text,)
    chunk: Tensor  # (words of all texts,) int64 row of `sequences`
    token: Tensor  # (words of all texts,) int64 position in the sequence

    @property
    def position(self) -> Tensor:
        """Where each word is tagged among all tokens of all chunks. Shape: (words,)."""
        return self.sequences.starts[self.chunk] + self.token


def chunks_of(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_tokens: int) -> Chunks:
    """Cut texts into chunks of at most `max_tokens` tokens, special tokens included.

    Chunks come in the order of the texts. Every text has at least one. The chunk of an empty text
    holds special tokens only. A text that fits is one chunk.
    """
    special = SpecialTokens.of(tokenizer)
    room = max_tokens - len(special.before) - len(special.after)
    margin = room // 8
    ids: list[list[int]] = []
    words: list[list[Span]] = []
    chunk: list[NDArray[np.int64]] = []
    token: list[NDArray[np.int64]] = []
    for text in texts:
        encoded = tokenizer(
            readable(text), add_special_tokens=False, return_offsets_mapping=True, verbose=False
        )
        ends = np.array([end for _, end in encoded["offset_mapping"]], dtype=np.int64)
        own = [Span(*match.span()) for match in WORD_OR_SIGN.finditer(text)]
        # The first token that reaches into the word. If a word has no token, the next one tags it,
        # or the last one at the end of the text.
        first = np.searchsorted(ends, [word.start for word in own], side="right")
        first = first.clip(max=max(len(ends) - 1, 0)).astype(np.int64)
        # Cores of `step` tokens lie end to end. A chunk tags the words of its core. It also reads a
        # margin on both sides, so that no word is tagged beside a cut.
        step = room if len(ends) <= room else room - 2 * margin
        core = first // step
        low = np.maximum(core * step - (margin if step < room else 0), 0)
        chunk.append(core + len(ids))
        token.append(first - low + len(special.before))
        words.append(own)
        for at in range(max(1, -(-len(ends) // step))):
            begin = max(at * step - (margin if step < room else 0), 0)
            piece = encoded["input_ids"][begin : begin + room]
            ids.append([*special.before, *piece, *special.after])
    # Nothing is pooled, so any range will do.
    sequences = TokenSequences.of(ids, [(0, 1)] * len(ids), tokenizer.pad_token_id or 0)
    return Chunks(sequences, words, chunk=_joined(chunk), token=_joined(token))


def _joined(parts: Sequence[NDArray[np.int64]]) -> Tensor:
    return torch.from_numpy(np.concatenate([np.empty(0, dtype=np.int64), *parts]))


class MentionTagger(HeadedEncoder[TaggerSettings]):
    """An encoder with a head that tags words."""

    kind = "tagger"
    origin = "a tagger is the folder `tagger` that a run leaves"
    settings_type = TaggerSettings
    outputs = 3

    @classmethod
    def untrained(cls, settings: TaggerSettings) -> "MentionTagger":
        """Start from an encoder's published weights. The head's are drawn with torch's seed."""
        return cls(settings, *load_encoder(settings.encoder, attention_dropout=False))

    def chunks(self, texts: Sequence[str]) -> Chunks:
        """Cut texts as this tagger reads them, within the limit of its encoder."""
        most = min(self.settings.max_tokens, self.max_tokens)
        return chunks_of(texts, self.tokenizer, most)

    def forward(self, batch: EncoderBatch) -> Tensor:
        """Logits of the three tags. Shape: (batch, tokens, 3)."""
        mask = batch.attention_mask
        logits: Tensor = self.head(
            last_states(self.language_model, mask, input_ids=batch.input_ids)
        )
        return logits.float()

    def tag(self, texts: Sequence[str]) -> list[Tags]:
        """Tag every text, in eval mode and in the order given."""
        chunks = self.chunks(texts)
        sequences = chunks.sequences
        tagged = torch.empty(len(sequences.ids), 3)  # Every token, also those of margins.
        for rows, logits in self.run(sequences):
            source, filled = sequences.positions(rows)
            tagged[source[filled]] = logits.softmax(-1)[filled]
        return _tags(tagged[chunks.position].double().numpy(), chunks.words)


def _tags(probabilities: Probabilities, words: Sequence[Sequence[Span]]) -> list[Tags]:
    """Divide the probabilities of all words among the texts. Shape: (words, 3)."""
    ends = np.cumsum([len(own) for own in words])
    parts = np.split(probabilities, ends[:-1])
    return [
        Tags(own, part[:, BEGIN], part[:, INSIDE]) for own, part in zip(words, parts, strict=True)
    ]
