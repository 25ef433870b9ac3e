"""A link's cosine in the output of MedCAT, beside its probability.

MedCAT knows one number of a link, `context_similarity`. Its output shows that as `acc`, too, and
MedCATtrainer compares it with `similarity_threshold`. All of them mean how sure the linker is, so
this number is the calibrated probability. The cosine is kept beside it, and an addon, which MedCAT
asks for further output, shows it as `context_similarity`.
"""

from typing import Any, Self

from medcat.cdb import CDB
from medcat.components.addons.addons import AddonComponent
from medcat.config.config import ComponentConfig, Config
from medcat.tokenizing.tokenizers import BaseTokenizer
from medcat.tokenizing.tokens import MutableDocument, MutableEntity
from medcat.vocab import Vocab

from embedlink.plugin import SIMILARITY
from embedlink.types import Prediction

_COSINE = "embedlink_cosine"
"""The attribute of an entity that holds its cosine."""


def set_prediction(entity: MutableEntity, prediction: Prediction) -> MutableEntity:
    """Put concept, probability and cosine of a link into an entity, and return it.

    What the tagger said of the span is gone with this: it counted in the probability.
    """
    entity.cui = prediction.cui
    entity.context_similarity = entity.confidence = prediction.probability
    setattr(entity, _COSINE, prediction.similarity)
    return entity


def cosine_of(entity: MutableEntity) -> float:
    """The cosine of a linked entity in [-1, 1]; of another linker's its own similarity."""
    return float(getattr(entity, _COSINE, entity.context_similarity))


def show_similarity(config: Config) -> None:
    """Have pipelines of this configuration show cosines; changes it in place."""
    if all(addon.comp_name != SIMILARITY for addon in config.components.addons):
        config.components.addons.append(ComponentConfig(comp_name=SIMILARITY))


def hide_similarity(config: Config) -> None:
    """Take that back, for packs that are to load without EmbedLink."""
    addons = config.components.addons
    config.components.addons = [addon for addon in addons if addon.comp_name != SIMILARITY]


class SimilarityOutput(AddonComponent):
    """Shows the cosine of each link as `context_similarity` in the output of `get_entities`."""

    addon_type = SIMILARITY
    name = "cosine"

    def __init__(self, config: ComponentConfig) -> None:
        self.config = config

    @classmethod
    def create_new_component(
        cls,
        cnf: ComponentConfig,
        tokenizer: BaseTokenizer,
        cdb: CDB,
        vocab: Vocab,
        model_load_path: str | None,
    ) -> Self:
        """Nothing is needed but the configuration."""
        return cls(cnf)

    def __call__(self, doc: MutableDocument) -> MutableDocument:
        """Leave the document as it is."""
        return doc

    @property
    def include_in_output(self) -> bool:
        """Yes."""
        return True

    def get_output_key_val(self, ent: MutableEntity) -> tuple[str, Any]:
        """The cosine of an entity under MedCAT's key."""
        return "context_similarity", cosine_of(ent)
