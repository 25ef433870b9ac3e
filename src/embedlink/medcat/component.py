"""What both linking components are: a linker with a live index, inside a MedCAT pipeline.

MedCAT hands over the entities that detection left in a document. They become detections
(`detection.pipeline`), the predictor chooses their concepts (`prediction`), and what is linked goes
back with concept, similarity and probability.
Before each use the linker is brought to the configuration (`sync`), and the index to the
concept database and the weights (`live_index`): nothing needs to be called after a change.
"""

import copy
import hashlib
import json
import logging
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self
from weakref import WeakValueDictionary

from medcat.cdb import CDB
from medcat.components.types import (
    AbstractEntityProvidingComponent,
    CoreComponentType,
    get_component_creator,
)
from medcat.config.config import ComponentConfig
from medcat.storage.serialisables import AbstractManualSerialisable
from medcat.tokenizing.tokenizers import BaseTokenizer
from medcat.tokenizing.tokens import MutableDocument, MutableEntity
from medcat.vocab import Vocab

from embedlink.concepts.names import ConceptNames
from embedlink.detection.pipeline import detection
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.linker import Linker
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.live_index import LiveIndex
from embedlink.medcat.prediction import Predictor
from embedlink.medcat.sealed import seal_around
from embedlink.medcat.similarity import set_prediction, show_similarity
from embedlink.medcat.sources import start_linker
from embedlink.medcat.sync import follow
from embedlink.medcat.unlinked import without_unlinked
from embedlink.problems import EmbedLinkError
from embedlink.types import Prediction

log = logging.getLogger(__name__)

_IN_USE: WeakValueDictionary[int, "LinkingComponent"] = WeakValueDictionary()
"""The component that each configuration object is of, by its id, as long as it lives."""


class LinkingComponent(AbstractEntityProvidingComponent, AbstractManualSerialisable):
    """Links MedCAT's detections by the similarity of their context to concept names.

    `tokenizer` and `vocab` are the pipeline's. Linking does without them; training needs them to
    detect in its documents.

    Several threads may predict at once. Whatever is made or changed for it (index, predictor,
    device) is made under a lock; after an error the next call tries again.
    """

    def __init__(
        self,
        linker: Linker,
        cdb: CDB,
        config: EmbedLinkLinking,
        tokenizer: BaseTokenizer | None = None,
        vocab: Vocab | None = None,
        live: LiveIndex | None = None,
    ) -> None:
        super().__init__()
        self.linker, self.cdb, self.config = linker, cdb, config
        self.tokenizer, self.vocab = tokenizer, vocab
        self.live = live or LiveIndex(linker, cdb)
        self._predictor: Predictor | None = None
        self._lock = threading.RLock()
        linker.encoder.eval()
        cdb.has_subname("")  # MedCAT collects the parts of names when first asked.
        # Fields given at loading hold from here on, and an impossible device shows at once.
        self._settle()
        # MedCAT makes the addons of the configuration after its core components.
        show_similarity(cdb.config)
        _IN_USE[id(config)] = self

    def get_type(self) -> CoreComponentType:
        """A linking component."""
        return CoreComponentType.linking

    @property
    def names(self) -> ConceptNames:
        """The concept database's names, as the index has them."""
        return self.live.names

    @property
    def index(self) -> ConceptIndex:
        """The concept index, up to date; built when first needed, with a progress bar."""
        with self._lock:
            self._settle()
            return self.live.current()

    def predict_entities(
        self, doc: MutableDocument, ents: list[MutableEntity] | None = None
    ) -> list[MutableEntity]:
        """Link the detected entities of a document: `ents`, or all that detection left in it.

        Linked ones come back by start, with concept, probability (`context_similarity`, in [0, 1])
        and cosine (`similarity.cosine_of`) set in place. The others are left out and keep the
        empty concept that detection gives them; so do those that overlap a more probable link,
        unless `config.general.show_nested_entities` is set.
        """
        entities = doc.ner_ents if ents is None else ents
        if not entities:
            return []
        detections = [detection(entity) for entity in entities]
        with self._lock:
            # Before the predictor is taken: it is made for the table as it is after this.
            self.live.check(detections)
            predictor = self._current_predictor()
        nested = self.cdb.config.general.show_nested_entities
        found = predictor.predict(doc.base.text, detections, nested)
        found = without_unlinked(self.cdb, doc.base.text, detections, found)
        pairs = zip(entities, found, strict=True)
        return _linked(doc, [(entity, own) for entity, own in pairs if own])

    def refresh_structure(self) -> None:
        """Read the concept database anew (done by itself when it changes)."""
        self.live.forget(names=True)

    def create_embeddings(
        self, embedding_model_name: str | None = None, max_length: int | None = None
    ) -> None:
        """Embed all names now, after a switch of encoder or length where one is asked for.

        Both go into the configuration. `max_length` counts tokens, special ones included, of
        windows and, unless `max_name_token_length` is set, of names.
        """
        if embedding_model_name is not None:
            self.config.embedding_model_name = embedding_model_name
        if max_length is not None:
            self.config.max_token_length = max_length
        self._settle()
        self.live.forget(names=True)
        self.live.current()

    def load_transformers(self, embedding_model_name: str) -> None:
        """Switch to another encoder; the index is built anew when it is next needed.

        `embedding_model_name` as in the configuration. Raises `EmbedLinkError` where it cannot be
        loaded.
        """
        self.config.embedding_model_name = embedding_model_name
        self._settle()

    def get_hash(self) -> str:
        """Changes with weights, decision and settings: part of the model pack's hash.

        So it does with what was counted in training, the reranker and the reader of short forms.
        Samples that wait are trained on first, as before a save.
        """
        self._settle()
        sha = hashlib.sha256(self.linker.digest().encode())
        for name, tensor in self.linker.decision.state_dict().items():
            sha.update(f"{name} {tensor.tolist()}".encode())
        for counts in (self.linker.counts, self.linker.frequencies):
            sha.update(json.dumps(sorted(counts.items())).encode())
        if self.linker.reranker is not None:
            sha.update(self.linker.reranker.digest().encode())
        if self.linker.senses is not None:
            sha.update(self.linker.senses.digest().encode())
        return sha.hexdigest()

    @classmethod
    def create_new_component(
        cls,
        cnf: ComponentConfig,
        tokenizer: BaseTokenizer,
        cdb: CDB,
        vocab: Vocab,
        model_load_path: str | None,
    ) -> Self:
        """Start from the linker or encoder that the configuration names.

        MedCAT makes its pipeline anew to follow a changed configuration: then the linker goes on
        that is in use, with what it has learned. Raises `EmbedLinkError` if the configuration is
        another linker's, if no linker or encoder is found, and if a model pack lacks the folder of
        this component.
        """
        config = _checked(cnf)
        # Of a pack MedCAT makes anew only what it finds no folder of.
        if model_load_path is not None:
            part = Path(model_load_path) / "saved_components" / "core_linking"
            raise EmbedLinkError(f"{part}: this part of the model pack is missing")
        before = _IN_USE.get(id(config))
        if before is not None and before.config is config and before.cdb is cdb:
            return cls._after(before, tokenizer, vocab)
        linker, index_folder = start_linker(config)
        component = cls(linker, cdb, config, tokenizer, vocab)
        if index_folder is not None:
            component._take_stored_index(index_folder)
        return component

    @classmethod
    def _after(cls, before: "LinkingComponent", tokenizer: BaseTokenizer, vocab: Vocab) -> Self:
        """A component that goes on with the linker and the index of another one."""
        with before._lock:
            before._settle()
        return cls(before.linker, before.cdb, before.config, tokenizer, vocab, live=before.live)

    def serialise_to(self, folder_path: str) -> None:
        """Write the linker and its index, which is built first where it is out of date."""
        # First of all: it trains on what waits and reads the database.
        index = self.index
        self.linker.save(Path(folder_path), self.names, index)
        seal_around(Path(folder_path))

    @classmethod
    def deserialise_from(cls, folder_path: str, **init_kwargs: Any) -> Self:
        """Read it back as the component that the configuration names.

        The index is built anew only if names or weights changed since. Raises `EmbedLinkError` for
        a part that is missing or corrupt, by its path, and for another linker's configuration.
        """
        config = _checked(init_kwargs["cnf"])
        linker = Linker.load(folder_path)
        # The registry's creators are bound to their class: static or trainable, whichever is set.
        creator = get_component_creator(CoreComponentType.linking, config.comp_name)
        kind = getattr(creator, "__self__", cls)
        component: Self = kind(
            linker, init_kwargs["cdb"], config, init_kwargs.get("tokenizer"),
            init_kwargs.get("vocab"),
        )  # fmt: skip
        component._take_stored_index(Path(folder_path))
        return component

    def __getstate__(self) -> dict[str, Any]:
        """What other processes get: trained out and with an index, so that they need build none.

        The predictor stays here: they make their own from the rest.
        """
        with self._lock:
            self._settle()
            self.live.current()
            left_out = {"_predictor": None, "_lock": None}
            return self.__dict__ | left_out

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()

    def _take_stored_index(self, folder: Path) -> None:
        index = self.linker.stored_index(folder, self.names)
        if index is None:
            log.info("names or weights changed since the index was stored: it will be rebuilt")
        else:
            self.live.adopt(index)

    def _settle(self, to_predict: bool = False) -> None:
        """Bring the linker to what the configuration says now, and train on what waits.

        `to_predict`: what can wait for the next save is left waiting.
        """
        follow(self.config, self.linker, self.live)

    def _current_predictor(self) -> Predictor:
        """The predictor for the present names, weights and configuration."""
        self._settle(to_predict=True)
        # Training leaves it where the encoder is; vectors and candidates are on the CPU.
        self.linker.decision.to("cpu")
        index, made = self.live.current(), self._predictor
        # Names, vectors and priors that change make a new index; windows change in settings alone.
        fitting = made is not None and made.index is index and made.settings == self.linker.settings
        if made is None or not fitting:
            made = self._predictor = Predictor(self.linker, self.names, index, self.config)
        return made


def _checked(config: ComponentConfig) -> EmbedLinkLinking:
    if isinstance(config, EmbedLinkLinking):
        return config
    raise EmbedLinkError(
        f"config.components.linking is a {type(config).__name__}; {config.comp_name} takes an "
        "embedlink.medcat.config.EmbedLinkLinking"
    )


def _linked(
    doc: MutableDocument, found: Sequence[tuple[MutableEntity, Sequence[Prediction]]]
) -> list[MutableEntity]:
    """The entities to return, by start, each prediction of a span as one.

    The first prediction is set on the detected entity itself, further ones on copies of it.
    """
    free = max((entity.id for entity in doc.ner_ents), default=0) + 1
    result = []
    for entity, predictions in sorted(found, key=lambda pair: pair[0].base.start_char_index):
        result.append(set_prediction(entity, predictions[0]))
        for prediction in predictions[1:]:
            further = set_prediction(copy.copy(entity), prediction)
            further.id = free = free + 1  # MedCAT's output is keyed by id.
            result.append(further)
    return result
