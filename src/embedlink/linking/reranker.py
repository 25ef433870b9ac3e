"""A second look at the concepts nearest to a mention: a cross-encoder reads mention and name.

The linker encodes mentions and names separately. A cross-encoder reads a mention, its context and a
name together, so it sees the words that they share (Nogueira and Cho 2019). Wu et al. 2020 (BLINK)
use it for entity linking. It costs one pass of the encoder for each pair, so only the nearest few
concepts are compared.

`Reranker` is the model, with the pairs that it reads. `Reranking` reorders the hits of an index by
it. `training/reranker.py` trains it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from embedlink.encoder.context import last_states, masked_mean
from embedlink.encoder.headed import HeadedEncoder
from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.shared import SharedWindows
from embedlink.encoder.tokens import (
    EncoderBatch,
    MentionSequences,
    Sequences,
    SpecialTokens,
    TokenSequences,
    tokenise_names,
)
from embedlink.encoder.windows import Windows
from embedlink.index.concept_index import ConceptIndex, Hits
from embedlink.linking.settings import RerankerSettings

SCALE = 20.0
"""How many logits a cosine of 1 counts beside the cross-encoder's own."""


class Reranker(HeadedEncoder[RerankerSettings]):
    """A cross-encoder. Its logits are added to cosines. An untrained one changes no order.

    It reads the linker's own windows, so it needs the linker's tokenizer.
    """

    kind = "reranker"
    origin = "a reranker is a folder in the linker that a run with reranker leaves"
    settings_type = RerankerSettings
    outputs = 1

    @classmethod
    def untrained(cls, settings: RerankerSettings, encoder: str) -> "Reranker":
        """Start from an encoder's published weights."""
        made = cls(settings, *load_encoder(encoder, attention_dropout=False))
        # With a head of zeros all logits are 0, so cosines alone decide.
        nn.init.zeros_(made.head.weight)
        nn.init.zeros_(made.head.bias)
        return made

    def forward(self, batch: EncoderBatch) -> Tensor:
        """Logits of pairs. Returns: (pairs,)."""
        mask = batch.attention_mask
        # (pairs, tokens, dim)
        states = last_states(self.language_model, mask, input_ids=batch.input_ids)
        logits: Tensor = self.head(masked_mean(states, batch.mention_mask))
        return logits.squeeze(1).float()

    def pairs(
        self,
        windows: Windows,
        mention: Tensor,
        texts: Sequence[str],
    ) -> TokenSequences:
        """Put mention, name and window of each pair into one sequence.

        A mention is its surface if the linker reads surfaces, else its tokens in the window.
        Mention and name are pooled, with their special tokens. A pair that is too long for the
        encoder loses the end of its window. `texts` holds the name of each pair.

        Shape: mention (pairs,) row of the mention's window
        """
        special, most = SpecialTokens.of(self.tokenizer), self.max_tokens
        # A name can be near many mentions, so each name is tokenised once.
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        names = tokenise_names(self.tokenizer, list(row_of), self.settings.max_name_tokens)
        ids, pooled = [], []
        for row, text in zip(mention.tolist(), texts, strict=True):
            surface, window = _read(windows, row, special)
            # The token before a sequence (`[CLS]`) is kept once, before the mention.
            name = _row(names, row_of[text])[len(special.before) :]
            ids.append([*surface, *name, *window][:most])
            pooled.append((0, min(len(surface) + len(name), most)))
        return TokenSequences.of(ids, pooled, self.tokenizer.pad_token_id or 0)

    def score(self, pairs: TokenSequences, progress: str | None = None) -> Tensor:
        """Logits of all pairs, in eval mode. Returns: (pairs,)."""
        scores = torch.zeros(len(pairs))
        for rows, logits in self.run(pairs, progress):
            scores[rows] = logits
        return scores


@dataclass(frozen=True)
class Reranking:
    """A reranker with the index that it reorders. `texts` holds the string of each index row."""

    reranker: Reranker
    index: ConceptIndex
    texts: Sequence[str]

    @property
    def top_k(self) -> int:
        """How many of the nearest concepts are compared."""
        return self.reranker.settings.top_k

    def reordered(
        self,
        vectors: Tensor,
        windows: Windows,
        rows: Tensor,
        hits: Hits,
        progress: str | None = None,
    ) -> Hits:
        """Sort the first `top_k` concepts of each mention by the sum of cosine, prior and logit.

        Later hits keep their places, and all scores stay cosines. Equal sums keep the order of the
        hits. The reranker reads the distinct name of a concept that is nearest to the mention.
        `hits` holds k concept rows for each mention.

        Shape: vectors (mentions, dim) of length 1
        Shape: rows (mentions,) row of each mention's window
        """
        first = hits.rows[:, : self.top_k]
        query, column = torch.nonzero(first >= 0, as_tuple=True)
        names = self.index.nearest_names(vectors, query, first[query, column])
        texts = [self.texts[name] for name in names.tolist()]
        logits = self.reranker.score(self.reranker.pairs(windows, rows[query], texts), progress)
        ranked = torch.full(first.shape, -torch.inf)  # Places without a concept stay last.
        ranked[query, column] = hits.scores[query, column] + logits / SCALE
        if self.index.prior is not None:
            ranked[query, column] += self.index.prior[first[query, column]]
        return hits.reordered(ranked)


def _row(sequences: TokenSequences, row: int) -> list[int]:
    ids: list[int] = sequences.ids[sequences.starts[row] : sequences.starts[row + 1]].tolist()
    return ids


def _read(windows: Windows, row: int, special: SpecialTokens) -> tuple[list[int], list[int]]:
    """A mention's tokens between special tokens, and its window without the leading `[CLS]`."""
    if isinstance(windows, MentionSequences):
        assert isinstance(windows.surfaces, TokenSequences)
        surface = _row(windows.surfaces, int(windows.surface[row]))
        window, _ = _window(windows.windows, row)
    else:
        window, (first, last) = _window(windows, row)
        surface = [*special.before, *window[first:last], *special.after]
    return surface, window[len(special.before) :]


def _window(windows: Sequences, row: int) -> tuple[list[int], list[int]]:
    """The token ids of a mention's window, and the range of the mention in it."""
    if isinstance(windows, SharedWindows):
        shared = windows.windows
        assert isinstance(shared, TokenSequences)
        return _row(shared, int(windows.window[row])), windows.mention[row].tolist()
    assert isinstance(windows, TokenSequences)
    return _row(windows, row), windows.mention[row].tolist()
