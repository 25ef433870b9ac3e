"""What detection proposes, with and without EmbedLink's additions; see README.md."""

import argparse
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from medcat.cdb import CDB

from embedlink.detection.pipeline import VocabularyDetector
from embedlink.experiment.data import load_data
from embedlink.experiment.parts import Inputs
from embedlink.experiment.resolvers import register_resolvers
from embedlink.types import Detection, Document

CONF = Path(__file__).resolve().parents[2] / "conf"
SETTINGS: dict[str, dict[str, object]] = {
    "vocabulary": {"variants": False, "abbreviations": False},
    "+ variants": {"variants": True, "abbreviations": False},
    "+ abbreviations": {"variants": False, "abbreviations": True},
    "both": {"variants": True, "abbreviations": True},
}
HEADER = """\
| corpus, split | detection | starts found | concept among candidates | proposals | at no gold start | links | ms a document |
|---|---|---|---|---|---|---|---|"""  # noqa: E501


def main() -> None:
    """Print one row of the table for each corpus, split and setting."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-dir", required=True)
    parser.add_argument("--corpus", nargs="+", default=["ncbi", "distemist"])
    parser.add_argument("--split", nargs="+", default=["train", "validation"])
    parser.add_argument("--tagger", help="a run's tagger of the one corpus: adds its rows")
    arguments = parser.parse_args()
    settings = dict(SETTINGS)
    if arguments.tagger:
        settings["both + tagger"] = SETTINGS["both"] | {"tagger": arguments.tagger}
    register_resolvers()
    print(HEADER)
    for corpus in arguments.corpus:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            chosen = [f"data={corpus}", f"data_dir={arguments.data_dir}", "detection=variants"]
            data = load_data(Inputs.of(compose("train", chosen)), "preferred")
        train = {name: _detect(data.cdb, fields, data.splits.train)[0]
                 for name, fields in settings.items()}  # fmt: skip
        for split in arguments.split:
            documents = getattr(data.splits, split)
            for name, fields in settings.items():
                found, seconds = _detect(data.cdb, fields, documents)
                share = _linked_share(data.splits.train, train[name])
                metrics = _metrics(documents, found, share)
                print(f"| {corpus}, {split} | {name} | {metrics} | {seconds * 1000:.1f} |")


def _detect(
    cdb: CDB, fields: dict[str, object], documents: Sequence[Document]
) -> tuple[list[list[Detection]], float]:
    """Detections, and seconds a document (with the building of the table of variants)."""
    for field, value in ({"tagger": None} | fields).items():
        setattr(cdb.config.components.ner, field, value)
    start = time.perf_counter()
    found = VocabularyDetector(cdb, progress=False)(documents)
    return found, (time.perf_counter() - start) / max(1, len(documents))


def _right(documents: Sequence[Document], found: Sequence[Sequence[Detection]]) -> Iterator[
    tuple[Detection, bool, bool]
]:  # fmt: skip
    """Each detection: whether a gold mention starts there, and whether it has its concept."""
    for document, detections in zip(documents, found, strict=True):
        gold: dict[int, set[str]] = {}
        for mention in document.mentions:
            if mention.cuis:
                gold.setdefault(mention.start, set()).update(mention.cuis)
        for each in detections:
            there = gold.get(each.start, set())
            yield each, bool(there), not there.isdisjoint(each.candidates)


def _linked_share(
    documents: Sequence[Document], found: Sequence[Sequence[Detection]]
) -> dict[str, float]:
    """Share of each name's detections that start a mention with one of its concepts."""
    total, right = Counter[str](), Counter[str]()
    for each, _, linked in _right(documents, found):
        total[each.name] += 1
        right[each.name] += linked
    return {name: right[name] / count for name, count in total.items()}


def _metrics(
    documents: Sequence[Document],
    found: Sequence[Sequence[Detection]],
    share: dict[str, float],
) -> str:
    gold = starts = concepts = 0
    for document, detections in zip(documents, found, strict=True):
        proposed: dict[int, set[str]] = {}
        for each in detections:
            proposed.setdefault(each.start, set()).update(each.candidates)
        for mention in document.mentions:
            if mention.cuis:
                gold += 1
                starts += mention.start in proposed
                concepts += not proposed.get(mention.start, set()).isdisjoint(mention.cuis)
    proposals = list(_right(documents, found))
    wrong = sum(not there for _, there, _ in proposals)
    links = _dictionary_f1(documents, found, share, gold)
    return f"{starts / gold:.3f} | {concepts / gold:.3f} | {len(proposals)} | {wrong} | {links}"


def _dictionary_f1(
    documents: Sequence[Document],
    found: Sequence[Sequence[Detection]],
    share: dict[str, float],
    gold: int,
) -> str:
    """P, R, F1 of a linker without a model: names linked in half of the training documents'
    detections or never seen there, first candidate, longest of the overlapping."""
    right = predicted = 0
    for document, detections in zip(documents, found, strict=True):
        truth = {(m.start, cui) for m in document.mentions for cui in m.cuis}
        taken: set[int] = set()
        for each in sorted(detections, key=lambda d: d.start - d.end):
            span = range(each.start, each.end)
            if not each.candidates or share.get(each.name, 1.0) < 0.5:
                continue
            if not taken.isdisjoint(span):
                continue
            taken.update(span)
            predicted += 1
            right += (each.start, each.candidates[0]) in truth
    precision, recall = right / max(1, predicted), right / gold
    f1 = 2 * precision * recall / max(1e-9, precision + recall)
    return f"P {precision:.3f} R {recall:.3f} F1 {f1:.3f}"


if __name__ == "__main__":
    main()
