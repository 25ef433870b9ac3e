"""COMETA: terms of health forums, linked to SNOMED CT (on request, not redistributable).

The corpus gives a term and an example sentence, but no offsets. So each term is looked for in its
example. Only whole words count: "MS" is not in "symptoms". Case makes no difference, nor does the
spacing between tokens, because examples are partly tokenised. Rows with the same example become one
document. Its id is that of the first row.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal
from unicodedata import normalize

from embedlink.corpora.places import Codes, Place, UniqueIds
from embedlink.corpora.spans import in_text_order
from embedlink.files.lines import require_folder, shown
from embedlink.files.rows import Row, read_rows
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
_LETTER = r"[\w\u0300-\u036f\u00ad\u200c\u200d\u2060]"  # a separate accent does not end a word
_INVISIBLE = "\u00ad\u200b\u200c\u200d\u2060\ufeff"
_UNSEEN = dict.fromkeys(map(ord, _INVISIBLE))
_QUOTES = "'‘’ʼ`´"
_ACCESS = "ask for the corpus at https://www.siphs.org/corpus and set its folder"


@dataclass(frozen=True)
class Cometa:
    """One part of the corpus.

    `ids` chooses the literal (general) or the contextual (specific) concept. `occurrences` says
    whether the first or all places count if an example holds its term several times. Documents of
    the part `chv` have no official split, so this part must be divided at random.
    """

    name: str
    folder: str
    part: Part = "stratified_general"
    ids: Literal["general", "specific"] = "general"
    occurrences: Literal["first", "all"] = "all"

    def read(self, problems: Problems) -> Iterator[Document]:
        """Yield one document for each example of each split, in the order of the files.

        An example in two files is a document of each. Dividing keeps both on one side. Raises
        `EmbedLinkError` if the folder or one of the part's files is missing.
        """
        ids = UniqueIds()
        for split, file in self._files().items():
            yield from self._read_split(file, split, ids=ids, problems=problems)

    def _files(self) -> dict[str, Path]:
        """The part's files by split. All are looked for before the first is read."""
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
        # Not strict, because people write quotes and a cell may begin with one.
        read = read_rows(file, columns, problems, delimiter="\t", quoted=True, strict=False)
        rows = list(read)
        codes = Codes.of(row.cells[column] for row in rows)
        for row in rows:
            text, place = row.cells["Example"], Place(str(file), row.line)
            example = examples.setdefault(text, _Example(row.cells["ID"], row.line))
            code = codes.read(row.cells[column], place, problems)
            if code is not None:
                example.mentions += self._mentions(row, code, place, problems)
        for text, example in examples.items():
            id_ = ids.claim(example.id, Place(str(file), example.line), problems)
            # A row that is published twice must not count twice. A set has no fixed order, but
            # of several codes of one span the first must count in every process.
            mentions = in_text_order(list(dict.fromkeys(example.mentions)))
            yield Document(id_, text, mentions=mentions, corpus=self.name, split=split)

    def _mentions(self, row: Row, code: str, place: Place, problems: Problems) -> list[Mention]:
        """The mentions of a row. A term that is absent or stands in several places is noted.

        If there are several places, this is noted even if `occurrences` takes them all, because it
        is not published which of them the annotator meant.
        """
        value, term = shown(row.cells["ID"]), row.cells["Term"]
        spans = locate_term(term, row.cells["Example"])
        if not spans:
            # Counted, not rejected: a user cannot mend the row, so a strict run goes on.
            place.note(
                problems,
                value,
                reason="term absent from its example",
                remedy="left out",
                counted=True,
            )
            return []
        if len(spans) > 1:
            remedy = f"used {self.occurrences} of {len(spans)}"
            place.note(
                problems, value, reason="term occurs several times", remedy=remedy, repaired=True
            )
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

    Only whole words count. The spans are in the order of the example and do not overlap. There is
    none if the term has no tokens, or if the example does not hold it.
    """
    tokens = re.findall(rf"{_LETTER}+|[^\w\s]", term.translate(_UNSEEN))
    if not tokens:
        return []
    pattern = r"\s*".join(map(_token_pattern, tokens))
    # If a term begins or ends with a sign ("t.b."), there is no edge of a word to check.
    before = rf"(?<!{_LETTER})" if re.match(_LETTER, tokens[0]) else ""
    after = rf"(?!{_LETTER})" if re.search(rf"{_LETTER}$", tokens[-1]) else ""
    form = re.compile(before + pattern + after, re.IGNORECASE)
    return [Span(*match.span()) for match in form.finditer(example)]


def _token_pattern(token: str) -> str:
    """A pattern for a word with accents in one character or two, or for a sign or any quote."""
    if token in _QUOTES:
        return f"[{_QUOTES}]"
    forms = dict.fromkeys(normalize(form, token) for form in ("NFC", "NFD"))
    # What is invisible may stand between the letters of a word: "asth\u00adma".
    spelt = (f"[{_INVISIBLE}]*".join(map(re.escape, form)) for form in forms)
    return "(?:" + "|".join(spelt) + ")"
