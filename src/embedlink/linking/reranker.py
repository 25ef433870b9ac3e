"""A second look at the concepts nearest to a mention: a cross-encoder reads mention and name.

Vectors of mentions and names are made apart; a cross-encoder reads a mention, its context and a
name together, and so sees which words they share and which they do not (Nogueira and Cho 2019; for
entity linking Wu et al. 2020, BLINK). It costs one pass of the encoder for each pair, so only the
nearest few concepts are compared.

`Reranker` is the model and the pairs that it reads, `Reranking` has it put the hits of an index in
another order; `reranking` trains it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from embedlink.encoder.context import last_states, masked_mean
from embedlink.encoder.headed import HeadedEncoder
from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.tokens import (
    EncoderBatch,
    MentionSequences,
    SpecialTokens,
    TokenSequences,
    tokenise_names,
)
from embedlink.index.concept_index import ConceptIndex, Hits
from embedlink.linking.settings import RerankerSettings

SCALE = 20.0
"""How many logits a cosine of 1 counts beside the cross-encoder's own."""


class Reranker(HeadedEncoder[RerankerSettings]):
    """A cross-encoder whose logits are added to cosines; untrained, it changes no order.

    It reads what the linker's encoder reads, so it has the linker's tokenizer.
    """

    kind = "reranker"
    origin = "a reranker is a folder in the linker that a run with reranker leaves"
    settings_type = RerankerSettings
    outputs = 1

    @classmethod
    def untrained(cls, settings: RerankerSettings, encoder: str) -> "Reranker":
        """Start from an encoder's published weights."""
        made = cls(settings, *load_encoder(encoder, attention_dropout=False))
        # All logits are 0 then, and cosines alone decide.
        nn.init.zeros_(made.head.weight)
        nn.init.zeros_(made.head.bias)
        return made

    def forward(self, batch: EncoderBatch) -> Tensor:
        """Logits of pairs. Shape: (pairs,)."""
        mask = batch.attention_mask
        # (pairs, tokens, dim)
        states = last_states(self.language_model, mask, input_ids=batch.input_ids)
        logits: Tensor = self.head(masked_mean(states, batch.mention_mask))
        return logits.squeeze(1).float()

    def pairs(
        self,
        windows: TokenSequences | MentionSequences,
        mention: Tensor,
        texts: Sequence[str],
    ) -> TokenSequences:
        """Mention, name and window of each pair, one after the other, as far as the encoder reads.

        The mention is its surface where the linker reads surfaces. Mention and name are pooled,
        with their special tokens; a pair that is too long loses the end of its window. Shape:
        mention (pairs,) rows of windows, texts (pairs,) names.
        """
        special, most = SpecialTokens.of(self.tokenizer), self.max_tokens
        # The same names are near many mentions: each is tokenised once.
        row_of = {text: row for row, text in enumerate(dict.fromkeys(texts))}
        names = tokenise_names(self.tokenizer, list(row_of), self.settings.max_name_tokens)
        ids, pooled = [], []
        for row, text in zip(mention.tolist(), texts, strict=True):
            surface, window = _read(windows, row, special)
            # What stands before a sequence (`[CLS]`) stands once, before the mention.
            name = _row(names, row_of[text])[len(special.before) :]
            ids.append([*surface, *name, *window][:most])
            pooled.append((0, min(len(surface) + len(name), most)))
        return TokenSequences.of(ids, pooled, self.tokenizer.pad_token_id or 0)

    def score(self, pairs: TokenSequences, progress: str | None = None) -> Tensor:
        """Logits of all pairs, in eval mode. Shape: (pairs,)."""
        scores = torch.zeros(len(pairs))
        for rows, logits in self.run(pairs, progress):
            scores[rows] = logits
        return scores


@dataclass(frozen=True)
class Reranking:
    """A reranker at work on an index. `texts` are the strings of the index' rows."""

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
        windows: TokenSequences | MentionSequences,
        rows: Tensor,
        hits: Hits,
        progress: str | None = None,
    ) -> Hits:
        """The first `top_k` concepts of each mention by cosine, prior and logit together.

        What comes after them, and the scores (cosines), stay; equals keep the order of the hits.
        A concept is read by its best distinct name. Shape: vectors (mentions, dim), rows
        (mentions,) of their windows, hits (mentions, k) rows of concepts -> (mentions, k).
        """
        first = hits.rows[:, : self.top_k]
        query, column = torch.nonzero(first >= 0, as_tuple=True)
        names = self.index.nearest_names(vectors, query, first[query, column])
        texts = [self.texts[name] for name in names.tolist()]
        logits = self.reranker.score(self.reranker.pairs(windows, rows[query], texts), progress)
        ranked = torch.full(first.shape, -torch.inf)  # Where there is no concept, last as before.
        ranked[query, column] = hits.scores[query, column] + logits / SCALE
        if self.index.prior is not None:
            ranked[query, column] += self.index.prior[first[query, column]]
        return hits.reordered(ranked)


def _row(sequences: TokenSequences, row: int) -> list[int]:
    ids: list[int] = sequences.ids[sequences.starts[row] : sequences.starts[row + 1]].tolist()
    return ids


def _read(
    windows: TokenSequences | MentionSequences, row: int, special: SpecialTokens
) -> tuple[list[int], list[int]]:
    """A mention's own text between special tokens, and its window without those before it."""
    if isinstance(windows, MentionSequences):
        assert isinstance(windows.surfaces, TokenSequences)
        surface = _row(windows.surfaces, int(windows.surface[row]))
        assert isinstance(windows.windows, TokenSequences)
        window = _row(windows.windows, row)
    else:
        window = _row(windows, row)
        first, last = windows.mention[row].tolist()
        surface = [*special.before, *window[first:last], *special.after]
    return surface, window[len(special.before) :]
