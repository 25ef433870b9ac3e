"""Makes the components known to MedCAT. Their modules load when they are first used.

Every `import medcat` runs this module, so it imports nothing else of EmbedLink. MedCAT is given the
components' modules by name.
"""

from importlib import import_module
from typing import Any

from medcat.components.addons.addons import (
    AddonComponent,
    get_registered_addons,
    register_addon,
)
from medcat.components.types import (
    CoreComponentType,
    get_registered_components,
    lazy_register_core_component,
)
from medcat.config import Config
from medcat.tokenizing.tokenizers import (
    BaseTokenizer,
    list_available_tokenizers,
    register_tokenizer,
)

STATIC, TRAINABLE = "embedlink_static_linker", "embedlink_trainable_linker"
"""Values of `config.components.linking.comp_name`."""
NER = "embedlink_ner"
"""Value of `config.components.ner.comp_name`."""
TOKENIZER = "embedlink_words"
"""Value of `config.general.nlp.provider`."""
TAGGING = "embedlink_tagging"
"""Value of `config.components.tagging.comp_name`."""


SIMILARITY = "embedlink_similarity"
"""The addon that shows cosines in MedCAT's output."""


def register() -> None:
    """Register the components under names that other plugins do not use.

    A component that is registered already is left as it is.
    """
    for kind, name, module, cls in (
        (CoreComponentType.tagging, TAGGING, "embedlink.detection.tokenizer", "WordTagger"),
        (CoreComponentType.ner, NER, "embedlink.detection.component", "EmbedLinkDetection"),
        (CoreComponentType.linking, STATIC, "embedlink.medcat.static", "StaticLinker"),
        (CoreComponentType.linking, TRAINABLE, "embedlink.medcat.trainable", "TrainableLinker"),
    ):
        # MedCAT raises an error if a name is registered twice.
        if name not in {known for known, _ in get_registered_components(kind)}:
            lazy_register_core_component(kind, name, module, f"{cls}.create_new_component")
    if SIMILARITY not in {known for known, _ in get_registered_addons()}:
        register_addon(SIMILARITY, Lazy.similarity)
    if TOKENIZER not in {known for known, _ in list_available_tokenizers()}:
        made: Any = Lazy.tokenizer  # MedCAT calls what it asks for as a class.
        register_tokenizer(TOKENIZER, made)


class Lazy:
    """Makes the addon and the tokenizer, which MedCAT cannot register by name, at their first use.

    These are class methods, because MedCAT names a maker by its class. A plain function makes
    MedCAT log a traceback at every start.
    """

    @classmethod
    def similarity(cls, *given: Any) -> AddonComponent:
        """Make the addon."""
        module = import_module("embedlink.medcat.similarity")
        made: AddonComponent = module.SimilarityOutput.create_new_component(*given)
        return made

    @classmethod
    def tokenizer(cls, config: Config) -> BaseTokenizer:
        """Make the tokenizer."""
        module = import_module("embedlink.detection.tokenizer")
        made: BaseTokenizer = module.WordTokenizer.create_new_tokenizer(config)
        return made


register()
