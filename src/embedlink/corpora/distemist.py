"""DisTEMIST: Spanish clinical cases with diseases linked to SNOMED CT (Zenodo, CC BY 4.0).

All 750 training texts have mentions (`subtrack1_entities`). Only 583 of them also have codes
(`subtrack2_linking`). In a text without codes every prediction would count as false, and
`linked_only` leaves such texts out. The tables of a part are read first, all at once. Then its
texts are read one by one, each with the rows that name its file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from embedlink.corpora.places import Codes, Place, UniqueIds
from embedlink.corpora.spans import Annotation, in_text_order, read_mentions
from embedlink.files.decoding import suffix_of
from embedlink.files.lines import read_text, require_folder, shown
from embedlink.files.rows import Row, read_rows
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document

PARTS = {"training": "train", "test_annotated": "test"}
"""Folders of the Zenodo layout, and the official split that each one is."""
_MENTION_COLUMNS = ("filename", "mark", "label", "off0", "off1", "span")
_LINKING_COLUMNS = (*_MENTION_COLUMNS, "code")


@dataclass(frozen=True)
class DisTEMIST:
    """The corpus in its Zenodo layout, or the bare content of its `training` folder.

    `linked_only` leaves out texts without a row in `subtrack2_linking`. A text that is kept keeps
    all of its mentions, also those without codes.
    """

    name: str
    folder: str
    linked_only: bool = False

    def read(self, problems: Problems) -> Iterator[Document]:
        """Yield the documents of each part, ordered by file name.

        Raises `EmbedLinkError` if the folder is missing or holds neither layout, or if a part has
        no table.
        """
        remedy = "run `python prepare.py data=distemist`, or correct the path"
        folder = require_folder(self.folder, remedy)
        parts = {split: folder / part for part, split in PARTS.items() if (folder / part).is_dir()}
        if (folder / "text_files").is_dir():
            parts = {"train": folder}
        if not parts:
            raise EmbedLinkError(
                f"{folder}: holds neither text_files nor {' or '.join(PARTS)}; {remedy}"
            )
        ids = UniqueIds()
        for split, part in parts.items():
            yield from self._read_part(part, split, ids=ids, problems=problems)

    def _read_part(
        self, part: Path, split: str, ids: UniqueIds, problems: Problems
    ) -> Iterator[Document]:
        """The documents of one part of the published archive.

        Raises `EmbedLinkError` if the folder holds none of its tables.
        """
        # The published folder also holds other tables (`*_linking_crossmappings.tsv`).
        entities = _tables(part / "subtrack1_entities", ".tsv")
        linking = _tables(part / "subtrack2_linking", "_linking.tsv")
        if not entities and not linking:
            raise EmbedLinkError(
                f"{part}: no subtrack1_entities/*.tsv and no subtrack2_linking/*_linking.tsv; "
                "unpack the archive again"
            )
        # Linking tables come first. Of two rows for one span the first stays, and these have codes.
        marked = _Marked()
        for file in linking:
            marked.add(
                file, read_rows(file, _LINKING_COLUMNS, problems, delimiter="\t", quoted=False)
            )
        # Taken now, before rows without codes join: later nobody can tell which texts have codes.
        linked = set(marked.rows)
        for file in entities:
            marked.add(
                file, read_rows(file, _MENTION_COLUMNS, problems, delimiter="\t", quoted=False)
            )
        codes = Codes.of(row.cells.get("code", "") for row in marked.all())
        left_out = 0
        for path in _texts(part / "text_files"):
            rows = marked.rows.pop(path.stem, {})  # Rows that stay have no text.
            if self.linked_only and path.stem not in linked:
                left_out += 1
                continue
            text = read_text(path, problems)
            if text is None:
                continue
            place = Place(str(path), None)
            annotations = _annotations(rows, codes, problems)
            mentions = read_mentions(text, annotations, place=place, problems=problems)
            if mentions is not None:
                id_ = ids.claim(path.stem, place, problems)
                yield Document(
                    id_, text, mentions=in_text_order(mentions), corpus=self.name, split=split
                )
        if left_out:
            value, reason = f"{left_out} texts", "texts without a linked mention"
            remedy = "left out on purpose; linked_only=false keeps them"
            Place(str(part), None).note(problems, value, reason=reason, remedy=remedy, counted=True)
        _note_missing_texts(part, marked, problems)


@dataclass(slots=True)
class _Marked:
    """The rows of a part by file name and mark. A linking row wins over a plain mention.

    The first key of `rows` is a document's name without `.txt`. The second is (off0, off1, mark) as
    the table spells them. Each row comes with its file, which messages about it name.
    """

    rows: dict[str, dict[tuple[str, str, str], tuple[Path, Row]]] = field(default_factory=dict)

    def add(self, file: Path, rows: Iterator[Row]) -> None:
        """Add the rows of one file that are not there yet."""
        for row in rows:
            key = (row.cells["off0"], row.cells["off1"], row.cells["mark"])
            name = row.cells["filename"].strip().removesuffix(".txt")
            self.rows.setdefault(name, {}).setdefault(key, (file, row))

    def all(self) -> Iterator[Row]:
        """All rows of all documents."""
        return (row for rows in self.rows.values() for _, row in rows.values())


def _tables(folder: Path, end: str) -> list[Path]:
    """The tables with names that end in this way, in upper or lower case."""
    return sorted(path for path in folder.glob("*") if path.name.lower().endswith(end))


def _texts(folder: Path) -> list[Path]:
    """The texts in the order of their names, whatever the case of their suffix."""
    return sorted(path for path in folder.glob("*") if suffix_of(path) == ".txt")


def _annotations(
    rows: dict[tuple[str, str, str], tuple[Path, Row]], codes: Codes, problems: Problems
) -> list[Annotation]:
    """The rows of one document as annotations."""
    found = []
    for file, row in rows.values():
        place, cells = Place(str(file), row.line), row.cells
        code = codes.read(cells.get("code", ""), place, problems)
        found.append(
            Annotation(cells["off0"], cells["off1"], code=code, place=place, surface=cells["span"])
        )
    return found


def _note_missing_texts(part: Path, marked: _Marked, problems: Problems) -> None:
    """Note the documents that have mentions but no text file, each once, at its first row."""
    for name, rows in marked.rows.items():
        file, row = next(iter(rows.values()))
        remedy = f"add its .txt file to {part / 'text_files'}"
        problems.add(str(file), row.line, shown(name), "missing text file", remedy)
