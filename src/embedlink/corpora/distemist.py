"""DisTEMIST: Spanish clinical cases with diseases linked to SNOMED CT (Zenodo, CC BY 4.0).

All 750 training texts have mentions (`subtrack1_entities`), 583 of them also codes
(`subtrack2_linking`). In a text without codes every prediction would count as false, which is
why `linked_only` exists. Tables come first, all of a part at once, then its texts one by one, each
with the rows that name its file.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from embedlink.corpora.spans import Place, UniqueIds, read_code, read_mention
from embedlink.files.lines import Row, read_rows, read_text, require_folder, shown
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document, Mention

PARTS = {"training": "train", "test_annotated": "test"}
"""Folders of the Zenodo layout, and the official split that each one is."""
_MENTION_COLUMNS = ("filename", "mark", "label", "off0", "off1", "span")
_LINKING_COLUMNS = (*_MENTION_COLUMNS, "code")


@dataclass(frozen=True)
class DisTEMIST:
    """The corpus in its Zenodo layout, or the bare content of its `training` folder.

    `linked_only` leaves out texts without a row in `subtrack2_linking`; a text that is kept keeps
    its mentions without codes, too.
    """

    name: str
    folder: str
    linked_only: bool = False

    def read(self, problems: Problems) -> Iterator[Document]:
        """Yield the documents of each part, ordered by file name.

        Raises `EmbedLinkError` when the folder is missing or holds neither layout, or when a part
        has no table.
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
            yield from self._read_part(part, split, ids, problems)

    def _read_part(
        self, part: Path, split: str, ids: UniqueIds, problems: Problems
    ) -> Iterator[Document]:
        # The published folder also holds `*_linking_crossmappings.tsv`, other tables.
        entities = sorted((part / "subtrack1_entities").glob("*.tsv"))
        linking = sorted((part / "subtrack2_linking").glob("*_linking.tsv"))
        if not entities and not linking:
            raise EmbedLinkError(
                f"{part}: no subtrack1_entities/*.tsv and no subtrack2_linking/*_linking.tsv; "
                "unpack the archive again"
            )
        # Linking tables first: of two rows for one span the first stays, and theirs have codes.
        marked = _Marked()
        for file in linking:
            marked.add(
                file, read_rows(file, _LINKING_COLUMNS, problems, delimiter="\t", quoted=False)
            )
        # Taken before rows without codes join them: what has codes is known only now.
        linked = set(marked.rows)
        for file in entities:
            marked.add(
                file, read_rows(file, _MENTION_COLUMNS, problems, delimiter="\t", quoted=False)
            )
        for path in sorted((part / "text_files").glob("*.txt")):
            rows = marked.rows.pop(path.stem, {})  # What is never popped has no text.
            if self.linked_only and path.stem not in linked:
                continue
            text = read_text(path, problems)
            if text is not None:
                text = _line_ends(text, rows, path, problems)
                id_ = ids.claim(path.stem, Place(str(path), None), problems)
                yield Document(id_, text, _mentions(text, rows, problems), self.name, split)
        _note_missing_texts(part, marked, problems)


@dataclass(slots=True)
class _Marked:
    """The rows of a part by file name and mark; a linking row goes before a plain mention.

    `rows` has a document's name without `.txt`, then (off0, off1, mark) as the table spells them,
    and the file that the row is from, for its problems.
    """

    rows: dict[str, dict[tuple[str, str, str], tuple[Path, Row]]] = field(default_factory=dict)

    def add(self, file: Path, rows: Iterator[Row]) -> None:
        """Add the rows of one file that are not there yet."""
        for row in rows:
            key = (row.cells["off0"], row.cells["off1"], row.cells["mark"])
            self.rows.setdefault(row.cells["filename"], {}).setdefault(key, (file, row))


def _mentions(
    text: str, rows: dict[tuple[str, str, str], tuple[Path, Row]], problems: Problems
) -> tuple[Mention, ...]:
    """The rows of one document as mentions in the order of the text."""
    found = []
    for file, row in rows.values():
        place = Place(str(file), row.line)
        cells = row.cells
        code = read_code(cells.get("code", ""), (), place, problems)
        found.append(
            read_mention(text, cells["off0"], cells["off1"], code, place, problems, cells["span"])
        )
    kept = (mention for mention in found if mention is not None)
    return tuple(sorted(kept, key=lambda mention: (mention.start, mention.end)))


def _line_ends(
    text: str, rows: dict[tuple[str, str, str], tuple[Path, Row]], path: Path, problems: Problems
) -> str:
    """The text with LF line ends where the offsets were counted on those (a converted copy).

    What tells is which version has more spans that equal their published text; where both have as
    many, as without any row, it is LF. The file is noted either way.
    """
    if "\r\n" not in text:
        return text
    spans = [(row.cells["off0"], row.cells["off1"], row.cells["span"]) for _, row in rows.values()]

    def agreeing(candidate: str) -> int:
        pairs = [(a, b, span) for a, b, span in spans if a.isdecimal() and b.isdecimal()]
        return sum(candidate[int(a) : int(b)] == span for a, b, span in pairs)

    unix = text.replace("\r\n", "\n")
    problems.add(str(path), None, "CRLF", "CRLF", "read as annotated", repaired=True)
    return unix if agreeing(unix) >= agreeing(text) else text


def _note_missing_texts(part: Path, marked: _Marked, problems: Problems) -> None:
    """Mentions that are left have no text file: note each document once, at its first row."""
    for name, rows in marked.rows.items():
        file, row = next(iter(rows.values()))
        remedy = f"add its .txt file to {part / 'text_files'}"
        problems.add(str(file), row.line, shown(name), "missing text file", remedy)
