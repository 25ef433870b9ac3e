"""The configuration of EmbedLink's detection: MedCAT's `Ner` and what is detected beyond it."""

import logging

from medcat.config import Config
from medcat.config.config import Ner
from pydantic import ConfigDict

from embedlink.detection.settings import TaggerTraining, VariantSettings
from embedlink.plugin import NER, TAGGING, TOKENIZER
from embedlink.settings import field_of

log = logging.getLogger(__name__)


class EmbedLinkNer(Ner):
    """MedCAT's fields, which apply to the exact names, and EmbedLink's own.

    Every field may be changed while the component is in use. A field that does not exist is an
    error, even if it is set later.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    comp_name: str = NER
    variants: bool = field_of(VariantSettings, "variants")
    max_variant_words: int = field_of(VariantSettings, "max_variant_words")
    abbreviations: bool = field_of(VariantSettings, "abbreviations")
    tagger: str | None = None
    """The folder of a tagger, see `embedlink.detection.tagger`. A tagger detects mentions without
    a known name, and gives every span a probability. A pack brings its own tagger."""
    least_tagged: float = field_of(TaggerTraining, "least_probability")


def detect_as_medcat(config: Config) -> None:
    """Switch detection and tokenizer back to MedCAT's, for packs that load without EmbedLink.

    Changes the configuration in place and logs a warning. A configuration that is MedCAT's already
    stays as it is. Make the pipeline again to apply the change.
    """
    if config.general.nlp.provider == TOKENIZER:
        config.general.nlp.provider = "regex"
    if config.components.tagging.comp_name == TAGGING:
        config.components.tagging.comp_name = "default"
    ner = config.components.ner
    if isinstance(ner, EmbedLinkNer):
        fields = {field: getattr(ner, field) for field in Ner.model_fields if field != "comp_name"}
        config.components.ner = Ner(**fields)
        log.warning(
            "%s needs EmbedLink: this pack detects with MedCAT's own vocabulary-based detection, "
            "without variants, abbreviations and tagger, and so finds fewer mentions",
            NER,
        )
