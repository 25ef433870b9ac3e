"""Concept tables and SNOMED CT releases turned into MedCAT concept databases.

MedCAT's own `CDBMaker` adds the names. It is fed in portions: a table of millions of rows as one
data frame would need more memory than the database that comes out of it.

A `config` says how names are prepared, and stays with the database; without one they are prepared
by MedCAT's defaults and its regex tokenizer.
"""

import logging
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pandas as pd
from medcat.cdb import CDB
from medcat.config import Config
from medcat.model_creation.cdb_maker import CDBMaker
from medcat.tokenizing.tokenizers import BaseTokenizer
from tqdm import tqdm

from embedlink.concepts.release import read_release
from embedlink.concepts.rows import COLUMNS, ConceptRow, table_rows
from embedlink.plugin import TAGGING, TOKENIZER
from embedlink.problems import Problems

_PORTION = 20_000  # rows given to MedCAT at a time


def read_table(path: Path, problems: Problems, config: Config | None) -> CDB:
    """Build a concept database from a comma-separated (or `.tsv`) concept table.

    MedCAT upper-cases CUIs here; `align_codes` makes the gold codes agree. Bad rows are noted in
    `problems`; a table without any good one gives an empty database, which `load_cdb` refuses.
    """
    maker = _maker(config)
    rows = table_rows(path, maker.config.cdb_maker.min_letters_required, problems)
    return _build(maker, rows, f"concepts of {path.name}", config)


def read_snomed(folder: Path, language: str, problems: Problems, config: Config | None) -> CDB:
    """Build a concept database from RF2 releases of SNOMED CT, see `release.read_release`.

    MedCAT adds fully specified names without their semantic tag as well (its setting
    `cdb_maker.remove_parenthesis`): nobody writes "Asthma (disorder)" in a note.
    """
    rows = read_release(folder, language, problems)
    return _build(_maker(config), rows, "concepts of the release", config)


def _build(maker: CDBMaker, rows: Iterator[ConceptRow], what: str, config: Config | None) -> CDB:
    """The database of all rows, under the user's configuration."""
    with tqdm(desc=what, unit=" names", disable=None) as progress:
        while portion := list(islice(rows, _PORTION)):
            maker.prepare_csvs([pd.DataFrame(portion, columns=list(COLUMNS))])
            progress.update(len(portion))
    if config is not None:
        maker.cdb.config = config
    return maker.cdb


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
