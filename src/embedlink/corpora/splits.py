"""Divides documents into train, validation and test, by document.

Documents with the same text, in one corpus or in two, always stay on one side. A linker that has
seen a test document under another name reports metrics that mean nothing. Ids do not help, because
many are unique within a project only. `group_same` finds which documents belong together, and whole
groups are drawn. If an official split has a text on two sides, it is dropped from the side that
matters less.
"""

import logging
import random
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from embedlink.corpora.places import original_id
from embedlink.corpora.settings import SplitSettings
from embedlink.files.lines import read_lines, require_file
from embedlink.problems import EmbedLinkError, Problems
from embedlink.text.words import folded, readable
from embedlink.types import Document

log = logging.getLogger(__name__)

SIDES = ("test", "validation", "train")
"""If a document is on two sides, it stays on the one that comes first here."""


@dataclass(frozen=True, slots=True)
class Splits:
    """The three sides, each in the order of the documents given, and what was left out.

    `dropped` are documents that an official split or a document list has on two sides. They were
    left out of the side that matters less.
    """

    train: list[Document]
    validation: list[Document]
    test: list[Document]
    dropped: list[Document]


def split_documents(documents: Sequence[Document], wanted: SplitSettings) -> Splits:
    """Divide by the official splits or at random, each corpus by itself.

    `test_share` is the share of all documents of a corpus, `validation_share` that of its training
    documents. `document_list` names a file with one document id a line. These documents are the
    test part of the corpora that hold any of them. The other documents of these corpora train. A
    corpus without validation documents gets some from its training documents, however it was
    divided.

    Raises `EmbedLinkError` if a corpus lacks the official split that is asked for, or if the list
    names no document.
    """
    groups = group_same(documents)
    sides: list[str] = [""] * len(documents)
    listed = _listed(documents, wanted.document_list)
    corpora = {document.corpus: list[int]() for document in documents}
    for n, document in enumerate(documents):
        corpora[document.corpus].append(n)
    for corpus, members in corpora.items():
        # In the corpora that it names, a list overrides the official split.
        if not listed.isdisjoint(members):
            for n in members:
                sides[n] = "test" if n in listed else "train"
        elif wanted.by == "official":
            _use_official(documents, members, sides=sides, corpus=corpus)
        else:
            drawn = _Draw(documents, groups, sides)
            _draw(drawn, members, side="test", share=wanted.test_share, seed=wanted.seed)
    # Test is settled for every corpus first. Validation is drawn from what still trains then.
    decided = [side if side != "train" else "" for side in sides]
    for members in corpora.values():
        if all(sides[n] != "validation" for n in members):
            train = [n for n in members if sides[n] == "train"]
            drawn, share = _Draw(documents, groups, decided), wanted.validation_share
            _draw(drawn, train, side="validation", share=share, seed=wanted.seed)
    return _collect(documents, groups, [side or "train" for side in decided])


def check_sides(splits: Splits) -> None:
    """Raise `EmbedLinkError` if there is nothing to train on, to choose by, or to measure."""
    for side in ("train", "validation", "test"):
        if not getattr(splits, side):
            raise EmbedLinkError(
                f"no {side} documents: documents of one text stay together, and what is "
                "left was not enough to divide; choose other split.test_share and "
                "split.validation_share, or split=official"
            )


def group_same(documents: Sequence[Document]) -> list[int]:
    """For each document the number of the first one that it is the same as, or its own number.

    Documents are the same if they have one text. Spacing, case, the form of accents, the shape of
    quotes and invisible characters may differ. Ids do not count.
    """
    first: dict[str, int] = {}
    forms = (" ".join(folded(readable(document.text)).split()) for document in documents)
    return [first.setdefault(form, n) for n, form in enumerate(forms)]


def _listed(documents: Sequence[Document], document_list: str | None) -> set[int]:
    """The numbers of the documents that the list names by id. Without a list there are none.

    Ids that no corpus has are logged, as long as one is found. The list may hold file names
    (`.txt`).
    """
    if document_list is None:
        return set()
    problems = Problems()
    path = require_file(document_list, "correct split.document_list")
    lines = [line.text.strip().removesuffix(".txt") for line in read_lines(path, problems)]
    problems.raise_if_rejected()
    wanted = {line for line in lines if line}
    found = {n for n, document in enumerate(documents) if original_id(document.id) in wanted}
    missing = wanted - {original_id(documents[n].id) for n in found}
    if not found:
        raise EmbedLinkError(
            f"{path}: none of its {len(wanted)} document ids is in the corpora; "
            "write one id a line, as the corpus gives them"
        )
    if missing:
        some = ", ".join(sorted(missing)[:3])
        log.warning("%s: %d ids are in no corpus, such as %s", path, len(missing), some)
    return found


def _use_official(
    documents: Sequence[Document], members: list[int], sides: list[str], corpus: str
) -> None:
    """Write the published splits of one corpus into `sides`.

    Raises `EmbedLinkError` if it has no train or no test part, or documents of another split.
    """
    found = sorted({documents[n].split for n in members})
    unknown = [name for name in found if name not in SIDES]
    if unknown or "test" not in found or "train" not in found:
        named = ", ".join(name or "(none)" for name in found)
        raise EmbedLinkError(
            f"corpus {corpus} has no official train and test part (its splits: {named}); "
            "use split=random, or name the test documents in split.document_list"
        )
    for n in members:
        sides[n] = documents[n].split


class _Draw(NamedTuple):
    """What a draw reads, and the sides that it fills in. "" means that nothing is decided yet."""

    documents: Sequence[Document]
    groups: list[int]
    sides: list[str]


def _draw(state: _Draw, members: list[int], side: str, share: float, seed: int) -> None:
    """Draw whole groups of one corpus for a side until its share is reached. The rest trains.

    The draw depends on the seed, on the corpus' name and on its documents. The order of documents
    makes no difference, except within a group: its first document decides the place of the group.
    If the share is above 0, a corpus of two groups or more gets at least one on the side. `members`
    are the numbers of the corpus' documents, and their entries in `sides` are filled in. `share` is
    the share of these documents, rounded.
    """
    documents, groups, sides = state
    if not members:
        return
    # Another corpus may hold the same documents. What was decided there also holds here.
    drawn = {groups[n] for n, decided in enumerate(sides) if decided == side}
    fixed = {groups[n] for n, decided in enumerate(sides) if decided not in ("", side)}
    sizes = Counter(groups[n] for n in members)
    order = sorted(sizes, key=lambda group: (documents[group].id, documents[group].text))
    # `random` hashes a string by itself, so every process draws the same.
    random.Random(f"{seed}/{side}/{documents[members[0]].corpus}").shuffle(order)
    free = [group for group in order if group not in drawn and group not in fixed]
    count = sum(sizes[group] for group in order if group in drawn)
    wanted = round(share * len(members))
    # A small corpus gets its smallest group. Otherwise it would have nothing to be measured on.
    if share > 0 and not count and len(order) > 1 and free:
        wanted = max(wanted, min(sizes[group] for group in free))
    # A group that is too large is passed over, because a smaller one may still fit.
    for group in free:
        if count + sizes[group] <= wanted:
            drawn.add(group)
            count += sizes[group]
    for n in members:
        sides[n] = side if groups[n] in drawn else "train"


def _collect(documents: Sequence[Document], groups: list[int], sides: list[str]) -> Splits:
    """Sort the documents by side. One that repeats a document of an earlier side is dropped.

    Sides are ordered as in `SIDES`, so test keeps all of its documents.
    """
    # For each group the first of `SIDES` that one of its documents is on.
    best = [len(SIDES)] * len(documents)
    for group, side in zip(groups, sides, strict=True):
        best[group] = min(best[group], SIDES.index(side))
    kept: dict[str, list[Document]] = {side: [] for side in SIDES}
    dropped = []
    for document, group, side in zip(documents, groups, sides, strict=True):
        if SIDES.index(side) == best[group]:
            kept[side].append(document)
        else:
            dropped.append(document)
    if dropped:
        log.warning("left out of training, as on another side: %s", _ids(dropped))
    return Splits(kept["train"], kept["validation"], test=kept["test"], dropped=dropped)


def _ids(documents: Iterable[Document], count: int = 5) -> str:
    """A few ids for a message."""
    ids = [f"{document.corpus}/{document.id}" for document in documents]
    return ", ".join(ids[:count]) + (f" and {len(ids) - count} more" if len(ids) > count else "")
