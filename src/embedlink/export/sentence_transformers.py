"""The encoder as a folder that `sentence_transformers.SentenceTransformer` loads.

It gives the vectors of names, and of any text that is pooled as a whole. Mention pooling leaves the
special tokens out. In sentence-transformers these tokens get a weight of 0 instead. The folder
cannot hold windows, surfaces or the link decision.
"""

import tempfile
from pathlib import Path

import torch

from embedlink.linking.linker import Linker
from embedlink.medcat.upstream import write_encoder
from embedlink.problems import EmbedLinkError


def write_sentence_model(linker: Linker, folder: Path) -> None:
    """Write the folder. The package `sentence-transformers` must be installed.

    Texts are cut to the linker's `max_name_tokens`, and vectors have length 1. Raises
    `EmbedLinkError` if the package is missing.
    """
    try:
        from sentence_transformers import SentenceTransformer
        from sentence_transformers.sentence_transformer import modules
    except ImportError as error:
        raise EmbedLinkError(
            "target=sentence-transformers: pip install 'sentence-transformers>=5.2'"
        ) from error
    with tempfile.TemporaryDirectory() as encoder:
        write_encoder(linker, Path(encoder))
        limit = linker.settings.max_name_tokens
        # The module must read the weights here, before the temporary folder is deleted.
        parts = [modules.Transformer(encoder, max_seq_length=limit)]
    if linker.settings.pooling == "mention":
        parts.append(modules.WordWeights(*_token_weights(linker)))
    parts.append(modules.Pooling(linker.encoder.dim, pooling_mode="mean"))
    projection = linker.encoder.projection
    if projection is not None:
        weight, bias = projection.weight.detach().float(), projection.bias.detach().float()
        size = linker.encoder.dim
        parts.append(modules.Dense(size, size, True, torch.nn.Identity(), weight, bias))
    SentenceTransformer(modules=[*parts, modules.Normalize()], device="cpu").save(str(folder))


def _token_weights(linker: Linker) -> tuple[list[str], dict[str, float]]:
    """All tokens in the order of their ids, with their weights: 0 for special tokens, else 1."""
    ids: dict[str, int] = linker.tokenizer.get_vocab()
    tokens = sorted(ids, key=ids.__getitem__)
    # The token for unknown words stands for a word of the name, so it is pooled.
    special = set(linker.tokenizer.all_special_tokens) - {linker.tokenizer.unk_token}
    return tokens, {token: float(token not in special) for token in tokens}
