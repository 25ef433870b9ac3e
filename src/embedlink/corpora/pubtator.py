"""PubTator files: the NCBI disease corpus, BC5CDR and everything else in that format.

`PMID|t|title`, `PMID|a|abstract`, then one tab-separated mention a line; the document's text is
the title, one space, and the abstract (https://www.ncbi.nlm.nih.gov/CBBresearch/Dogan/DISEASE/).
Lines are first gathered into blocks of one document; only then is each mention read, as it is
checked against the whole text.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from embedlink.corpora.spans import Place, UniqueIds, read_code, read_mention
from embedlink.files.lines import Line, read_lines, require_file, shown
from embedlink.problems import Problems
from embedlink.types import Document, Mention

_PASSAGE = re.compile(r"([^|\t]+)\|([ta])\|(.*)", re.DOTALL)


@dataclass(frozen=True)
class PubTator:
    """A corpus of PubTator files, one for each official split.

    `files` has a path for each official split. `types` keeps mentions of these types only (BC5CDR:
    `[Disease]`), None those of all types; `prefixes` are removed from codes, because a few NCBI
    codes say `MESH:` and the others do not.
    """

    name: str
    files: Mapping[str, str]
    types: Sequence[str] | None = None
    prefixes: Sequence[str] = ("MESH:",)

    def read(self, problems: Problems) -> Iterator[Document]:
        """Yield the documents of each file in the order of `files`.

        Raises `EmbedLinkError` when the turn of a missing file comes.
        """
        ids = UniqueIds()
        for split, path in self.files.items():
            remedy = f"run `python prepare.py` or correct the path of the {split} part"
            file = require_file(path, remedy)
            for block in _blocks(read_lines(file, problems)):
                document = self._document(block, split, file, ids, problems)
                if document is not None:
                    yield document

    def _document(
        self, block: "_Block", split: str, file: Path, ids: UniqueIds, problems: Problems
    ) -> Document | None:
        """The document of a block, mentions in the order of the file; None without a title."""
        place = Place(str(file), block.line)
        if "t" not in block.passages:
            place.note(
                problems, shown(block.id), "block without a title", "add a line `PMID|t|title`"
            )
            return None
        if "a" not in block.passages:
            place.note(
                problems,
                shown(block.id),
                "block without an abstract",
                "read as empty",
                repaired=True,
            )
        text = f"{block.passages['t']} {block.passages.get('a', '')}"
        mentions = [self._mention(line, block.id, text, file, problems) for line in block.rows]
        id_ = ids.claim(block.id, place, problems)
        kept = tuple(mention for mention in mentions if mention is not None)
        return Document(id_, text, kept, self.name, split)

    def _mention(
        self, line: Line, id_: str, text: str, file: Path, problems: Problems
    ) -> Mention | None:
        """The mention of a line; None where it is wrong, of another type, or a relation."""
        place = Place(str(file), line.number)
        cells = line.text.split("\t")
        if len(cells) == 4 and not cells[1].strip().isdigit():  # a relation, as in BC5CDR
            return None
        if not 5 <= len(cells) <= 7:
            remedy = "a mention has PMID, start, end, text, type and id, separated by TAB"
            place.note(problems, f"{len(cells)} cells", "wrong number of cells", remedy)
            return None
        # Its offsets may well lie inside this text, at words that it does not mean.
        if cells[0] != id_:
            remedy = f"belongs below the title of its own document, not of {shown(id_)}"
            place.note(problems, shown(cells[0]), "mention of another document", remedy)
            return None
        # Before code and offsets are read: types that nobody asked for need not be right.
        if self.types is not None and cells[4] not in self.types:
            return None
        # A mention may have no id at all, and a seventh cell that is not read (names of parts).
        raw = cells[5] if len(cells) > 5 else ""
        code = read_code(raw, tuple(self.prefixes), place, problems)
        return read_mention(text, cells[1], cells[2], code, place, problems, cells[3])


@dataclass(slots=True)
class _Block:
    """The lines of one document before they are understood.

    `line` is that of the first one; `passages` are title and abstract, by `t` and `a`.
    """

    id: str
    line: int
    passages: dict[str, str] = field(default_factory=dict)
    rows: list[Line] = field(default_factory=list)


def _blocks(lines: Iterator[Line]) -> Iterator[_Block]:
    """Group lines into documents: at blank lines, and at a title or abstract where one is there.

    The latter parts files without blank lines. A block's id is that of its first line.
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
        id_ = passage[1].strip() if passage else line.text.split("\t")[0]
        if block is None:
            block = _Block(id_, line.number)
        if passage:
            block.passages[passage[2]] = passage[3]
        else:
            block.rows.append(line)
    if block:
        yield block
