"""An encoder with a linear head: what a tagger and a reranker are, in memory and on disk.

A subclass says how a batch becomes logits. Its training is in `training.heads`, because this module
ships in model packs, and those import no Lightning.
"""

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from embedlink.encoder.inference import computed
from embedlink.encoder.pretrained import MAKING_WEIGHTS, load_encoder
from embedlink.encoder.tokens import TokenSequences
from embedlink.files.digests import digest_of
from embedlink.files.manifest import verify, write_manifest
from embedlink.files.pickling import PickledByValue
from embedlink.problems import EmbedLinkError

Settings = TypeVar("Settings", bound=Any)
HEAD, ENCODER = "head.safetensors", "encoder"
"""Files of the folder, beside `<kind>.json` with the settings."""


class HeadedEncoder(PickledByValue, nn.Module, Generic[Settings]):
    """An encoder, its tokenizer and a head of a few outputs. `settings` are a dataclass.

    A subclass states its name, the origin of its folder, its settings and its outputs.
    """

    kind: ClassVar[str]
    """The name of the settings' file, and of the model in errors."""
    origin: ClassVar[str]
    """The end of the error if a folder holds no such model. It says which folder does."""
    settings_type: ClassVar[type]
    outputs: ClassVar[int]
    """Logits that the head gives for each vector."""

    def __init__(
        self,
        settings: Settings,
        language_model: PreTrainedModel,
        tokenizer: PreTrainedTokenizerBase,
    ) -> None:
        super().__init__()
        self.settings, self.tokenizer = settings, tokenizer
        self.language_model = language_model
        with MAKING_WEIGHTS:
            self.head = nn.Linear(language_model.config.hidden_size, self.outputs)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.head.weight.device

    @property
    def max_tokens(self) -> int:
        """How many tokens the encoder reads at most, special tokens included."""
        positions = getattr(self.language_model.config, "max_position_embeddings", None)
        # Some tokenizers have no limit and give a number that no text reaches.
        return min(int(self.tokenizer.model_max_length), positions or sys.maxsize)

    def run(
        self, sequences: TokenSequences, progress: str | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the rows of each batch with the model's logits, on the CPU, in eval mode.

        Shape: rows (batch,), logits (batch, …) float32 as `forward` gives them.
        """
        found = computed(
            self, self, sequences, device=self.device, precision="auto", progress=progress
        )
        for rows, logits in found:
            yield rows, logits.float().cpu()

    def digest(self) -> str:
        """SHA-256 of the weights and the settings. The tokenizer does not count."""
        return digest_of(json.dumps(asdict(self.settings)), self.state_dict())

    def save(self, folder: Path) -> None:
        """Write everything to an empty or new folder.

        Weights are safetensors, settings are JSON: nothing is pickled.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.language_model.save_pretrained(folder / ENCODER)
        self.tokenizer.save_pretrained(folder / ENCODER)
        head = {key: t.detach().cpu().contiguous() for key, t in self.head.state_dict().items()}
        save_file(head, folder / HEAD)
        described = json.dumps(asdict(self.settings))
        (folder / f"{self.kind}.json").write_text(described, encoding="utf-8")
        write_manifest(folder, self.kind)

    @classmethod
    def load(cls, folder: Path | str) -> Self:
        """Read the model back, in eval mode.

        An `EmbedLinkError` names the folder if it holds no such model, or the part that is missing
        or damaged.
        """
        folder = Path(folder)
        if not (folder / f"{cls.kind}.json").is_file():
            raise EmbedLinkError(f"{folder}: no {cls.kind} can be read; {cls.origin}")
        verify(folder, cls.kind)
        try:
            # Settings come first, so a folder of something else fails before weights are read.
            described = json.loads((folder / f"{cls.kind}.json").read_text("utf-8"))
            if not (folder / ENCODER).is_dir():  # transformers would ask the hub for it.
                raise FileNotFoundError(folder / ENCODER)
            made = cls(cls.settings_type(**described), *load_encoder(str(folder / ENCODER)))
            made.head.load_state_dict(load_file(folder / HEAD))
        except Exception as error:  # Corrupt files make every library raise errors of its own.
            raise EmbedLinkError(
                f"{folder}: no {cls.kind} can be read ({error}); {cls.origin}"
            ) from error
        return made.eval()
