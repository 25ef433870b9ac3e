"""The base of both linking components: a linker with a live index, inside a MedCAT pipeline.

MedCAT hands over the entities that detection left in a document. `detection.pipeline` turns
them into detections, and `prediction` chooses their concepts. Linked entities go back with concept,
similarity and probability. Before each use, `sync` adapts the linker to the configuration, and
`live_index` adapts the index to the concept database and the weights. So users need not call
anything after a change.
"""

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
from medcat.config.config import ComponentConfig, Config
from medcat.storage.serialisables import AbstractManualSerialisable
from medcat.tokenizing.tokenizers import BaseTokenizer
from medcat.tokenizing.tokens import MutableDocument, MutableEntity
from medcat.vocab import Vocab

from embedlink.concepts.names import ConceptNames
from embedlink.detection.creation import MadeByMedCAT, Pipeline, checked
from embedlink.detection.pipeline import detection
from embedlink.index.concept_index import ConceptIndex
from embedlink.linking.linker import Linker
from embedlink.medcat.config import EmbedLinkLinking
from embedlink.medcat.entities import linked_entities
from embedlink.medcat.live_index import LiveIndex
from embedlink.medcat.prediction import Predictor
from embedlink.medcat.sealed import seal_around
from embedlink.medcat.similarity import show_similarity
from embedlink.medcat.sources import start_linker
from embedlink.medcat.sync import follow
from embedlink.medcat.unlinked import without_unlinked
from embedlink.problems import EmbedLinkError

log = logging.getLogger(__name__)

_IN_USE: WeakValueDictionary[int, "LinkingComponent"] = WeakValueDictionary()
"""The component of each configuration, by the configuration's `id()`, as long as it lives."""


class LinkingComponent(MadeByMedCAT, AbstractEntityProvidingComponent, AbstractManualSerialisable):
    """Links MedCAT's detections by the similarity of their context to concept names.

    `tokenizer` and `vocab` are the pipeline's. Linking does not use them. Training needs them to
    detect mentions in its documents.

    Several threads may predict at once. A lock protects all that predictions make or change, such
    as index, predictor and device. After an error the next call tries again.
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
        self.cdb, self.config = cdb, config
        self.tokenizer, self.vocab = tokenizer, vocab
        self.pack: Path | None = None  # the model pack that this component was read from
        self.live = live or LiveIndex(linker, cdb)
        self._predictor: Predictor | None = None
        self._lock = threading.RLock()
        linker.encoder.eval()
        if cdb.name2info:
            cdb.has_subname("")  # MedCAT collects the parts of names when first asked.
        self._begin()
        # Fields given at loading take effect here, and a missing device raises its error at once.
        self._settle()
        # MedCAT makes addons after its core components, so this one is still in time.
        show_similarity(cdb.config)
        _IN_USE[id(config)] = self

    def _begin(self) -> None:
        """Make what a component of this kind has of its own. Other processes begin anew."""

    def get_type(self) -> CoreComponentType:
        """MedCAT's type of a linking component."""
        return CoreComponentType.linking

    @property
    def linker(self) -> Linker:
        """The linker in use. A change of the configuration or of counts puts another one here."""
        return self.live.linker

    def current_names(self) -> ConceptNames:
        """The names of the concept database, with the rows of the index."""
        with self._lock:
            return self.live.current_names()

    def current_index(self) -> ConceptIndex:
        """The concept index, up to date. It is built when first needed, with a progress bar."""
        with self._lock:
            self._settle()
            return self.live.current_index()

    def predict_entities(
        self, doc: MutableDocument, ents: list[MutableEntity] | None = None
    ) -> list[MutableEntity]:
        """Link the detected entities of a document: `ents`, or if None, all that detection left.

        Linked entities come back sorted by start. Their concept, probability
        (`context_similarity`, in [0, 1]) and cosine (`similarity.cosine_of`) are set in place. The
        others are left out and keep the empty concept that detection gave them. An entity that
        overlaps a more probable link is left out too, unless
        `config.general.show_nested_entities` is set.
        """
        return self._linked([doc], [doc.ner_ents if ents is None else ents])[0]

    def predict_many(self, docs: Sequence[MutableDocument]) -> list[list[MutableEntity]]:
        """What `predict_entities` gives for each document. Their windows are encoded together."""
        return self._linked(docs, [doc.ner_ents for doc in docs])

    def _linked(
        self, docs: Sequence[MutableDocument], entities: Sequence[Sequence[MutableEntity]]
    ) -> list[list[MutableEntity]]:
        """The linked ones of each document's entities."""
        if not any(entities):
            return [[] for _ in docs]
        notes = [
            (doc.base.text, [detection(entity) for entity in own])
            for doc, own in zip(docs, entities, strict=True)
        ]
        with self._lock:
            # This comes before the predictor, which needs the table of names that results.
            self.live.check(each for _, own in notes for each in own)
            predictor = self._current_predictor()
        found = predictor.predict(notes, self.cdb.config.general.show_nested_entities)
        result = []
        for doc, own, note, predictions in zip(docs, entities, notes, found, strict=True):
            pairs = zip(own, without_unlinked(self.cdb, *note, predictions), strict=True)
            result.append(linked_entities(doc, [(entity, each) for entity, each in pairs if each]))
        return result

    def refresh_structure(self) -> None:
        """Read the concept database anew. This also happens by itself if the database changes."""
        self.live.forget(names=True)

    def create_embeddings(
        self, embedding_model_name: str | None = None, max_length: int | None = None
    ) -> None:
        """Embed all names now, after changing encoder or length in the configuration if given.

        `max_length` counts the tokens of a window, special tokens included. It also limits names,
        unless `max_name_token_length` is set.
        """
        if embedding_model_name is not None:
            self.config.embedding_model_name = embedding_model_name
        if max_length is not None:
            self.config.max_token_length = max_length
        self._settle()
        self.live.forget(names=True)
        self.live.current_index()

    def load_transformers(self, embedding_model_name: str) -> None:
        """Switch to another encoder. The index is built anew when it is next needed.

        `embedding_model_name` takes the values of this field of the configuration. Raises
        `EmbedLinkError` if the encoder cannot be loaded.
        """
        self.config.embedding_model_name = embedding_model_name
        self._settle()

    def get_hash(self) -> str:
        """A hash for MedCAT's hash of the model pack.

        It changes with weights, link decision, settings, counts from training, the reranker and the
        reader of short forms. Waiting samples are trained on first, as before a save.
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
    def made_in(cls, pipeline: Pipeline) -> Self:
        """Start from the linker or encoder that the configuration names.

        If MedCAT makes its pipeline anew after a change of the configuration, the linker in use is
        kept, with all that it has learned. Raises `EmbedLinkError` if the configuration belongs to
        another kind of linker, if no linker or encoder is found, or if a model pack lacks the
        folder of this component.
        """
        config, cdb = _checked(pipeline.config), pipeline.cdb
        # MedCAT makes a component of a pack anew only if the pack lacks its folder.
        if pipeline.pack is not None:
            part = pipeline.pack / "saved_components" / "core_linking"
            raise EmbedLinkError(f"{part}: this part of the model pack is missing")
        before = _IN_USE.get(id(config))
        if before is not None and before.config is config and before.cdb is cdb:
            return cls._after(before, pipeline.tokenizer, pipeline.vocab)
        linker, index_folder = start_linker(config)
        component = cls(
            linker, cdb, config=config, tokenizer=pipeline.tokenizer, vocab=pipeline.vocab
        )
        if index_folder is not None:
            component._take_stored_index(index_folder)
        return component

    @classmethod
    def _after(cls, before: "LinkingComponent", tokenizer: BaseTokenizer, vocab: Vocab) -> Self:
        """Make a component that takes over the linker and the index of another component."""
        with before._lock:
            before._settle()
        return cls(
            before.linker,
            before.cdb,
            config=before.config,
            tokenizer=tokenizer,
            vocab=vocab,
            live=before.live,
        )

    def serialise_to(self, folder_path: str) -> None:
        """Write the linker and its index. The index is built first if it is out of date."""
        # The index comes first, because it trains on waiting samples and reads the database.
        index = self.current_index()
        self.linker.save(Path(folder_path), self.current_names(), index)
        seal_around(Path(folder_path))

    @classmethod
    def deserialise_from(cls, folder_path: str, **init_kwargs: Any) -> Self:
        """Read the component that the configuration names from its folder.

        The stored index is used unless names or weights have changed since. Raises `EmbedLinkError`
        with the path of a part that is missing or corrupt. It is also raised if the configuration
        belongs to another kind of linker.
        """
        config = _checked(init_kwargs["cnf"])
        linker = Linker.load(folder_path)
        # MedCAT's registry holds methods bound to their class: the static or the trainable one.
        creator = get_component_creator(CoreComponentType.linking, config.comp_name)
        kind = getattr(creator, "__self__", cls)
        component: Self = kind(
            linker, init_kwargs["cdb"], config, init_kwargs.get("tokenizer"),
            init_kwargs.get("vocab"),
        )  # fmt: skip
        component.pack = Path(folder_path).parent.parent
        component._take_stored_index(Path(folder_path))
        return component

    def __getstate__(self) -> dict[str, Any]:
        """The state for other processes. Samples are trained on and the index is built first.

        The predictor is left out, because each process makes its own.
        """
        with self._lock:
            self._settle()
            self.live.current_index()
            left_out = {"_predictor": None, "_lock": None}
            return self.__dict__ | left_out

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self._lock = threading.RLock()
        self._begin()

    def _take_stored_index(self, folder: Path) -> None:
        """Use the index of this folder, if it was built from these names and weights."""
        index = self.linker.stored_index(folder, self.current_names())
        if index is None:
            log.info("names or weights changed since the index was stored: it will be rebuilt")
        else:
            self.live.adopt(index)

    def _settle(self, to_predict: bool = False) -> None:
        """Adapt the linker to the present configuration. A trainable one trains on waiting samples.

        With `to_predict`, samples that can wait for the next save are left waiting.
        """
        follow(self.config, self.live)

    def _current_predictor(self) -> Predictor:
        """The predictor for the present names, weights and configuration."""
        self._settle(to_predict=True)
        # Training leaves the link decision on the encoder's device. Vectors are on the CPU.
        self.linker.decision.to("cpu")
        index, made = self.live.current_index(), self._predictor
        # New names, vectors or priors make a new index, new settings and counts a new linker.
        if made is None or made.index is not index or made.linker is not self.linker:
            names = self.live.current_names()
            made = self._predictor = Predictor(self.linker, names, index=index, config=self.config)
        return made


def _checked(config: ComponentConfig | Config) -> EmbedLinkLinking:
    # MedCAT's pipeline gives a component its own part. MedCAT's tests give the whole.
    part = config.components.linking if isinstance(config, Config) else config
    return checked(part, EmbedLinkLinking, component=part.comp_name)
