"""MedCAT's component for detection beyond its own: spellings, short forms and a tagger.

The ways of detecting are in `additions`, the entities that they fill in `entity_table`.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

from medcat.cdb import CDB
from medcat.components.ner.vocab_based_ner import NER as VocabularyNer
from medcat.components.types import (
    AbstractEntityProvidingComponent,
    CoreComponentType,
    get_component_creator,
)
from medcat.config.config import ComponentConfig
from medcat.storage.serialisables import AbstractManualSerialisable
from medcat.tokenizing.tokenizers import BaseTokenizer
from medcat.tokenizing.tokens import MutableDocument, MutableEntity

from embedlink.detection.additions import (
    add_tagged,
    add_variants,
    define_short_forms,
    drop_false_names,
    prefer_longer,
    set_probabilities,
)
from embedlink.detection.config import EmbedLinkNer
from embedlink.detection.creation import MadeByMedCAT, Pipeline, checked
from embedlink.detection.entity_table import EntityTable
from embedlink.detection.shared_state import SharedState
from embedlink.detection.tagger import MentionTagger, Tags
from embedlink.files.manifest import verify, write_manifest
from embedlink.plugin import NER
from embedlink.problems import EmbedLinkError

KIND, TAGGER = "detection", "tagger"
"""The kind of the component's folder in a pack, and the tagger's folder inside it."""


class EmbedLinkDetection(
    MadeByMedCAT, AbstractEntityProvidingComponent, AbstractManualSerialisable
):
    """MedCAT's vocabulary-based detection, and the additions that its configuration names.

    It is made from the concept database, its configuration and, if the configuration names one, a
    tagger. A span is detected once. What MedCAT's own detection finds keeps its candidates, unless
    the document says what the short form means. What only the tagger finds has no candidates.
    Several threads may detect at once.
    """

    name = NER

    def __init__(self, tokenizer: BaseTokenizer, cdb: CDB) -> None:
        super().__init__()
        self.tokenizer, self.cdb = tokenizer, cdb
        self._exact = VocabularyNer(tokenizer, cdb)
        self._shared = SharedState(cdb)
        # Loads now all that the first document needs.
        self._shared.follow(_checked(cdb.config.components.ner))

    def get_type(self) -> CoreComponentType:
        """The kind of component: it detects."""
        return CoreComponentType.ner

    def predict_entities(
        self, doc: MutableDocument, ents: list[MutableEntity] | None = None
    ) -> list[MutableEntity]:
        """The detected entities by start, the shorter first, as MedCAT orders them.

        `ents` is not used. Raises `EmbedLinkError` if the tagger cannot be read.
        """
        return self.predict_many([doc])[0]

    def predict_many(self, docs: Sequence[MutableDocument]) -> list[list[MutableEntity]]:
        """What `predict_entities` gives for each document. All are tagged together."""
        config = _checked(self.cdb.config.components.ner)
        tagger = self._shared.follow(config)
        tags: Sequence[Tags | None] = [None for _ in docs]
        if tagger is not None:
            tags = tagger.tag([doc.base.text for doc in docs])
        return [self._detected(doc, own, config) for doc, own in zip(docs, tags, strict=True)]

    def _detected(
        self, doc: MutableDocument, tags: Tags | None, config: EmbedLinkNer
    ) -> list[MutableEntity]:
        """The entities of one document. `tags` are the tagger's, None without one."""
        variants = self._shared.variants
        table = EntityTable(doc, self.tokenizer, self._exact.predict_entities(doc))
        if config.variants:
            add_variants(table, variants, config.max_variant_words)
        drop_false_names(table, variants)
        if tags is not None:
            least, letters = config.least_tagged, config.min_name_len
            add_tagged(table, tags, variants, least=least, least_letters=letters)
        if config.abbreviations:
            define_short_forms(table, tags, variants)
        if tags is not None:
            prefer_longer(table, tags, config.least_tagged)
            set_probabilities(table, tags)
        return table.in_order()

    @classmethod
    def made_in(cls, pipeline: Pipeline) -> Self:
        """Make the component from the database and its configuration.

        Raises `EmbedLinkError` if a model pack lacks the folder of this component and its tagger.
        """
        # If a pack has a component's folder, MedCAT reads it and does not come here. The tagger's
        # path in the configuration is that of the training run.
        cdb, pack = pipeline.cdb, pipeline.pack
        if pack is not None and _checked(cdb.config.components.ner).tagger is not None:
            part = pack / "saved_components" / "core_ner"
            raise EmbedLinkError(f"{part}: this part of the model pack is missing")
        return cls(pipeline.tokenizer, cdb)

    def get_hash(self) -> str:
        """The digest of the tagger, which is part of the model pack's hash. "" without a tagger."""
        tagger = self._read_tagger()
        return "" if tagger is None else tagger.digest()

    def serialise_to(self, folder_path: str) -> None:
        """Write the tagger, if there is one."""
        folder = Path(folder_path)
        folder.mkdir(parents=True, exist_ok=True)
        tagger = self._read_tagger()
        if tagger is not None:
            tagger.save(folder / TAGGER)
        write_manifest(folder, KIND)

    def _read_tagger(self) -> MentionTagger | None:
        """The tagger. None if there is none, or if the configuration now has another detection."""
        config = self.cdb.config.components.ner
        return self._shared.follow(config) if isinstance(config, EmbedLinkNer) else None

    @classmethod
    def deserialise_from(cls, folder_path: str, **init_kwargs: Any) -> Self:
        """Read the component back. The configuration then names the tagger in this folder.

        Raises `EmbedLinkError` if the tagger that was saved here is missing or damaged.
        """
        cdb: CDB = init_kwargs["cdb"]
        config = cdb.config.components.ner
        if config.comp_name != NER:  # Another component was set since.
            make = get_component_creator(CoreComponentType.ner, config.comp_name)
            other: Any = make(config, init_kwargs["tokenizer"], cdb, init_kwargs["vocab"], None)
            return other  # type: ignore[no-any-return]
        config = _checked(config)
        # The saved path says where the tagger lay when the pack was made.
        own = Path(folder_path) / TAGGER
        if config.tagger is not None and verify(Path(folder_path), KIND).parts:
            config.tagger = str(own)
        return cls(init_kwargs["tokenizer"], cdb)


def _checked(config: ComponentConfig) -> EmbedLinkNer:
    return checked(config, EmbedLinkNer, component=NER)
