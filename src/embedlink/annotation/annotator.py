"""Turns tables of notes into tables of links, with a pack that each process loads once.

`Annotator` is a function over an iterator of tables, as `mapInPandas` of Spark calls it:

    frames.mapInPandas(Annotator("pack", id_column="note_id"), SPARK_SCHEMA)

The parts of `annotate.py` go through the same function.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd
from medcat.cat import CAT

from embedlink.files.digests import digest_of_folder
from embedlink.medcat.pack import load_pack, pack_folder
from embedlink.problems import EmbedLinkError

ERROR = "error"
"""The column of a note's error. A table that comes in may have it too."""
COLUMNS: Mapping[str, str] = {
    "note_id": "string",
    "start": "Int64",  # characters of the note's text
    "end": "Int64",
    "cui": "string",
    "name": "string",  # of the concept
    "probability": "Float64",  # that the link is right, in [0, 1]
    "similarity": "Float64",  # cosine, in [-1, 1]
    "pack": "string",  # digest
    ERROR: "string",
    "text": "string",  # only with `include_text`
}
"""The columns of a table of links, with pandas' types. A row is a link, or a note's error."""
_SPARK = {"string": "string", "Int64": "long", "Float64": "double"}
SPARK_SCHEMA = ", ".join(f"{name} {_SPARK[kind]}" for name, kind in COLUMNS.items())
"""The columns as Spark writes a schema."""


class LoadedPack(NamedTuple):
    """A pack of this process, and the digest of its folder."""

    cat: CAT
    digest: str


@dataclass(frozen=True)
class Annotator:
    """Annotates tables of notes. It is small and can be sent to other processes.

    `pack` is a folder or zip that every process can read. Without an `id_column` the number of the
    row in its table is the id. With `include_text` a row holds the text of the link's span.
    """

    pack: str
    text_column: str = "text"
    id_column: str | None = None
    include_text: bool = False

    def __call__(self, frames: Iterable[pd.DataFrame]) -> Iterator[pd.DataFrame]:
        """One table of links for each table of notes, with the columns of `COLUMNS`.

        A note without links gives no row. A note that is no text, or that fails, gives one row with
        its error. Raises `EmbedLinkError` if the pack cannot be loaded or a column is missing.
        """
        pack = loaded_pack(self.pack)
        for frame in frames:
            yield self._links(pack, frame)

    def _links(self, pack: LoadedPack, frame: pd.DataFrame) -> pd.DataFrame:
        for column in filter(None, (self.text_column, self.id_column)):
            if column not in frame.columns:
                raise EmbedLinkError(f"the table of notes has no column {column}")
        ids = frame[self.id_column] if self.id_column else frame.index
        errors = frame[ERROR] if ERROR in frame.columns else [None] * len(frame)
        rows: list[dict[str, object]] = []
        for note_id, text, error in zip(ids, frame[self.text_column], errors, strict=True):
            for row in self._of_note(pack.cat, text, error):
                rows.append(row | {"note_id": _storable(str(note_id)), "pack": pack.digest})
        return pd.DataFrame(rows, columns=list(COLUMNS)).astype(dict(COLUMNS))

    def _of_note(self, cat: CAT, text: object, error: object) -> list[dict[str, object]]:
        if isinstance(error, str):
            return [{ERROR: _storable(error)}]
        if not isinstance(text, str):
            return [{ERROR: f"its text is a {type(text).__name__}, not a string"}]
        try:
            found = cat.get_entities(text).get("entities", {}).values()
        except Exception as failure:  # One note never ends the work on all others.
            return [{ERROR: _described(failure)}]
        links = sorted(found, key=lambda each: (each["start"], each["end"], each["cui"]))
        return [self._row(text, link) for link in links]

    def _row(self, text: str, link: Mapping[str, Any]) -> dict[str, object]:
        row: dict[str, object] = {
            "start": link["start"],
            "end": link["end"],
            "cui": link["cui"],
            "name": link["pretty_name"],
            "probability": link["acc"],
            "similarity": link["context_similarity"],
        }
        if self.include_text:
            row["text"] = _storable(text[link["start"] : link["end"]])
        return row


@cache
def loaded_pack(pack: str) -> LoadedPack:
    """The pack, loaded when this process first asks for it. Raises `EmbedLinkError` if it cannot.

    A pack that changes on disk later is not read again.
    """
    folder = pack_folder(Path(pack))
    return LoadedPack(load_pack(folder), digest_of_folder(folder))


def _described(error: Exception) -> str:
    """What failed, without the note's text: only our own messages never quote it."""
    said = f": {error}" if isinstance(error, EmbedLinkError) else ""
    return f"{type(error).__name__}{said}"


def _storable(text: str) -> str:
    """The text with lone surrogates, which no file can hold, written as `\\udc80`."""
    return text.encode("utf-8", "backslashreplace").decode()
