"""Notes without annotations: text that an encoder learns from before the annotated mentions.

Nothing of it is kept beyond what the weights learn.
"""

from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pandas.errors import EmptyDataError, ParserError

from embedlink.files.paths import resolve
from embedlink.problems import EmbedLinkError

FORMS = "a folder of .txt files, or a .jsonl, .parquet, .csv or .tsv file with a column `text`"
COLUMN = "text"


def read_notes(path: str | Path) -> list[str]:
    """The texts of a folder or of a table's rows.

    A folder's files come in the order of their paths, subfolders included. Empty texts are left
    out. Raises `EmbedLinkError` if the path is missing, has no known form, has no column `text`, or
    holds no text.
    """
    source = resolve(path)
    if not source.exists():
        raise EmbedLinkError(f"data.unlabelled={path}: no such file or folder; give {FORMS}")
    found = _folder(source) if source.is_dir() else _table(source)
    texts = [text for text in found if text.strip()]
    if not texts:
        raise EmbedLinkError(f"data.unlabelled={path}: holds no text; give {FORMS}")
    return texts


def _folder(folder: Path) -> Iterator[str]:
    for file in sorted(folder.rglob("*")):
        if file.is_file() and file.suffix.lower() == ".txt":
            # If some of many notes are in an older encoding, that is no reason to stop.
            yield file.read_text(encoding="utf-8-sig", errors="replace")


def _table(file: Path) -> Iterator[str]:
    try:
        table = _read(file)
    except (ValueError, OSError, EmptyDataError, ParserError) as error:
        # The original error is hidden, because a parser may quote the file's text.
        raise EmbedLinkError(
            f"data.unlabelled={file}: cannot be read ({type(error).__name__}); give {FORMS}"
        ) from None
    if COLUMN not in table.columns:
        raise EmbedLinkError(f"data.unlabelled={file}: has no column `{COLUMN}`; give {FORMS}")
    return (text for text in table[COLUMN].tolist() if isinstance(text, str))


def _read(file: Path) -> pd.DataFrame:
    match file.suffix.lower():
        case ".jsonl":
            return pd.read_json(file, lines=True, dtype=False, convert_dates=False)
        case ".parquet":
            return pd.read_parquet(file, columns=None)
        case ".csv":
            return pd.read_csv(file, dtype=str, keep_default_na=False)
        case ".tsv":
            return pd.read_csv(file, dtype=str, keep_default_na=False, sep="\t", quoting=3)
    raise EmbedLinkError(
        f"data.unlabelled={file}: {file.suffix or 'no suffix'} is not read; give {FORMS}"
    )
