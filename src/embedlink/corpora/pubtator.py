"""PubTator files: the NCBI disease corpus, BC5CDR and everything else in that format.

A document has the lines `PMID|t|title` and `PMID|a|abstract`, then one tab-separated mention a
line. Its text is the title, one space, and the abstract
(https://www.ncbi.nlm.nih.gov/CBBresearch/Dogan/DISEASE/). Lines are first gathered into blocks of
one document. Each mention is read after that, because it is checked against the whole text.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path

from embedlink.corpora.places import Codes, Place, UniqueIds
from embedlink.corpora.spans import Annotation, read_mentions
from embedlink.files.lines import Line, read_lines, require_file, shown
from embedlink.problems import Problems
from embedlink.types import Document

_PASSAGE = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)
_KIND = re.compile(r"[A-Za-z][A-Za-z_ -]*")
_ID = re.compile(r"(?=.*\d)[\w.:;,|/>#*+?=-]+|-")
_NUMBER = re.compile(r"\s*-?\d+\s*", re.ASCII)


@dataclass(frozen=True)
class PubTator:
    """A corpus of PubTator files, one for each official split.

    `files` has a path for each official split. `types` keeps mentions of these types only (BC5CDR:
    `[Disease]`). None keeps all types. A mention of several types is kept if one of them is asked
    for. `prefixes` are removed from codes, because a few NCBI codes say `MESH:` and the others do
    not.
    """

    name: str
    files: Mapping[str, str]
    types: Sequence[str] | None = None
    prefixes: Sequence[str] = ("MESH:",)

    def read(self, problems: Problems) -> Iterator[Document]:
        """Yield the documents of each file in the order of `files`.

        Raises `EmbedLinkError` if a file is missing, but only when its turn comes.
        """
        ids = UniqueIds()
        for split, path in self.files.items():
            remedy = f"run `python prepare.py` or correct the path of the {split} part"
            file = require_file(path, remedy)
            # The file is read twice: only all codes together show what they look like.
            codes = Codes.of(_codes_of(read_lines(file, Problems())), self.prefixes)
            part = _Part(file, codes, types=self.types, problems=problems)
            for block in _blocks(read_lines(file, problems)):
                document = self._document(block, split, part=part, ids=ids)
                if document is not None:
                    yield document
            part.note_left_out()

    def _document(
        self, block: "_Block", split: str, part: "_Part", ids: UniqueIds
    ) -> Document | None:
        """The document of a block, with mentions in file order. None if the block has no title."""
        place, problems = Place(str(part.file), block.line), part.problems
        if "t" not in block.passages:
            remedy = "add a line `PMID|t|title`"
            place.note(problems, shown(block.id), reason="block without a title", remedy=remedy)
            return None
        if "a" not in block.passages:
            reason = "block without an abstract"
            place.note(
                problems, shown(block.id), reason=reason, remedy="read as empty", repaired=True
            )
        title = block.passages["t"]
        text = f"{title} {block.passages.get('a', '')}"
        found = [part.annotation(line, block.id) for line in block.rows]
        annotations = [each for each in found if each is not None]
        named = Place(str(part.file), block.line, shown(block.id))
        mentions = read_mentions(text, annotations, place=named, problems=problems, join=len(title))
        if mentions is None:
            return None
        kept = tuple(mention for mention in mentions if mention is not None)
        return Document(
            ids.claim(block.id, place, problems), text, mentions=kept, corpus=self.name, split=split
        )


@dataclass(slots=True)
class _Part:
    """One file, and what is left out of it on purpose: relations, and types not asked for."""

    file: Path
    codes: Codes
    types: Sequence[str] | None
    problems: Problems
    left_out: Counter[str] = field(default_factory=Counter)
    first: dict[str, int] = field(default_factory=dict)

    def annotation(self, line: Line, id_: str) -> Annotation | None:
        """The mention of a line. None if it is wrong, of another type, or a relation."""
        place = Place(str(self.file), line.number)
        cells = line.text.split("\t")
        if _is_relation(cells):
            self._leave_out("relations", line)
            return None
        if not 5 <= len(cells) <= 7:
            remedy = "a mention has PMID, start, end, text, type and id, separated by TAB"
            place.note(
                self.problems, f"{len(cells)} cells", reason="wrong number of cells", remedy=remedy
            )
            return None
        # Its offsets may lie inside this text, but at words that it does not mean.
        if cells[0].strip() != id_:
            remedy = f"belongs below the title of its own document, not of {shown(id_)}"
            place.note(
                self.problems, shown(cells[0]), reason="mention of another document", remedy=remedy
            )
            return None
        # Asked before code and offsets are read: types that nobody wants may hold errors.
        if not self._asked_for(cells[4]):
            self._leave_out("mentions of other types", line)
            return None
        # A mention may lack its id. A seventh cell (names of parts) is not read.
        code = self.codes.read(cells[5] if len(cells) > 5 else "", place, self.problems)
        return Annotation(cells[1], cells[2], code=code, place=place, surface=cells[3])

    def _asked_for(self, types: str) -> bool:
        """Whether one of an annotation's types is among those that are read."""
        if self.types is None:
            return True
        asked = [self.types] if isinstance(self.types, str) else self.types
        wanted = {each for one in asked for each in _types_of(one)}
        return types.strip().casefold() in wanted or not wanted.isdisjoint(_types_of(types))

    def _leave_out(self, what: str, line: Line) -> None:
        self.left_out[what] += 1
        self.first.setdefault(what, line.number)

    def note_left_out(self) -> None:
        """Count what was left out: one problem for each kind, at its first line."""
        for what, count in self.left_out.items():
            remedy = "left out on purpose; see `types`" if "types" in what else "left out"
            place = Place(str(self.file), self.first[what])
            place.note(self.problems, f"{count} lines", reason=what, remedy=remedy, counted=True)


def _types_of(types: str) -> list[str]:
    """The types of a cell that lists several, in small letters."""
    return [each.strip() for each in re.split("[,;|/]", types.casefold()) if each.strip()]


def _is_relation(cells: Sequence[str]) -> bool:
    """Whether a line relates two identifiers, as in BC5CDR (4 cells) and BioRED (5).

    The second cell of such a line names the relation, and the two cells after it are identifiers. A
    mention has its offsets in these places. If columns are shuffled, two numbers still stand side
    by side.
    """
    if not 4 <= len(cells) <= 7 or _NUMBER.fullmatch(cells[1]):
        return False
    if len(cells) == 4:
        return True
    numbers = [_NUMBER.fullmatch(cell) is not None for cell in cells]
    pairs = pairwise(numbers[3:])
    ids = all(_ID.fullmatch(cell.strip()) for cell in cells[2:4])
    return ids and _KIND.fullmatch(cells[1].strip()) is not None and not any(map(all, pairs))


def _codes_of(lines: Iterator[Line]) -> Iterator[str]:
    """The codes of all mentions, unchecked."""
    for line in lines:
        cells = line.text.split("\t")
        if len(cells) > 5:
            yield cells[5]


@dataclass(slots=True)
class _Block:
    """The lines of one document before they are understood.

    `line` is the number of the first line. `passages` holds title and abstract, by `t` and `a`.
    """

    id: str
    line: int
    passages: dict[str, str] = field(default_factory=dict)
    rows: list[Line] = field(default_factory=list)


def _blocks(lines: Iterator[Line]) -> Iterator[_Block]:
    """Group lines into documents.

    A document ends at a blank line, or at a second title or abstract. The latter is needed for
    files without blank lines. The id of a block is that of its first line.
    """
    block: _Block | None = None
    for line in lines:
        passage = _PASSAGE.match(line.text)
        ended = not line.text.strip()
        if block and (ended or (passage and passage[2] in block.passages)):
            yield block
            block = None
        if ended:
            continue
        id_ = passage[1].strip() if passage else line.text.split("\t")[0].strip()
        if block is None:
            block = _Block(id_, line.number)
        if passage:
            block.passages[passage[2]] = passage[3]
        else:
            block.rows.append(line)
    if block:
        yield block
