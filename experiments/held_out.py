"""How right are a pack's links on notes that nothing was trained on?

Precision of all links and recall of full names, with 95 % bootstrap intervals by document, for the
pack with and without its reader of short forms. Wrong links are listed by document and offsets. A
mention that is denied, hypothetical or a relative's counts for precision alone (`tests/data`).

python -m experiments.held_out runs/<day>/<time>/pack tests/data/held_out_notes.json
"""

import argparse
import json
from dataclasses import dataclass, field
from typing import Any

from medcat.cat import CAT

import embedlink  # noqa: F401 - first: telemetry is off from here
from embedlink.evaluation.bootstrap import share_with_interval

SHORTEST_NAME = 5  # letters: what is shorter, or in capitals, is a short form


@dataclass
class Counts:
    """What a pack does in one document."""

    links: int = 0
    right: int = 0
    names: int = 0  # mentions of the patient in full
    found: int = 0  # of these, linked to their concept
    wrong: list[str] = field(default_factory=list)
    missed: list[str] = field(default_factory=list)


def main() -> None:
    """Print one line for the pack with its reader of short forms, and one without."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pack")
    parser.add_argument("notes", help="a MedCATtrainer export")
    parser.add_argument("--wrong", action="store_true", help="list the wrong links")
    parser.add_argument("--missed", action="store_true", help="list the full names not linked")
    asked = parser.parse_args()
    with open(asked.notes, encoding="utf-8") as file:
        documents = [d for project in json.load(file)["projects"] for d in project["documents"]]
    cat = CAT.load_model_pack(asked.pack)
    for senses in (True, False):
        cat.config.components.linking.senses = senses
        counts = [_count(cat, document) for document in documents]
        precision = share_with_interval([c.right for c in counts], [c.links for c in counts])
        recall = share_with_interval([c.found for c in counts], [c.names for c in counts])
        links, right = sum(c.links for c in counts), sum(c.right for c in counts)
        print(f"senses={senses}: {right} of {links} links right, {precision}; full names {recall}")
        if asked.wrong:
            print("\n".join(line for c in counts for line in c.wrong))
        if asked.missed:
            print("\n".join(line for c in counts for line in c.missed))


def _count(cat: CAT, document: dict[str, Any]) -> Counts:
    text = document["text"]
    gold = {(a["start"], a["cui"]): a for a in document["annotations"]}
    counts, linked = Counts(), set()
    for entity in cat.get_entities(text).get("entities", {}).values():
        place = entity["start"], entity["cui"]
        linked.add(place)
        counts.links += 1
        if place in gold:
            counts.right += 1
        else:
            where = f"{document['name']} {entity['start']}-{entity['end']}"
            counts.wrong.append(f"  {where} {entity['cui']} {entity['acc']:.2f}")
    for (start, cui), annotation in gold.items():
        if annotation.get("meta_anns") or not _is_full_name(text[start : annotation["end"]]):
            continue
        counts.names += 1
        counts.found += (start, cui) in linked
        if (start, cui) not in linked:
            counts.missed.append(f"  {document['name']} {start}-{annotation['end']} {cui} missed")
    return counts


def _is_full_name(surface: str) -> bool:
    return len(surface) >= SHORTEST_NAME and not surface.isupper()


if __name__ == "__main__":
    main()
