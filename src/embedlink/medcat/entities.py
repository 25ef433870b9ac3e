"""The entities that a linking component gives back to MedCAT."""

import copy
from collections.abc import Sequence

from medcat.tokenizing.tokens import MutableDocument, MutableEntity

from embedlink.medcat.similarity import set_prediction
from embedlink.types import Prediction


def linked_entities(
    doc: MutableDocument, found: Sequence[tuple[MutableEntity, Sequence[Prediction]]]
) -> list[MutableEntity]:
    """The entities to return, by start, with one entity for each prediction of a span.

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
