"""Keeps names unlinked that a user took away from a concept (`trainer.unlink_concept_name`).

MedCAT removes such a name from its table of names, but keeps it in the concept's own list. The
difference shows which names must not be linked to the concept again, even if they are near.
"""

import re
from collections.abc import Sequence

from medcat.cdb import CDB

from embedlink.types import Detection, Prediction

_WORD = re.compile(r"\w+|[^\w\s]")


def without_unlinked(
    cdb: CDB, text: str, detections: Sequence[Detection], found: list[list[Prediction]]
) -> list[list[Prediction]]:
    """Leave out the predictions that link a name that was taken away from the concept.

    Only detections without a name are checked. The other names are in MedCAT's table.
    """
    return [
        own
        if detection.name
        else [each for each in own if not is_unlinked(cdb, each.cui, text[each.start : each.end])]
        for detection, own in zip(detections, found, strict=True)
    ]


def is_unlinked(cdb: CDB, cui: str, surface: str) -> bool:
    """Whether `surface` is a name that was taken away from the concept."""
    separator = cdb.config.general.separator
    info = cdb.cui2info.get(cui)
    for name in {separator.join(_WORD.findall(surface.lower())), surface.lower()}:
        known = cdb.name2info.get(name)
        gone = known is None or cui not in known["per_cui_status"]
        if info is not None and name in info["names"] and gone:
            return True
    return False
