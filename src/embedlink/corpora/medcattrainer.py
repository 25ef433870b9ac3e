"""MedCATtrainer exports: what annotators have, and the format that EmbedLink interchanges.

Read as a stream, one document in memory at a time, because exports of whole projects reach
gigabytes. Annotations count as in `medcat.stats`: one that was not validated is ignored, a
validated one that was killed or deleted is an explicit negative, every other one is gold. One
that does not say whether it was validated, was.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import cast

from embedlink.corpora.json_stream import read_export
from embedlink.corpora.spans import Place, UniqueIds, read_mention
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

        Raises `EmbedLinkError` when the file is missing; a broken one is noted where it breaks off.
        """
        file = require_file(self.path, "export the project from MedCATtrainer, or correct the path")
        ids = UniqueIds()
        for entry in read_export(file, problems):
            item = f"project {entry.project_number} document {entry.document_number}"
            place = Place(str(file), None, item)
            named = self.split_by_project and entry.project in SPLIT_NAMES
            split = entry.project if named else ""
            document = self._document(entry.document, split, place, ids, problems)
            if document is not None:
                yield document

    def _document(
        self, raw: object, split: str, place: Place, ids: UniqueIds, problems: Problems
    ) -> Document | None:
        """The document, or None after noting that it is none.

        A wrong annotation costs itself alone. Mentions stay in the order of the file.
        """
        fields = cast(Mapping[str, object], raw) if isinstance(raw, dict) else {}
        text, annotations = fields.get("text"), fields.get("annotations", [])
        name = fields.get("name") if fields.get("name") is not None else fields.get("id")
        if not isinstance(text, str) or not isinstance(annotations, list) or name is None:
            remedy = "a document has id or name, text and annotations"
            place.note(problems, "", "not a document", remedy)
            return None
        id_ = ids.claim(str(name), place, problems)
        gold: list[Mention] = []
        rejected: list[Mention] = []
        for number, annotation in enumerate(annotations, 1):
            where = Place(place.file, None, f"{place.item} annotation {number}")
            mention = _mention(text, annotation, where, problems)
            if mention is not None:
                (rejected if _ruled_out(annotation) else gold).append(mention)
        return Document(id_, text, tuple(gold), self.name, split, tuple(rejected))


def _mention(text: str, annotation: object, place: Place, problems: Problems) -> Mention | None:
    """The annotation as a mention; None when it is not validated, or is wrong."""
    if not isinstance(annotation, dict) or not {"start", "end", "cui"} <= annotation.keys():
        place.note(problems, "", "not an annotation", "an annotation has start, end, cui and value")
        return None
    if not annotation.get("validated", True):
        return None
    # Ids of SNOMED CT are numbers, and exports may hold them as such.
    cui, value = annotation["cui"], annotation.get("value")
    if not isinstance(cui, str | int) or isinstance(cui, bool):
        place.note(problems, shown(cui), "cui is not a text", "write the concept's identifier")
        return None
    surface = value if isinstance(value, str) else None  # Without it offsets are taken as given.
    code = str(cui).strip()
    return read_mention(
        text, annotation["start"], annotation["end"], code, place, problems, surface
    )


def _ruled_out(annotation: Mapping[str, object]) -> bool:
    """Whether annotators looked at it and said no."""
    return bool(annotation.get("killed") or annotation.get("deleted"))


def write_export(documents: Iterable[Document], path: str | Path) -> None:
    """Write documents as an export that `MedCATtrainer` reads back the same.

    Neighbouring documents of one split become one project, named after the split (or the corpus
    where there is none). Written document by document, so that any size fits in memory, and
    beside `path` until it is whole, so that an older file stays until then.
    """
    target = Path(path)
    part = target.with_name(target.name + ".part")
    # Neighbours only: to bring all of a split together would need every document in memory.
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
