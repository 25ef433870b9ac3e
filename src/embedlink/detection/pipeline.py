"""Detection as a MedCAT pipeline does it, run once over documents: spans and candidates.

Training and evaluation need what detection proposes, without a linker. `VocabularyDetector` makes a
pipeline for that from a concept database and its configuration. A linking component that trains is
part of a pipeline that it does not know. For this case `ComponentDetector` makes the part before it
again. Both give what the pipeline itself gives (a test checks that).
"""

import copy
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from medcat.cdb import CDB
from medcat.components.types import (
    AbstractCoreComponent,
    CoreComponent,
    CoreComponentType,
    create_core_component,
)
from medcat.config import Config
from medcat.config.config import LinkingFilters, Ner
from medcat.pipeline.pipeline import Pipeline
from medcat.storage.serialisers import deserialise
from medcat.tokenizing.tokenizers import TOKENIZER_PREFIX, BaseTokenizer
from medcat.tokenizing.tokens import MutableEntity
from medcat.utils.defaults import COMPONENTS_FOLDER
from medcat.vocab import Vocab
from pydantic import ValidationError

from embedlink.concepts.tables import split_words
from embedlink.detection.config import EmbedLinkNer
from embedlink.plugin import NER, SIMILARITY
from embedlink.problems import EmbedLinkError
from embedlink.progress import watched
from embedlink.types import Detection, Document

log = logging.getLogger(__name__)

REMADE = ("default", "dict", NER)
"""Detection components that are made from the concept database and its configuration alone."""


def detection_config(**ner: object) -> Config:
    """A MedCAT configuration for concept tables: words of any alphabet, detection by vocabulary.

    `ner` overrides fields of `config.components.ner` (`min_name_len`, `upper_case_limit_len`…).
    With `comp_name="embedlink_ner"` these are the fields of `EmbedLinkNer`. Spelling is not
    corrected, because that needs a vocabulary, which a concept table does not have. Raises
    `EmbedLinkError` if a field does not exist or, with `embedlink_ner`, if a value is not allowed.
    """
    config = Config()
    split_words(config)
    config.general.spell_check = False
    config.components.ner = (EmbedLinkNer if ner.get("comp_name") == NER else Ner)()
    known = type(config.components.ner).model_fields
    for field, value in ner.items():
        if field not in known:
            raise EmbedLinkError(
                f"detection.{field}: no such field of {type(config.components.ner).__name__}; "
                f"known: {', '.join(sorted(known))}"
            )
        try:
            setattr(config.components.ner, field, value)
        except ValidationError as error:
            raise EmbedLinkError(
                f"detection.{field}={value!r} is not allowed: {error.errors()[0]['msg']}"
            ) from error
    return config


def detect_by(cdb: CDB, config: Config) -> None:
    """Let EmbedLink's detection replace that of a database with a configuration of its own.

    If `config` asks for MedCAT's own detection, the database keeps its detection and its tokenizer.
    Changes the database's configuration in place.
    """
    if isinstance(config.components.ner, EmbedLinkNer):
        cdb.config.components.ner = config.components.ner
        split_words(cdb.config)


def leave_out_extras(cdb: CDB) -> None:
    """Remove from a database's configuration what would act beside detection and linking.

    Addons (MetaCAT and others) would be made anew without what they have learned. Filters and
    nested links would change a pack's results, which are counted here without them. Changes the
    configuration in place, and logs what is left out. `export.py pack=` keeps all of it.
    """
    config = cdb.config
    extras = {
        "addons": any(addon.comp_name != SIMILARITY for addon in config.components.addons),
        "filters": bool(config.components.linking.filters.cuis)
        or bool(config.components.linking.filters.cuis_exclude),
        "nested entities": bool(config.general.show_nested_entities),
    }
    config.components.addons = []
    config.components.linking.filters = LinkingFilters.model_validate({})
    config.general.show_nested_entities = False
    left_out = [name for name, there in extras.items() if there]
    if left_out:
        log.warning(
            "data.concepts: the pack's %s are left out here; export.py pack= keeps them",
            ", ".join(left_out),
        )


def check_tokenizer(cdb: CDB) -> None:
    """Raise `EmbedLinkError` if the database asks for a spaCy model that is not installed.

    Otherwise MedCAT would start to download the model in the middle of the work.
    """
    nlp = cdb.config.general.nlp
    if nlp.provider != "spacy":
        return
    from medcat.tokenizing.spacy_impl.utils import has_spacy_model  # Imports spaCy.

    # A pack may name the folder in which it keeps the model.
    name = Path(nlp.modelname).name.removeprefix(TOKENIZER_PREFIX)
    if not Path(nlp.modelname).is_dir() and not has_spacy_model(name):
        raise EmbedLinkError(
            f"data.concepts: this model pack splits text with the spaCy model {name}, which is "
            f"not installed here; python -m spacy download {name}"
        )


class VocabularyDetector:
    """Detects in documents as the pipeline of this database's configuration does.

    The pipeline is made for each call, so that it follows changes of the database. `vocab` is
    MedCAT's vocabulary for correcting spelling, by default an empty one.
    """

    def __init__(self, cdb: CDB, vocab: Vocab | None = None, progress: bool = True) -> None:
        self.cdb, self.vocab, self.progress = cdb, vocab or Vocab(), progress

    def __call__(self, documents: Sequence[Document]) -> list[list[Detection]]:
        """Detections of every document, in MedCAT's order. A document may have none."""
        # The linker that the database names is not needed here, and it may be missing.
        pipeline = Pipeline(_without_linking(self.cdb), self.vocab, None)
        bar = watched(documents, "Detecting", "documents") if self.progress else documents
        return [
            [detection(entity) for entity in pipeline.get_doc(document.text).ner_ents]
            for document in bar
        ]


class ComponentDetector:
    """Detects like the pipeline that a linking component is part of, with its tokenizer.

    The other components are made again, as MedCAT made them: from their folder in the model pack
    `pack` if it has one, else from their configuration. If a component of another maker cannot be
    made, a warning says so and nothing is detected. The same holds without a tokenizer. That is not
    an error, because gold mentions still train.
    """

    def __init__(
        self,
        cdb: CDB,
        tokenizer: BaseTokenizer | None,
        vocab: Vocab | None,
        pack: Path | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.components: list[CoreComponent] = []
        if tokenizer is None:
            return
        before = [part for part in cdb.config.components.comp_order if part != "linking"]
        try:
            for part in before:
                made = _component(part, cdb, tokenizer, vocab or Vocab(), pack)
                self.components.append(made)
        except Exception as error:  # Another maker's component may raise anything.
            name = cdb.config.components.ner.comp_name
            if name in REMADE:
                raise
            self.tokenizer = None
            log.warning(
                "%s cannot be made again here (%s): training learns from annotated mentions "
                "only, and not from what annotators left alone",
                name, type(error).__name__,
            )  # fmt: skip

    def __call__(self, text: str) -> list[Detection]:
        """Detections of a text, in MedCAT's order."""
        if self.tokenizer is None:
            return []
        doc = self.tokenizer(text)
        for component in self.components:
            doc = component(doc)
        return [detection(entity) for entity in doc.ner_ents]


def _component(
    part: str, cdb: CDB, tokenizer: BaseTokenizer, vocab: Vocab, pack: Path | None
) -> CoreComponent:
    """A component as the pipeline has it. `part` is its field in MedCAT's configuration."""
    config = getattr(cdb.config.components, part)
    folder = pack and pack / COMPONENTS_FOLDER / f"{AbstractCoreComponent.NAME_PREFIX}{part}"
    if config.comp_name in REMADE or folder is None or not folder.is_dir():
        return create_core_component(
            CoreComponentType[part], config.comp_name, config, tokenizer, cdb, vocab, None
        )
    given = {"cnf": config, "tokenizer": tokenizer, "cdb": cdb, "vocab": vocab}
    made: Any = deserialise(str(folder), **given, model_load_path=str(pack))
    return made  # type: ignore[no-any-return]


def detection(entity: MutableEntity) -> Detection:
    """What detection says of one MedCAT entity, in characters of the document.

    Call this before linking, because linking overwrites the tagger's probability with its own.
    """
    return Detection(
        entity.base.start_char_index,
        entity.base.end_char_index,
        name=entity.detected_name,
        candidates=tuple(entity.link_candidates),
        tagged=entity.confidence if entity.confidence >= 0 else None,  # MedCAT's own says -1.
    )


def _without_linking(cdb: CDB) -> CDB:
    """A view of the database whose configuration has no linking. All else is shared."""
    parts = cdb.config.components
    order = [name for name in parts.comp_order if name != "linking"]
    view = copy.copy(cdb)
    view.config = cdb.config.model_copy(
        update={"components": parts.model_copy(update={"comp_order": order})}
    )
    return view
