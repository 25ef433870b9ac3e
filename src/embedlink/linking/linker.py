"""A trained linker: what training produces, checkpoints hold and MedCAT packs ship.

A linker loads from its folder alone: it needs no hub, no Lightning and no Hydra. The folder also
holds the index, with digests of the names and weights that it was built from. The index is used
again as long as these digests stay the same.
"""

import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from transformers import PreTrainedTokenizerBase

from embedlink.concepts.names import ConceptNames
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.streaming import StreamedNames
from embedlink.encoder.tokens import Sequences, TokenSequences, tokenise_names
from embedlink.encoder.windows import WindowCutter
from embedlink.files.digests import digest_of
from embedlink.files.manifest import read_manifest, verify, verify_part, write_manifest
from embedlink.files.pickling import PickledByValue
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.decision import LinkDecision, NameCounts
from embedlink.linking.parts import (
    DAMAGED,
    FORMAT,
    SETTINGS,
    read_encoder,
    read_settings,
    read_tensors,
    under,
)
from embedlink.linking.reranker import Reranker, Reranking
from embedlink.linking.senses import SenseReader
from embedlink.linking.settings import LinkerSettings
from embedlink.problems import EmbedLinkError

log = logging.getLogger(__name__)

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}
WEIGHTS, ENCODER = "linker.safetensors", "encoder"
KIND, INDEX, RERANKER, SENSES = "linker", "index.safetensors", "reranker", "senses"
"""Files of a linker's folder, and its kind. The manifest says what the index was built from."""


@dataclass(frozen=True, eq=False)
class Linker(PickledByValue):
    """The context model with its tokenizer, link decision and settings.

    A linker is complete when it is made. What is learned later, such as counts, makes another one
    with `dataclasses.replace`. Both then hold the same encoder and decision, whose weights train.

    `counts` holds how often each name was (detected, linked) in training documents. `frequencies`
    holds how many mentions each concept had there, by CUI. `training` holds the settings of its
    training, as fields of MedCAT's component. `reranker` compares the nearest concepts again, and
    `senses` reads what short forms mean. Both are None if none was trained.
    """

    settings: LinkerSettings
    encoder: ContextEncoder
    tokenizer: PreTrainedTokenizerBase
    decision: LinkDecision
    counts: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    frequencies: Mapping[str, int] = field(default_factory=dict)
    training: Mapping[str, object] = field(default_factory=dict)
    reranker: Reranker | None = None
    senses: SenseReader | None = None

    def __post_init__(self) -> None:
        # The link decision stays in float32. Weights rounded to bfloat16 once stay rounded.
        self.encoder.to(DTYPES[self.settings.dtype])

    @classmethod
    def untrained(
        cls,
        settings: LinkerSettings,
        unfreeze: int = 0,
        frequencies: Mapping[str, int] | None = None,
    ) -> "Linker":
        """Start from an encoder's published weights. Everything that has a concept is linked.

        Raises `EmbedLinkError` if the encoder cannot be loaded or does not suit the settings.
        """
        model, tokenizer = load_encoder(settings.encoder)
        encoder = ContextEncoder(
            model,
            pooling=settings.pooling,
            projection=settings.projection,
            unfreeze=unfreeze,
            surface_weight=settings.surface_weight,
            towers=settings.towers,
        )
        decision = LinkDecision(encoder.dim)
        return cls(
            settings, encoder, tokenizer=tokenizer, decision=decision, frequencies=frequencies or {}
        )

    def adapted(self, wanted: LinkerSettings) -> "Linker":
        """A linker with other settings, of the same weights. The encoder is changed in place.

        A projection that is switched on starts as the identity. If it is switched off, its weights
        are lost. Raises `EmbedLinkError` if `towers` differs, which training decides.
        """
        if wanted.towers != self.settings.towers:
            raise EmbedLinkError(
                f"towers={wanted.towers!r}: this linker was trained with "
                f"{self.settings.towers!r}, and that cannot be changed afterwards"
            )
        self.encoder.read_by(
            pooling=wanted.pooling,
            projection=wanted.projection,
            surface_weight=wanted.surface_weight,
        )
        if replace(wanted, dtype=self.settings.dtype) != self.settings:
            self.decision.forget_reach()  # Other windows give other vectors.
        return replace(self, settings=wanted)

    @property
    def cutter(self) -> WindowCutter:
        """Cuts context windows as this linker was trained on them."""
        wanted = self.settings
        surfaces = wanted.surface_weight > 0
        return WindowCutter(
            self.tokenizer,
            wanted.context_window,
            wanted.max_tokens,
            surfaces,
            wanted.note_tokens if wanted.reads == "note" else None,
        )

    def tokenise(self, names: ConceptNames) -> TokenSequences:
        """Token ids of all texts of the table."""
        limit = self.settings.max_name_tokens
        return tokenise_names(self.tokenizer, names.texts, limit, progress="Tokenising names")

    def build_index(
        self,
        names: ConceptNames,
        tokens: Sequences | None = None,
        progress: str | None = "Building the concept index",
        token_budget: int | None = None,
        together: bool = False,
    ) -> ConceptIndex:
        """Encode all names and representative names and build the index from them.

        `tokens` holds the texts of `names`, perhaps with the states of frozen layers. If it is
        None, names are tokenised while others are encoded. The other arguments are those of
        `ContextEncoder.encode`.
        """
        if tokens is None:
            tokens = StreamedNames(self.tokenizer, names.texts, self.settings.max_name_tokens)
        dtype = DTYPES[self.settings.dtype]
        vectors = self.encoder.encode(
            tokens, token_budget, progress, together=together, dtype=dtype
        )
        return self.index_of(vectors, names)

    def index_of(self, vectors: Tensor, names: ConceptNames) -> ConceptIndex:
        """An index over encoded texts. Shape: vectors (texts, dim)."""
        return ConceptIndex(
            vectors,
            names.representative,
            concepts_of_name=names.concepts_of_name,
            distinct_names_of_concept=names.distinct_names_of_concept,
            prior=self._prior(names),
        )

    def _prior(self, names: ConceptNames) -> Tensor | None:
        """What a concept's frequency in training adds to its cosines.

        If context does not tell two concepts apart, the one with more training mentions wins.

        Returns: (concepts,)
        """
        if not self.frequencies or not self.settings.frequency_weight:
            return None
        seen = torch.tensor([self.frequencies.get(cui, 0) for cui in names.cuis])
        return self.settings.frequency_weight * torch.log1p(seen.float())

    def reranking(self, names: ConceptNames, index: ConceptIndex) -> Reranking | None:
        """The reranker with an index of these names, or None if no reranker was trained."""
        return None if self.reranker is None else Reranking(self.reranker, index, names.texts)

    def name_counts(self, names: ConceptNames) -> NameCounts:
        """`counts` by row of `names`. Counts of names that it does not hold are left out."""
        table = NameCounts.empty(len(names.names))
        for name, (detected, linked) in self.counts.items():
            row = names.name_row.get(name)
            if row is not None:
                table.detected[row], table.linked[row] = detected, linked
        return table

    def with_counts(self, counts: NameCounts, names: ConceptNames) -> "Linker":
        """A linker with the counts of the names that training documents held."""
        rows = torch.nonzero(counts.detected).squeeze(1).tolist()
        by_name = {
            names.names[row]: (int(counts.detected[row]), int(counts.linked[row])) for row in rows
        }
        return replace(self, counts=by_name)

    def save(self, folder: Path, names: ConceptNames, index: ConceptIndex) -> None:
        """Write the linker and its index to an empty or new folder.

        If it fails, the files written so far stay. `atomic.written_aside` prevents that.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self.encoder.language_model.save_pretrained(folder / ENCODER)
        self.tokenizer.save_pretrained(folder / ENCODER)
        weights = {f"decision.{key}": t for key, t in self.decision.state_dict().items()}
        if self.encoder.projection is not None:
            state = self.encoder.projection.state_dict()
            weights |= {f"projection.{key}": tensor for key, tensor in state.items()}
        notes = self.encoder.note_layers.state_dict()
        weights |= {f"note_layers.{key}": tensor for key, tensor in notes.items()}
        plain = {key: tensor.detach().cpu().contiguous() for key, tensor in weights.items()}
        save_file(plain, folder / WEIGHTS)
        described = {
            "format": FORMAT,
            "settings": asdict(self.settings),
            "counts": self.counts,
            "frequencies": self.frequencies,
            "training": dict(self.training),
        }
        (folder / SETTINGS).write_text(json.dumps(described, indent=1), encoding="utf-8")
        if self.reranker is not None:
            self.reranker.save(folder / RERANKER)
        if self.senses is not None:
            self.senses.save(folder / SENSES)
        save_file({"vectors": index.vectors.contiguous()}, folder / INDEX)
        write_manifest(folder, KIND, self._index_of(names))

    @classmethod
    def load(cls, folder: Path | str) -> "Linker":
        """Read a linker back, in eval mode and with no layer unfrozen.

        Raises an `EmbedLinkError` that names the part if a part is missing or corrupt.
        `stored_index` reads the index later, because whether it fits depends on the names.
        """
        folder = Path(folder)
        described = read_settings(folder)
        verify(folder, KIND, later=[INDEX])
        model, tokenizer = read_encoder(folder / ENCODER)
        try:
            settings = LinkerSettings(**described["settings"])
            counts = {name: (int(d), int(k)) for name, (d, k) in described["counts"].items()}
            frequencies = {cui: int(n) for cui, n in described.get("frequencies", {}).items()}
            training = dict(described.get("training", {}))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise EmbedLinkError(f"{folder / SETTINGS}: {DAMAGED} ({error})") from error
        encoder = ContextEncoder(
            model,
            pooling=settings.pooling,
            projection=settings.projection,
            surface_weight=settings.surface_weight,
            towers=settings.towers,
        )
        decision = LinkDecision(encoder.dim)
        weights = read_tensors(folder / WEIGHTS)
        try:
            decision.load_state_dict(under("decision.", weights))
            if encoder.projection is not None:
                encoder.projection.load_state_dict(under("projection.", weights))
            notes = under("note_layers.", weights)
            encoder.grow_note_tower(len({key.split(".")[0] for key in notes}))
            encoder.note_layers.load_state_dict(notes)
        except RuntimeError as error:
            raise EmbedLinkError(f"{folder / WEIGHTS}: the weights do not fit: {error}") from error
        reranker, senses = folder / RERANKER, folder / SENSES
        return cls(
            settings,
            encoder.eval(),
            tokenizer=tokenizer,
            decision=decision,
            counts=counts,
            frequencies=frequencies,
            training=training,
            reranker=Reranker.load(reranker) if reranker.is_dir() else None,
            senses=SenseReader.load(senses, encoder, tokenizer) if senses.is_dir() else None,
        )

    def stored_index(self, folder: Path, names: ConceptNames) -> ConceptIndex | None:
        """The index saved with the linker, or None if names, weights or settings have changed.

        Raises an `EmbedLinkError` that names the file if it is missing or holds other vectors.
        """
        manifest = read_manifest(folder, KIND)
        if manifest.made_from != self._index_of(names):
            return None
        verify_part(folder, manifest, INDEX)
        vectors = read_tensors(folder / INDEX).get("vectors")
        if vectors is None or vectors.shape != (len(names.texts), self.encoder.dim):
            raise EmbedLinkError(f"{folder / INDEX}: {DAMAGED}")
        return self.index_of(vectors, names)

    def _index_of(self, names: ConceptNames) -> dict[str, str]:
        return {"names": names.digest, "weights": self.digest()}

    def digest(self) -> str:
        """A digest that changes with every setting and every weight that the index depends on."""
        settings = json.dumps(asdict(self.settings), sort_keys=True)
        return digest_of(settings, self.encoder.state_dict())
