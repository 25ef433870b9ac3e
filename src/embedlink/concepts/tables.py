"""Concept tables and SNOMED CT releases turned into MedCAT concept databases.

MedCAT's own `CDBMaker` adds the names. It is fed in portions: a table of millions of rows as one
data frame would need more memory than the database that comes out of it.

A `config` says how names are prepared, and stays with the database; without one they are prepared
by MedCAT's defaults and its regex tokenizer.
"""

import logging
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any, cast

import pandas as pd
from medcat.cdb import CDB
from medcat.config import Config
from medcat.model_creation.cdb_maker import CDBMaker
from medcat.model_creation.preprocess_snomed import Snomed
from medcat.tokenizing.tokenizers import BaseTokenizer
from tqdm import tqdm

from embedlink.files.lines import shown
from embedlink.files.rows import Row, read_rows
from embedlink.plugin import TAGGING, TOKENIZER
from embedlink.problems import EmbedLinkError, Problems

COLUMNS = ("cui", "name", "ontologies", "name_status", "type_ids", "description")
"""The columns of MedCAT's CDB maker; only the first two must be there."""
_PORTION = 20_000  # rows given to MedCAT at a time
_STATUSES = frozenset({"A", "P", "N", ""})


def read_table(path: Path, problems: Problems, config: Config | None) -> CDB:
    """Build a concept database from a comma-separated (or `.tsv`) concept table.

    MedCAT upper-cases CUIs here; `align_codes` makes the gold codes agree. Bad rows are noted in
    `problems`; a table without any good one gives an empty database, which `load_cdb` refuses.
    """
    delimiter = "\t" if path.suffix == ".tsv" else ","
    quoted = path.suffix != ".tsv"
    rows = read_rows(path, COLUMNS[:2], problems, delimiter=delimiter, quoted=quoted)
    maker = _maker(config)
    letters = maker.config.cdb_maker.min_letters_required
    checked = _check(path, rows, letters, problems)
    with tqdm(desc=f"concepts of {path.name}", unit=" names", disable=None) as progress:
        while portion := list(islice(checked, _PORTION)):
            maker.prepare_csvs([pd.DataFrame(portion, columns=list(COLUMNS))])
            progress.update(len(portion))
    return _finish(maker, config)


def read_release(folder: Path, config: Config | None) -> CDB:
    """Build a concept database from an RF2 release through MedCAT's own preprocessing.

    `folder` is the `SnomedCT_*` folder of a release, or a folder that holds one or several.
    MedCAT adds fully specified names without their semantic tag as well (its setting
    `cdb_maker.remove_parenthesis`): nobody writes "Asthma (disorder)" in a note. Raises
    `EmbedLinkError` when MedCAT cannot read the release, for whatever reason.
    """
    try:
        table = _release_table(str(folder))
    except Exception as error:  # MedCAT raises whatever the missing file or column leads to
        raise EmbedLinkError(
            f"{folder}: not a SNOMED CT release that MedCAT can read ({type(error).__name__}); "
            "unpack the release as published, in its SnomedCT_<edition>_<status>_<date> folder"
        ) from error
    table["type_ids"] = table["type_ids"].astype(str)  # numbers, where CDBMaker expects text
    table["description"] = ""
    maker = _maker(config)
    with tqdm(total=len(table), desc="concepts of the release", unit=" names", disable=None) as bar:
        for start in range(0, len(table), _PORTION):
            maker.prepare_csvs([table.iloc[start : start + _PORTION][list(COLUMNS)]])
            bar.update(min(_PORTION, len(table) - start))
    return _finish(maker, config)


def name_tokenizer(config: Config) -> BaseTokenizer:
    """The tokenizer that MedCAT prepares names with: it also marks punctuation to be skipped.

    A configuration from a model pack with a spaCy model needs the loaded pack's own instead
    (`cat.pipeline.tokenizer_with_tag`).
    """
    return _maker(config).pipeline.tokenizer_with_tag


def split_words(config: Config) -> None:
    """Let names and texts be split by EmbedLink's tokenizer in place of MedCAT's regex one.

    MedCAT's loses letters that are not a to z at the start of a word. A configuration with another
    tokenizer, or other tagging, stays as it is. Changes the configuration in place.
    """
    if (config.general.nlp.provider, config.components.tagging.comp_name) == ("regex", "default"):
        config.general.nlp.provider = TOKENIZER
        config.components.tagging.comp_name = TAGGING


def _release_table(folder: str) -> pd.DataFrame:
    """MedCAT's concept table of a release; typed here, as MedCAT's class is not."""
    snomed: Any = Snomed
    return cast(pd.DataFrame, snomed(folder).to_concept_df())


def _check(
    path: Path, rows: Iterator[Row], letters: int, problems: Problems
) -> Iterator[tuple[str, ...]]:
    """Yield rows in the order of `COLUMNS`; note those that name no concept."""
    short, first = 0, None
    for line, cells in rows:
        row = tuple(cells.get(column, "").strip() for column in COLUMNS)
        status = row[3].upper()
        if not row[0] or not row[1]:
            what = "cui" if not row[0] else "name"
            problems.add(str(path), line, shown(row[0]), f"empty {what}", "fill it in")
        elif letters and len(re.sub("[^A-Za-z]", "", row[1])) < letters:
            short, first = short + 1, first or line  # MedCAT leaves them out, with a log line each
        else:
            if status not in _STATUSES:
                remedy = "read as A, as MedCAT does"
                problems.add(
                    str(path), line, shown(row[0]), "unknown name_status", remedy, repaired=True
                )
            yield row
    if short:
        reason = f"names with fewer than {letters} letters"
        problems.add(
            str(path), first, f"{short} names", reason, "MedCAT leaves them out", counted=True
        )


def _maker(config: Config | None) -> CDBMaker:
    """A maker that takes over how names are prepared, and nothing else.

    The user's linker stays out: the maker would otherwise set it up on an empty database.
    """
    own = Config()
    split_words(own)
    if config is not None:
        own.general = config.general.model_copy(deep=True)
        own.preprocessing = config.preprocessing.model_copy(deep=True)
        own.cdb_maker = config.cdb_maker.model_copy(deep=True)
        own.components.tagging = config.components.tagging.model_copy(deep=True)
    level = own.general.log_level
    own.general.log_level = max(level, logging.WARNING)  # it reports progress line by line
    maker = CDBMaker(own)
    own.general.log_level = level
    return maker


def _finish(maker: CDBMaker, config: Config | None) -> CDB:
    """The database, under the user's configuration."""
    if config is not None:
        maker.cdb.config = config
    return maker.cdb
