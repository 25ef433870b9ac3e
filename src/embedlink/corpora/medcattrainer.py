"""MedCATtrainer exports: what annotators have, and the format that EmbedLink interchanges.

An export is read as a stream with one document in memory at a time, because exports of whole
projects reach gigabytes. Annotations count as in `medcat.stats`. One that was not validated is
ignored. A validated one that was killed or deleted is an explicit negative. Every other one is
gold. If an annotation does not say whether it was validated, it counts as validated.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import cast

from embedlink.corpora.json_stream import codes_of, read_export
from embedlink.corpora.places import Codes, Place, UniqueIds
from embedlink.corpora.spans import Annotation, read_mentions
from embedlink.files.lines import require_file, shown
from embedlink.problems import Problems
from embedlink.types import Document, Mention

SPLIT_NAMES = frozenset({"train", "validation", "test"})
"""Project names that say which split their documents are."""


@dataclass(frozen=True)
class MedCATtrainer:
    """One export file. `split_by_project=False` ignores projects named after a split.

    Documents of other projects have no official split. The filters that a project has (`cuis`,
    `tuis`) are not applied.
    """

    name: str
    path: str
    split_by_project: bool = True

    def read(self, problems: Problems) -> Iterator[Document]:
        """Yield the documents of all projects in the order of the file.

        Raises `EmbedLinkError` if the file is missing. If it breaks off, the place is noted.
        """
        file = require_file(self.path, "export the project from MedCATtrainer, or correct the path")
        reading = _Reading(file, UniqueIds(), codes=Codes.of(codes_of(file)), problems=problems)
        for entry in read_export(file, problems):
            item = f"project {entry.project_number} document {entry.document_number}"
            named = self.split_by_project and entry.project in SPLIT_NAMES
            split = entry.project if named else ""
            document = reading.document(entry.document, Place(str(file), None, item))
            if document is not None:
                yield replace(document, corpus=self.name, split=split)
        reading.note_left_out()


@dataclass(slots=True)
class _Reading:
    """What one reading of a file knows, and how many annotations nobody has validated."""

    file: Path
    ids: UniqueIds
    codes: Codes
    problems: Problems
    unvalidated: int = 0

    def document(self, raw: object, place: Place) -> Document | None:
        """The document, or None if the value is not a document, which is noted.

        Mentions stay in the order of the file.
        """
        fields = cast(Mapping[str, object], raw) if isinstance(raw, dict) else {}
        text, annotations = fields.get("text"), fields.get("annotations", [])
        name = fields.get("name") if fields.get("name") is not None else fields.get("id")
        if (
            not isinstance(text, str)
            or not isinstance(annotations, list)
            or not isinstance(name, str | int | float)
        ):
            remedy = "a document has id or name, text and annotations"
            place.note(self.problems, "", reason="not a document", remedy=remedy)
            return None
        found: list[Annotation] = []
        ruled_out: list[bool] = []
        for number, value in enumerate(annotations, 1):
            where = Place(place.file, None, f"{place.item} annotation {number}")
            annotation = self._annotation(value, where)
            if annotation is not None:
                found.append(annotation)
                ruled_out.append(_ruled_out(value))
        mentions = read_mentions(text, found, place=place, problems=self.problems)
        if mentions is None:
            return None
        gold, rejected = (
            tuple(
                mention
                for mention, out in zip(mentions, ruled_out, strict=True)
                if mention is not None and out is wanted
            )
            for wanted in (False, True)
        )
        id_ = self.ids.claim(str(name), place, self.problems)
        return Document(id_, text, gold, rejected=rejected)

    def _annotation(self, value: object, place: Place) -> Annotation | None:
        """The annotation. None if it is wrong or not validated."""
        if not isinstance(value, dict) or not {"start", "end", "cui"} <= value.keys():
            remedy = "an annotation has start, end, cui and value"
            place.note(self.problems, "", reason="not an annotation", remedy=remedy)
            return None
        if not value.get("validated", True):
            self.unvalidated += 1
            return None
        # Ids of SNOMED CT are numbers, and exports may hold them as such.
        cui, surface = value["cui"], value.get("value")
        if not isinstance(cui, str | int | float | None) or isinstance(cui, bool):
            remedy = "write the concept's identifier"
            place.note(self.problems, shown(cui), reason="cui is not a text", remedy=remedy)
            return None
        code = self.codes.read("" if cui is None else str(cui), place, self.problems)
        # Without a value, offsets are taken as given.
        known = surface if isinstance(surface, str) else None
        return Annotation(value["start"], value["end"], code=code, place=place, surface=known)

    def note_left_out(self) -> None:
        """Count the annotations that nobody has validated."""
        if self.unvalidated:
            value, reason = f"{self.unvalidated} annotations", "annotations not validated"
            remedy = "left out, as MedCAT does; validate them in MedCATtrainer"
            Place(str(self.file), None).note(
                self.problems, value, reason=reason, remedy=remedy, counted=True
            )


def _ruled_out(annotation: Mapping[str, object]) -> bool:
    """Whether annotators looked at it and said no."""
    return bool(annotation.get("killed") or annotation.get("deleted"))


def write_export(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as an export that `MedCATtrainer` reads back the same.

    Neighbouring documents of one split become one project. It is named after the split, or after
    the corpus if there is no split. Documents are written one by one, so a corpus of any size fits
    in memory. The file is written beside `path` until it is whole, so an older file stays until
    then.
    """
    target = Path(path)
    part = target.with_name(target.name + ".part")
    # Only neighbours are grouped: to group a whole split, every document must be in memory.
    grouped = groupby(documents, key=lambda document: document.split or document.corpus)
    with part.open("w", encoding="utf-8") as file:
        file.write('{"projects": [')
        number = 0
        for project, (name, members) in enumerate(grouped):
            # The head loses its closing brace: the documents follow inside the same object.
            head = {"name": name, "id": project + 1, "cuis": "", "tuis": ""}
            file.write((", " if project else "") + json.dumps(head)[:-1] + ', "documents": [')
            for position, document in enumerate(members):
                number += 1
                file.write((",\n" if position else "\n") + _to_json(document, number))
            file.write("]}")
        file.write("]}\n")
    part.replace(target)


def _to_json(document: Document, number: int) -> str:
    """One document of an export, on one line."""
    annotations = [_annotation(document, mention, False) for mention in document.mentions]
    annotations += [_annotation(document, mention, True) for mention in document.rejected]
    fields = {"id": number, "name": document.id, "text": document.text, "annotations": annotations}
    return json.dumps(fields)


def _annotation(document: Document, mention: Mention, deleted: bool) -> dict[str, object]:
    """One annotation with the fields that `medcat.stats` reads."""
    return {
        "start": mention.start,
        "end": mention.end,
        "cui": mention.code,
        "value": document.text[mention.start : mention.end],
        "validated": True,
        "killed": False,
        "deleted": deleted,
    }
