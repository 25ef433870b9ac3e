"""The SNOMED CT Entity Linking benchmark: MIMIC-IV discharge notes (PhysioNet, credentialed).

It cannot be redistributed, or downloaded without credentials, so the user names a folder. Each
split is a pair of tables. The annotations are read whole, then the notes one by one, and each note
takes its own annotations.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from embedlink.corpora.places import Codes, Place, UniqueIds
from embedlink.corpora.shifted import Repair, find_repair
from embedlink.corpora.spans import Annotation, in_text_order, read_mentions, read_offset
from embedlink.files.lines import require_folder, shown
from embedlink.files.rows import Row, read_rows
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document, Mention, Span

NOTES = {
    "train": ("mimic-iv_notes_training_set.csv", "train_notes.csv"),
    "test": ("mimic-iv_notes_test_set.csv", "test_notes.csv"),
}
"""Names of the notes in the releases so far, by split. The first that is there is read."""
ANNOTATIONS = {"train": "train_annotations.csv", "test": "test_annotations.csv"}
_ACCESS = "ask for access at https://physionet.org/content/snomed-ct-entity-challenge/"


class _Pair(NamedTuple):
    """The two files of one split."""

    split: str
    notes: Path
    annotations: Path


@dataclass(frozen=True)
class SnomedBenchmark:
    """The splits that the folder holds. `repair` moves annotations that `<br>` has shifted.

    Without `repair` all offsets are taken as published, right or wrong, because the table of
    annotations has no text to compare with.
    """

    name: str
    folder: str
    repair: bool = True

    def read(self, problems: Problems) -> Iterator[Document]:
        """Yield the notes of each split in the order of their file, mentions by their offsets.

        Raises `EmbedLinkError` if the folder is missing or holds no complete pair.
        """
        ids = UniqueIds()
        for pair in self._pairs(problems):
            rows, taken = _annotations(pair.annotations, problems), set[str]()
            all_rows = (row for found in rows.values() for row in found)
            codes = Codes.of(row.cells["concept_id"] for row in all_rows)
            columns = ("note_id", "text")
            notes = read_rows(pair.notes, columns, problems, delimiter=",", quoted=True, notes=True)
            for note in notes:
                note_id, text = note.cells["note_id"].strip(), note.cells["text"]
                taken.add(note_id)  # A note that is published twice gets its annotations twice.
                found = self._mentions(text, note_id, rows.get(note_id, []), pair, codes, problems)
                id_ = ids.claim(note_id, Place(str(pair.notes), note.line), problems)
                yield Document(id_, text, mentions=found, corpus=self.name, split=pair.split)
            # Annotations that no note has taken belong to a note that is missing.
            for note_id, left in rows.items():
                if note_id in taken:
                    continue
                remedy = f"add the note to {pair.notes.name}"
                value = f"{shown(note_id)} ({len(left)} annotations)"
                problems.add(str(pair.annotations), left[0].line, value, "missing note", remedy)

    def _pairs(self, problems: Problems) -> list[_Pair]:
        """The complete pairs of the folder. Half a pair is noted and left out."""
        folder = require_folder(self.folder, _ACCESS)
        pairs = []
        for split, names in NOTES.items():
            annotations = folder / ANNOTATIONS[split]
            notes = next((folder / name for name in names if (folder / name).is_file()), None)
            if notes and annotations.is_file():
                pairs.append(_Pair(split, notes, annotations))
            elif notes or annotations.is_file():
                # Counted: the other split can be read, so a strict run goes on.
                there = notes or annotations
                remedy = f"add {annotations.name if notes else ' or '.join(names)}"
                reason = "one file of a pair"
                problems.add(str(there), None, split, reason, remedy, counted=True)
        if not pairs:
            accepted = "; ".join(
                f"{' or '.join(NOTES[split])} with {ANNOTATIONS[split]}" for split in NOTES
            )
            raise EmbedLinkError(f"{folder}: holds no complete pair of {accepted}; {_ACCESS}")
        return pairs

    def _mentions(
        self,
        text: str,
        note_id: str,
        rows: list[Row],
        pair: _Pair,
        codes: Codes,
        problems: Problems,
    ) -> tuple[Mention, ...]:
        """The annotations of one note, moved together if line breaks or units have shifted them.

        Those that are wrong even then are noted, each at its own line, and left out.
        """
        # A note was annotated in one version of its text, so all of its spans move alike.
        repair = find_repair(text, _spans(rows)) if self.repair else Repair()
        place = Place(str(pair.notes), None, shown(note_id))
        value = f"{len(rows)} annotations"
        if repair.version:
            reason, said = "offsets of another version of the text", repair.version.description
            place.note(problems, value, reason=reason, remedy=said, repaired=True)
        elif repair.doubtful:
            remedy = "left as published: no version of the text explains it"
            place.note(
                problems, value, reason="annotations look shifted", remedy=remedy, counted=True
            )
        annotations = []
        for row in rows:
            where = Place(str(pair.annotations), row.line, shown(note_id))
            code = codes.read(row.cells["concept_id"], where, problems)
            start, end = _moved(row, repair)
            annotations.append(Annotation(start, end, code=code, place=where))
        return in_text_order(read_mentions(text, annotations, place=place, problems=problems) or [])


def _annotations(path: Path, problems: Problems) -> dict[str, list[Row]]:
    """The annotation rows of each note, in the order of the file."""
    rows: dict[str, list[Row]] = {}
    columns = ("note_id", "start", "end", "concept_id")
    for row in read_rows(path, columns, problems, delimiter=",", quoted=True):
        rows.setdefault(row.cells["note_id"].strip(), []).append(row)
    return rows


def _moved(row: Row, repair: Repair) -> tuple[object, object]:
    """The offsets of a row in the text. They stay unchanged if they cannot be moved."""
    start, end = read_offset(row.cells["start"]), read_offset(row.cells["end"])
    if start is not None and end is not None:
        moved = repair.moved(Span(start, end))
        if moved is not None:
            return moved
    return row.cells["start"], row.cells["end"]


def _spans(rows: list[Row]) -> list[Span]:
    """The offsets of rows that have numbers there. The other rows are noted when they are read."""
    pairs = ((read_offset(row.cells["start"]), read_offset(row.cells["end"])) for row in rows)
    return [Span(start, end) for start, end in pairs if start is not None and end is not None]
