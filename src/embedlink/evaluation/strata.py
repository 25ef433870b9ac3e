"""The ranks of gold mentions, apart by what the linker could know of them.

A concept or surface is `seen` if a training mention has it. A mention has an `ambiguous_name` if
its surface is a name of several concepts of the database, an `unambiguous_name` if it is a name of
one, and `no_name` if it is none. Surfaces are compared by `words.normal_form`.
"""

from collections.abc import Mapping

import torch
from torch import Tensor

from embedlink.concepts.names import ConceptNames
from embedlink.corpora.frequencies import TrainingMentions
from embedlink.linking.mention_table import NOT_GOLD, MentionTable, gold_surfaces
from embedlink.text.words import normal_form


def gold_groups(
    table: MentionTable, names: ConceptNames, training: TrainingMentions
) -> dict[str, Tensor]:
    """Which gold mentions belong to each group. Shape: (gold mentions,) bool each.

    Gold mentions are the spans with `table.gold != NOT_GOLD`, in the table's order. If the database
    lacks the concept, the mention counts as one of an unseen concept.
    """
    forms = [normal_form(surface) for surface in gold_surfaces(table)]
    rows = table.gold[table.gold != NOT_GOLD].tolist()
    concept = _mask([row >= 0 and names.cuis[row] in training.concepts for row in rows])
    surface = _mask([form in training.surfaces for form in forms])
    # The database in use has the surfaces that were added from training mentions as names.
    meanings = torch.tensor([_meanings(form, names) for form in forms], dtype=torch.int64)
    return {
        "seen_concept": concept,
        "unseen_concept": ~concept,
        "seen_surface": surface,
        "unseen_surface": ~surface,
        "ambiguous_name": meanings > 1,
        "unambiguous_name": meanings == 1,
        "no_name": meanings == 0,
    }


def breakdown(ranks: Tensor, groups: Mapping[str, Tensor]) -> dict[str, float]:
    """`accuracy_at_1/<group>`, `recall_at_64/<group>` and `mentions/<group>`, its mentions.

    Groups without mentions are left out.

    Shape: ranks (mentions,) from 1, groups (mentions,) bool each.
    """
    metrics: dict[str, float] = {}
    for group, inside in groups.items():
        own = ranks[inside]
        if len(own):
            metrics[f"accuracy_at_1/{group}"] = float((own <= 1).float().mean())
            metrics[f"recall_at_64/{group}"] = float((own <= 64).float().mean())
            metrics[f"mentions/{group}"] = float(len(own))
    return metrics


def _mask(values: list[bool]) -> Tensor:
    return torch.tensor(values, dtype=torch.bool)


def _meanings(form: str, names: ConceptNames) -> int:
    """Concepts that have a name of this form."""
    rows = names.names_by_form.get(form, ())
    concepts = {concept for row in rows for concept in names.concepts_of_name[row].tolist()}
    return len(concepts)
