"""Makes the components known to MedCAT; their modules load when they are first used."""

from medcat.components.types import (
    CoreComponentType,
    get_registered_components,
    lazy_register_core_component,
)

STATIC, TRAINABLE = "embedlink_static_linker", "embedlink_trainable_linker"
NER = "embedlink_ner"


def register() -> None:
    """Register the components under names that other plugins do not use."""
    for kind, name, module, cls in (
        (CoreComponentType.ner, NER, "embedlink.medcat.ner", "EmbedLinkDetection"),
        (CoreComponentType.linking, STATIC, "embedlink.medcat.static", "StaticLinker"),
        (CoreComponentType.linking, TRAINABLE, "embedlink.medcat.trainable", "TrainableLinker"),
    ):
        if name not in {known for known, _ in get_registered_components(kind)}:
            lazy_register_core_component(kind, name, module, f"{cls}.create_new_component")
