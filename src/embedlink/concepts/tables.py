"""Concept tables and SNOMED CT releases turned into MedCAT concept databases.

MedCAT's own `CDBMaker` adds the names. It gets them in portions, because a data frame of millions
of rows would need more memory than the finished database.

A `config` says how names are prepared, and stays with the database. Without one, names are prepared
by MedCAT's defaults and EmbedLink's tokenizer.
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

    MedCAT upper-cases CUIs here, and `align_codes` adapts the gold codes. Bad rows are noted in
    `problems`. A table without any good row gives an empty database, which `load_cdb` refuses.
    """
    maker = _maker(config)
    rows = table_rows(path, maker.config.cdb_maker.min_letters_required, problems)
    return _build(maker, rows, what=f"concepts of {path.name}", config=config)


def read_snomed(folder: Path, language: str, problems: Problems, config: Config | None) -> CDB:
    """Build a concept database from RF2 releases of SNOMED CT, see `release.read_release`.

    MedCAT also adds each fully specified name without its semantic tag (its setting
    `cdb_maker.remove_parenthesis`), because nobody writes "Asthma (disorder)" in a note.
    """
    rows = read_release(folder, language, problems)
    return _build(_maker(config), rows, what="concepts of the release", config=config)


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
    """The tokenizer that MedCAT prepares names with. It also marks punctuation to be skipped.

    If a configuration comes from a model pack with a spaCy model, use the loaded pack's own
    tokenizer instead (`cat.pipeline.tokenizer_with_tag`).
    """
    return _maker(config).pipeline.tokenizer_with_tag


def split_words(config: Config) -> None:
    """Let EmbedLink's tokenizer split names and texts in place of MedCAT's regex tokenizer.

    MedCAT's tokenizer loses a letter at the start of a word if it is not one of a to z. If the
    configuration has another tokenizer or other tagging, it stays as it is. Changes the
    configuration in place.
    """
    if (config.general.nlp.provider, config.components.tagging.comp_name) == ("regex", "default"):
        config.general.nlp.provider = TOKENIZER
        config.components.tagging.comp_name = TAGGING


def _maker(config: Config | None) -> CDBMaker:
    """A maker that takes over how names are prepared, and nothing else of the configuration.

    Otherwise the maker would set up the user's linker on an empty database.
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
