"""COMETA: terms of health forums, linked to SNOMED CT (on request, not redistributable).

The corpus gives a term and an example sentence but no offsets, so each term is looked for in
its example: without regard to case, with any spacing between its tokens (examples are partly
tokenised), at word boundaries first and inside a word only where there is no other place.
Rows with the same example become one document, whose id is the first row's.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from embedlink.corpora.spans import Place, UniqueIds, read_code
from embedlink.files.lines import Row, read_rows, require_folder, shown
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document, Mention, Span

Part = Literal[
    "random",
    "stratified_general",
    "stratified_specific",
    "zeroshot_general",
    "zeroshot_specific",
    "chv",
]
"""A named split under `splits/`, or `chv.csv`, the one file with every row."""
_FILES = {"train": "train.csv", "validation": "dev.csv", "test": "test.csv"}
_ACCESS = "ask for the corpus at https://www.siphs.org/corpus and set its folder"


@dataclass(frozen=True)
class Cometa:
    """One part of the corpus.

    `ids` chooses the literal (general) or the contextual (specific) concept; `occurrences` is
    `first` or `all` where an example holds its term several times. Documents of the part `chv`
    have no official split: it must be divided at random.
    """

    name: str
    folder: str
    part: Part = "stratified_general"
    ids: Literal["general", "specific"] = "general"
    occurrences: Literal["first", "all"] = "all"

    def read(self, problems: Problems) -> Iterator[Document]:
        """Yield one document for each example of each split, in the order of the files.

        An example in two files is a document of each; dividing keeps them off two sides. Raises
        `EmbedLinkError` when the folder or one of the part's files is missing.
        """
        ids = UniqueIds()
        for split, file in self._files().items():
            yield from self._read_split(file, split, ids, problems)

    def _files(self) -> dict[str, Path]:
        """The part's files by split; all are looked for before the first is read."""
        folder = require_folder(self.folder, _ACCESS)
        if self.part == "chv":
            files = {"": folder / "chv.csv"}
        else:
            files = {split: folder / "splits" / self.part / name for split, name in _FILES.items()}
        missing = [str(path) for path in files.values() if not path.is_file()]
        if missing:
            raise EmbedLinkError(f"{', '.join(missing)}: no such file; {_ACCESS}")
        return files

    def _read_split(
        self, file: Path, split: str, ids: UniqueIds, problems: Problems
    ) -> Iterator[Document]:
        """The documents of one file, which is read whole: an example's rows may lie far apart."""
        column = f"{self.ids.capitalize()} SNOMED ID"
        columns = ("ID", "Term", column, "Example")
        examples: dict[str, _Example] = {}
        # Not strict: people write quotes, and a cell may begin with one.
        rows = read_rows(file, columns, problems, delimiter="\t", quoted=True, strict=False)
        for row in rows:
            text = row.cells["Example"]
            example = examples.setdefault(text, _Example(row.cells["ID"], row.line))
            example.mentions += self._mentions(row, column, Place(str(file), row.line), problems)
        for text, example in examples.items():
            id_ = ids.claim(example.id, Place(str(file), example.line), problems)
            # A row that is published twice must not count its mention twice. No set: of the codes
            # of one span the first counts, in every process.
            once = dict.fromkeys(example.mentions)
            kept = tuple(sorted(once, key=lambda each: (each.start, each.end)))
            yield Document(id_, text, kept, self.name, split)

    def _mentions(self, row: Row, column: str, place: Place, problems: Problems) -> list[Mention]:
        """Every row is accounted for: located, located several times, or absent.

        Several places are noted even where `occurrences` takes them all: which of them the
        annotator meant is not published.
        """
        value, term = shown(row.cells["ID"]), row.cells["Term"]
        spans = locate_term(term, row.cells["Example"])
        code = read_code(row.cells[column], (), place, problems)
        if not spans:
            # Counted, not rejected: nothing in the row can be mended, so a strict run goes on.
            problems.add(
                place.file,
                place.line,
                value,
                "term absent from its example",
                "left out",
                counted=True,
            )
            return []
        if len(spans) > 1:
            remedy = f"used {self.occurrences} of {len(spans)}"
            place.note(problems, value, "term occurs several times", remedy, repaired=True)
        used = spans if self.occurrences == "all" else spans[:1]
        return [Mention(span.start, span.end, code) for span in used]


@dataclass(slots=True)
class _Example:
    """The rows of one example: the id and line of the first, and the mentions of all."""

    id: str
    line: int
    mentions: list[Mention] = field(default_factory=list)


def locate_term(term: str, example: str) -> list[Span]:
    """Where a term stands in its example, whatever the case and the spacing of its tokens.

    The spans are in the order of the example and do not overlap. There is none for a term without
    tokens, or one that the example does not hold.
    """
    tokens = re.findall(r"\w+|[^\w\s]", term)
    if not tokens:
        return []
    pattern = r"\s*".join(map(re.escape, tokens))
    # A term that begins or ends with a sign ("t.b.") has no word's edge there to ask for.
    before = r"(?<!\w)" if re.match(r"\w", tokens[0]) else ""
    after = r"(?!\w)" if re.match(r"\w", tokens[-1]) else ""
    # Whole words first: the "flu" of "influenza or flu" is its last word.
    for form in (before + pattern + after, pattern):
        spans = [Span(*match.span()) for match in re.finditer(form, example, re.IGNORECASE)]
        if spans:
            return spans
    return []
