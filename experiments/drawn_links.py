"""How many of a pack's links would a reader believe? A random draw of them, judged by reading.

The first command links notes without annotations. It writes COUNT links drawn at random, each with
the text around it, and prints how often each pair of surface and concept is linked. Fill in the
column `right` (1 or 0). The second command then prints the precision with its 95 % bootstrap
interval by note. The file holds text of notes, so keep it where the notes are.

python -m experiments.drawn_links draw runs/<day>/<time>/pack notes.jsonl drawn.csv --count 200
python -m experiments.drawn_links judge drawn.csv
"""

import argparse
from collections import Counter
from pathlib import Path
from typing import Any

import pandas as pd
from medcat.cat import CAT

import embedlink  # noqa: F401 - first: telemetry is off from here
from embedlink.corpora.unlabelled import read_notes
from embedlink.evaluation.bootstrap import share_with_interval

AROUND = 90
"""Characters shown on each side of a link."""


def main() -> None:
    """Draw links to be judged, or say how many of the judged ones are right."""
    parser = argparse.ArgumentParser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    draw = commands.add_parser("draw")
    draw.add_argument("pack")
    draw.add_argument("notes", help="a folder of .txt, or a table with a column `text`")
    draw.add_argument("drawn", type=Path, help="the csv to write")
    draw.add_argument("--count", type=int, default=200)
    draw.add_argument("--seed", type=int, default=0)
    draw.add_argument("--pairs", type=int, default=0, help="how many frequent pairs to print")
    judge = commands.add_parser("judge")
    judge.add_argument("drawn", type=Path)
    asked = parser.parse_args()
    if asked.command == "judge":
        _judge(asked.drawn)
        return
    cat = CAT.load_model_pack(asked.pack)
    links = pd.DataFrame(
        link
        for number, text in enumerate(read_notes(asked.notes))
        for link in _links(cat, number, text)
    )
    drawn = links.sample(min(asked.count, len(links)), random_state=asked.seed).sort_index()
    drawn.to_csv(asked.drawn, index=False)
    print(f"{len(links)} links in {links['note'].nunique()} notes; {len(drawn)} drawn")
    pairs = Counter(zip(links["surface"].str.lower(), links["concept"], strict=True))
    for (surface, concept), count in pairs.most_common(asked.pairs):
        print(f"{count:5} {surface} -> {concept}")


def _links(cat: CAT, number: int, text: str) -> list[dict[str, Any]]:
    """The links of one note, by start."""
    found = sorted(cat.get_entities(text)["entities"].values(), key=lambda entity: entity["start"])
    return [_row(text, number, entity) for entity in found]


def _row(text: str, number: int, entity: Any) -> dict[str, Any]:
    start, end = entity["start"], entity["end"]
    around = (
        f"{text[max(0, start - AROUND) : start]}[[{text[start:end]}]]{text[end : end + AROUND]}"
    )
    return {
        "note": number,
        "start": start,
        "end": end,
        "cui": entity["cui"],
        "concept": entity["pretty_name"],
        "probability": round(entity["acc"], 3),
        "surface": text[start:end],
        "around": " ".join(around.split()),
        "right": "",
    }


def _judge(path: Path) -> None:
    judged = pd.read_csv(path).dropna(subset=["right"])
    by_note = judged.groupby("note")["right"].agg(["sum", "count"])
    share = share_with_interval(by_note["sum"].tolist(), by_note["count"].tolist())
    print(f"{int(judged['right'].sum())} of {len(judged)} right: {share}")


if __name__ == "__main__":
    main()
