"""Adds names to a concept database: surfaces of training mentions, or another database's names.

Enrich after the split. A database that knows the surfaces of test mentions knows the answers.
"""

from collections.abc import Iterable

from medcat.cdb import CDB
from medcat.preprocessors.cleaners import prepare_name
from medcat.tokenizing.tokenizers import BaseTokenizer
from tqdm import tqdm

from embedlink.concepts.rows import MOST_NAME
from embedlink.concepts.tables import name_tokenizer
from embedlink.types import Document


def enrich_cdb(
    cdb: CDB,
    documents: Iterable[Document],
    tokenizer: BaseTokenizer | None = None,
    new_concepts: bool = False,
) -> list[tuple[str, str]]:
    """Add the mentions' surfaces as names of their concepts. Returns the new (name, CUI) pairs.

    This is the part of MedCAT's supervised training (`Trainer.train_supervised_raw`) that changes
    the database. A mention counts if exactly one concept is known. If the database lacks that
    concept, the mention counts only with `new_concepts`, as it does in MedCAT. Surfaces longer than
    `MOST_NAME` are left out.

    `tokenizer` defaults to the one of the database's configuration. `cdb` is changed in place. The
    pairs come in the order of the documents, each once. A second call adds none.
    """
    nlp = tokenizer or name_tokenizer(cdb.config)
    configs = (cdb.config.general, cdb.config.preprocessing, cdb.config.cdb_maker)
    added: list[tuple[str, str]] = []
    for document in tqdm(documents, desc="names of mentions", unit=" documents", disable=None):
        for mention in document.mentions:
            cui = mention.cui
            if cui is None or not (new_concepts or cui in cdb.cui2info):
                continue
            # A mention as long as a note is no name, and MedCAT's work grows with its square.
            if mention.end - mention.start > MOST_NAME:
                continue
            surface = document.text[mention.start : mention.end]
            names = prepare_name(surface, nlp, {}, configs)
            if not names:
                continue
            # Asked before they are added, because afterwards none of them would be new.
            added += [
                (name, cui)
                for name in names
                if name not in cdb.name2info or cui not in cdb.name2info[name]["per_cui_status"]
            ]
            # Known names are added again, because MedCAT's training also counts them each time.
            cdb._add_concept(cui, names, set(), "A", set(), "", full_build=True)
    return added


def add_names(cdb: CDB, source: CDB, tokenizer: BaseTokenizer) -> int:
    """Add the names that `source` has and this database lacks. Returns how many (name, CUI) pairs.

    An example is a run's pack beside the database that the run began with: it has the names that
    `enrich_cdb` added. `tokenizer` is that of this database's pack, which may split names in
    another way. `cdb` is changed in place. If it lacks a concept, the concept is added with its
    names.
    """
    configs = (cdb.config.general, cdb.config.preprocessing, cdb.config.cdb_maker)
    added = 0
    for prepared, info in source.name2info.items():
        text = prepared.replace(source.config.general.separator, " ")
        for cui in sorted(info["per_cui_status"]):
            if prepared in cdb.name2info and cui in cdb.name2info[prepared]["per_cui_status"]:
                continue
            names = prepare_name(text, tokenizer, {}, configs)
            # The text is in lower case by now, so the capitals of a name are noted here.
            upper = {
                name: (cdb if name in cdb.name2info else source).name2info[name]["is_upper"]
                for name in names
                if name in cdb.name2info or name in source.name2info
            }
            cdb._add_concept(cui, names, set(), "A", set(), "", full_build=True)
            for name, is_upper in upper.items():
                cdb.name2info[name]["is_upper"] = is_upper
            added += bool(names)
    return added
