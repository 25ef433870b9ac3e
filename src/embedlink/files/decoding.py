"""Opens text files, and says what a file is if it is not UTF-8 text.

Every reader opens its files here. So all of them name a wrong encoding as such, and never report it
as a broken table or as malformed JSON.
"""

import codecs
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from embedlink.problems import EmbedLinkError, Problems

_TO_UTF8 = "save the file as UTF-8"
# UTF-32 comes first because its mark begins with the mark of UTF-16.
_MARKS = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)
_OTHER_FILES = (
    (b"PK\x03\x04", "a zip archive or an .xlsx workbook", "unpack it, or export it as CSV"),
    (b"\xd0\xcf\x11\xe0", "an .xls workbook", "export it as CSV in UTF-8"),
    (b"\x1f\x8b", "gzip", "unpack it"),
    (b"SQLite format 3", "an SQLite database", "export what it holds"),
    (b"version https://git-lfs", "a pointer of Git LFS", "fetch the file with `git lfs pull`"),
    (b"%PDF", "a PDF document", "export it as text in UTF-8"),
    (b"{\\rtf", "a document in RTF", "save it as text in UTF-8"),
    (b"PAR1", "a Parquet table", "export it as CSV in UTF-8"),
    (b"<!DOCTYPE html", "a web page", "download the file again, after signing in"),
    (b"<html", "a web page", "download the file again, after signing in"),
)


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """The file, open for reading bytes.

    Raises `EmbedLinkError` if it cannot be opened or read, with the reason of the system.
    """
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise EmbedLinkError(
            f"{path}: cannot be read ({error.strerror}); check its permissions and its disk"
        ) from error


def step_over_mark(file: BinaryIO, path: Path, problems: Problems) -> bool:
    """Step over a byte order mark of UTF-8. False if the file is empty or not UTF-8 text.

    A file that is something else is noted as rejected. A mark is noted as repaired.
    """
    head = file.read(1024)
    file.seek(0)
    if not head:
        problems.add(str(path), None, "0 bytes", "empty file", "supply the file again")
        return False
    if head.startswith(codecs.BOM_UTF8):
        file.seek(len(codecs.BOM_UTF8))
        problems.add(str(path), 1, "BOM", "byte order mark", "none needed", repaired=True)
        return True
    # Much of UTF-16 decodes as UTF-8, with a NUL beside each letter, and would pass for text.
    wide = next((name for mark, name in _MARKS if head.startswith(mark)), _unmarked(head))
    if wide:
        problems.add(str(path), 1, wide, "unknown encoding", _TO_UTF8)
        return False
    for mark, kind, remedy in _OTHER_FILES:
        if head.startswith(mark):
            problems.add(str(path), None, kind, "not a text file", remedy)
            return False
    return True


def _unmarked(head: bytes) -> str:
    """UTF-16 or UTF-32 if the text has no mark but looks like one of them, else ""."""
    nuls = head.count(0)
    if len(head) < 8 or nuls < len(head) * 0.3:
        return ""
    return "UTF-32" if nuls > len(head) * 0.6 else "UTF-16"


def note_undecodable(path: Path, line: int, byte: int, problems: Problems) -> None:
    """Note bytes that are not UTF-8. `byte` counts from 1 within the line."""
    remedy = f"{_TO_UTF8} (it may be in Latin-1 or Windows-1252)"
    problems.add(str(path), line, f"byte {byte}", "unknown encoding", remedy)


def suffix_of(path: Path) -> str:
    """The suffix in lower case, because Windows may write `CONCEPTS.CSV`."""
    return path.suffix.lower()
