"""Shows a link's cosine in the output of MedCAT, beside its probability.

MedCAT has one number for a link, `context_similarity`. Its output also shows it as `acc`, and
MedCATtrainer compares it with `similarity_threshold`. All three ask how sure the linker is, so the
number is the calibrated probability. The cosine is kept in an attribute of its own. An addon shows
it as `context_similarity` in the output.
"""

from typing import Any, Self

from medcat.components.addons.addons import AddonComponent
from medcat.config.config import ComponentConfig, Config
from medcat.tokenizing.tokens import MutableDocument, MutableEntity

from embedlink.detection.creation import MadeByMedCAT, Pipeline
from embedlink.plugin import SIMILARITY
from embedlink.types import Prediction

_COSINE = "embedlink_cosine"
"""The name of an entity's attribute that holds its cosine."""


def set_prediction(entity: MutableEntity, prediction: Prediction) -> MutableEntity:
    """Put concept, probability and cosine of a link into an entity, and return it.

    They replace the tagger's confidence of the span, which is already part of the probability.
    """
    entity.cui = prediction.cui
    entity.context_similarity = entity.confidence = prediction.probability
    setattr(entity, _COSINE, prediction.similarity)
    return entity


def cosine_of(entity: MutableEntity) -> float:
    """The cosine of a linked entity, in [-1, 1]. Another linker's entity has its own similarity."""
    return float(getattr(entity, _COSINE, entity.context_similarity))


def show_similarity(config: Config) -> None:
    """Add the addon that shows cosines to the configuration, in place."""
    if all(addon.comp_name != SIMILARITY for addon in config.components.addons):
        config.components.addons.append(ComponentConfig(comp_name=SIMILARITY))


def hide_similarity(config: Config) -> None:
    """Remove the addon that shows cosines, so that a pack loads without EmbedLink."""
    addons = config.components.addons
    config.components.addons = [addon for addon in addons if addon.comp_name != SIMILARITY]


class SimilarityOutput(MadeByMedCAT, AddonComponent):
    """Shows the cosine of each link as `context_similarity` in the output of `get_entities`."""

    addon_type = SIMILARITY
    name = "cosine"

    def __init__(self, config: ComponentConfig) -> None:
        self.config = config

    @classmethod
    def made_in(cls, pipeline: Pipeline) -> Self:
        """Make the addon, which needs only the configuration."""
        return cls(pipeline.config)

    def __call__(self, doc: MutableDocument) -> MutableDocument:
        """Leave the document as it is."""
        return doc

    @property
    def include_in_output(self) -> bool:
        """Always True: MedCAT asks this addon for output."""
        return True

    def get_output_key_val(self, ent: MutableEntity) -> tuple[str, Any]:
        """MedCAT's key for the similarity, and the cosine of an entity."""
        return "context_similarity", cosine_of(ent)
