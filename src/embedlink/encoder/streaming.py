"""Names tokenised while those before them are encoded.

This is for names that are encoded once. Their tokens are dropped afterwards, so millions of names
need little memory. A GPU need not wait until the last name is tokenised. At most two chunks are in
memory: the one that is encoded, and the next one, which another thread tokenises.
"""

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property

from torch import Tensor
from transformers import PreTrainedTokenizerBase

from embedlink.encoder.tokens import EncoderBatch, TokenSequences, tokenise_names

CHUNK = 65536
"""Names tokenised at a time. There are many of each length, so batches stay full."""


class StreamedNames:
    """Sequences that exist only from the moment `batches` yields their rows to its next step.

    So they can be read in the order of `batches` only, and by one loop at a time. That is enough to
    build an index, but not to train. `max_tokens` includes special tokens.
    """

    def __init__(
        self, tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], max_tokens: int
    ) -> None:
        self.tokenizer, self.texts, self.max_tokens = tokenizer, texts, max_tokens
        self._low, self._present = 0, TokenSequences.of([], [], 0)

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def lengths(self) -> Tensor:
        """Tokens in each sequence. Shape: (sequences,) int64.

        All names are tokenised for this. Encoding does not ask for it.
        """
        return tokenise_names(self.tokenizer, self.texts, self.max_tokens).lengths

    def batch(self, rows: Tensor) -> EncoderBatch:
        """The sequences whose rows came last, padded to the longest. Shape: rows (batch,).

        Rows of another chunk are not noticed. They give wrong sequences, or an `IndexError`.
        """
        return self._present.batch(rows - self._low)

    def batches(self, token_budget: int) -> Iterator[Tensor]:
        """Rows of all sequences in batches of like length. Shape: (batch,) each.

        Batches are sorted within a chunk, so every chunk begins with its longest names.
        """
        starts = range(0, len(self.texts), CHUNK)
        with ThreadPoolExecutor(1) as beside:
            # The chunk that comes next. There is never more than one.
            chunks = [beside.submit(self._tokenise, low) for low in starts[:1]]
            for low in starts:
                self._low, self._present = low, chunks.pop().result()
                if low + CHUNK < len(self.texts):
                    chunks.append(beside.submit(self._tokenise, low + CHUNK))
                # Rows of the chunk become rows of all names.
                yield from (rows + low for rows in self._present.batches(token_budget))

    def _tokenise(self, low: int) -> TokenSequences:
        part = self.texts[low : low + CHUNK]
        return tokenise_names(self.tokenizer, part, self.max_tokens)
