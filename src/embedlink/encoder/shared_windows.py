"""Reads windows that several mentions of a note share, so that no part of it is read twice.

A window around each mention reads most words of a note many times. Here mentions that stand near
each other share a window, and each pools its own tokens of it.
"""

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor

from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.tokens import TokenSequences
from embedlink.encoder.windows import WindowCutter


def encode_together(
    encoder: ContextEncoder,
    cutter: WindowCutter,
    texts: Iterable[tuple[str, Sequence[tuple[int, int]]]],
) -> Tensor:
    """Vectors of all spans of all texts, in their order, with mention attention.

    They are near those of `encoder.encode(cutter(texts))`, from fewer windows. A window has other
    context than one around the mention alone. Spans are half-open ranges of characters.

    Returns: (spans, dim) of length 1
    """
    windows: list[list[int]] = []
    mentions: list[dict[int, tuple[int, int]]] = []  # ranges in each window by row of the result
    count = 0
    for text, spans in texts:
        for window, own in cutter.together(text, spans):
            windows.append(window)
            mentions.append({count + at: tokens for at, tokens in own.items()})
        count += len(spans)
    pooled = torch.zeros(count, encoder.dim)
    pad = cutter.tokenizer.pad_token_id or 0
    sequences = TokenSequences.of(windows, [(0, 1)] * len(windows), pad, note=True)
    for rows, states in encoder.run(encoder.states, sequences):
        for row, tokens in zip(rows.tolist(), states.float().cpu(), strict=True):
            for mention, (first, end) in mentions[row].items():
                pooled[mention] = tokens[first:end].mean(0)
    with torch.inference_mode():
        vectors = encoder.project(pooled.to(encoder.device, encoder.language_model.dtype), True)
    return vectors.cpu().clone()
