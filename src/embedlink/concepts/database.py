"""Concept databases in every form that users have, and how they meet the gold codes.

A run loads the database, spells the gold codes as it does (`align_codes`), refuses one of another
vocabulary (`check_overlap`), and adds the surfaces of training mentions (`enrich_cdb`). The last
comes after the split: with the surfaces of test mentions in the database, each would be a name.
"""

import dataclasses
import re
import tempfile
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from medcat.cdb import CDB
from medcat.config import Config
from medcat.preprocessors.cleaners import prepare_name
from medcat.tokenizing.tokenizers import BaseTokenizer
from tqdm import tqdm

from embedlink.concepts.tables import name_tokenizer, read_release, read_table
from embedlink.files.lines import shown
from embedlink.files.paths import resolve
from embedlink.types import NO_CONCEPT, Document, EmbedLinkError, Mention, Problems

Kind = Literal["model pack", "cdb", "table", "release"]
_FORMS = (
    "a MedCAT model pack (folder or zip), a serialised CDB, a concept table (.csv, .tsv), "
    "or an unpacked SNOMED CT RF2 release"
)


def load_cdb(path: str | Path, problems: Problems, config: Config | None = None) -> CDB:
    """Load a concept database, recognising what the path holds.

    `config` (how names are prepared) applies to tables and releases; a model pack and a CDB
    bring their own. Names come out in the order of the input, whatever the hash seed. Bad rows of
    a table are noted in `problems`. Raises `EmbedLinkError` when the path is missing or not
    recognised, when what it holds does not load, and when no concept comes out.
    """
    source = resolve(path)
    if not source.exists():
        raise EmbedLinkError(f"{path}: no such file or folder; set data.concepts to {_FORMS}")
    with _unpacked(source) as folder:
        match recognise(folder):
            case "model pack":
                cdb = _deserialise(next(iter(_pack_parts(folder))), source)
            case "cdb":
                cdb = _deserialise(folder, source)
            case "release":
                cdb = read_release(folder, config)
            case "table":
                cdb = read_table(folder, problems, config)
    if not cdb.cui2info:
        first = f": {problems.found[-1]}" if problems.found else ""
        raise EmbedLinkError(f"{path}: no concepts were read{first}; set data.concepts to {_FORMS}")
    return cdb


def recognise(path: Path) -> Kind:
    """What the path holds, judged by its files (for a single file, by its suffix).

    Raises `EmbedLinkError` when it is none of the forms. An archive must be unpacked before.
    """
    if path.is_file():
        if path.suffix == ".dat":
            return "cdb"
        if path.suffix in (".csv", ".tsv", ".txt"):
            return "table"
    elif _pack_parts(path):
        return "model pack"
    elif (path / "raw_dict.dat").is_file() and (path / "config").is_dir():
        return "cdb"
    elif (path / "Snapshot").is_dir() or any(path.glob("SnomedCT_*/Snapshot")):
        return "release"
    raise EmbedLinkError(f"{path}: not recognised as a concept database; expected {_FORMS}")


def _pack_parts(folder: Path) -> list[Path]:
    """Where a model pack keeps its CDB: `cdb` since MedCAT 2, `cdb.dat` or `cdb.zip` as well."""
    return [folder / name for name in ("cdb", "cdb.zip", "cdb.dat") if (folder / name).exists()]


def _deserialise(path: Path, source: Path) -> CDB:
    """A CDB as MedCAT saved it (this unpickles: load what you trust, as with any model pack)."""
    try:
        return CDB.load(str(path))
    except Exception as error:  # a damaged pickle can raise anything
        raise EmbedLinkError(
            f"{source}: its concept database does not load ({type(error).__name__}); "
            "copy it again, or load it with the MedCAT version that saved it"
        ) from error


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The path itself, or for an archive a temporary folder with what is needed of it.

    Raises `EmbedLinkError` when the archive cannot be read. Nothing is written beside it.
    """
    if path.suffix != ".zip":
        yield path
        return
    with tempfile.TemporaryDirectory() as name:
        try:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(name, _needed(archive.namelist()))
        # An unknown compression is a `NotImplementedError`, a password wanted a `RuntimeError`.
        except (
            zipfile.BadZipFile, zlib.error, OSError, EOFError, NotImplementedError, RuntimeError
        ) as error:  # fmt: skip
            raise EmbedLinkError(
                f"{path}: truncated or damaged zip ({type(error).__name__}); copy it again"
            ) from error
        folder = Path(name)
        entries = list(folder.iterdir())
        # An only folder is the one that was zipped, unless it is the part `cdb` of a bare pack.
        nested = len(entries) == 1 and entries[0].is_dir() and entries[0].name != "cdb"
        yield entries[0] if nested else folder


def _needed(names: Sequence[str]) -> list[str]:
    """Of a model pack the CDB alone (its models can take gigabytes), of all else everything."""
    parts = [name for name in names if re.match(r"([^/]+/)?cdb(/|\.zip$|\.dat$)", name)]
    return parts or list(names)


def align_codes(documents: Iterable[Document], cdb: CDB) -> list[Document]:
    """Documents whose codes are spelt as the database spells its CUIs.

    `CDBMaker` upper-cases CUIs. A code that is not in the database but is when upper-cased is
    changed; every other code stays as published. Composites change part by part, rejected mentions
    as gold ones do. The documents are copies in the same order, with nothing but codes changed.
    """

    def align(mention: Mention) -> Mention:
        if mention.code in NO_CONCEPT:
            return mention
        parts = re.split(r"([+|])", mention.code)
        fixed = (p.upper() if p not in known and p.upper() in known else p for p in parts)
        return dataclasses.replace(mention, code="".join(fixed))

    known = cdb.cui2info
    return [
        dataclasses.replace(
            document,
            mentions=tuple(map(align, document.mentions)),
            rejected=tuple(map(align, document.rejected)),
        )
        for document in documents
    ]


def enrich_cdb(
    cdb: CDB,
    documents: Iterable[Document],
    tokenizer: BaseTokenizer | None = None,
    new_concepts: bool = False,
) -> list[tuple[str, str]]:
    """Add the mentions' surfaces as names of their concepts; returns the new (name, CUI) pairs.

    This is the part of MedCAT's supervised training (`Trainer.train_supervised_raw`) that changes
    the database. A mention counts where exactly one concept is known; with `new_concepts` (as
    MedCAT does) also one that the database lacks. `tokenizer` defaults to the one of
    the database's configuration. `cdb` is changed in place; the pairs come in the order of the
    documents, each once, and a second call with the same documents gives none.
    """
    nlp = tokenizer or name_tokenizer(cdb.config)
    configs = (cdb.config.general, cdb.config.preprocessing, cdb.config.cdb_maker)
    added: list[tuple[str, str]] = []
    for document in tqdm(documents, desc="names of mentions", unit=" documents", disable=None):
        for mention in document.mentions:
            cui = mention.cui
            if cui is None or not (new_concepts or cui in cdb.cui2info):
                continue
            surface = document.text[mention.start : mention.end]
            names = prepare_name(surface, nlp, {}, configs)
            if not names:
                continue
            # Before they are added: afterwards none of them would be new.
            added += [
                (name, cui)
                for name in names
                if name not in cdb.name2info or cui not in cdb.name2info[name]["per_cui_status"]
            ]
            # Known names go in again, for MedCAT's training counts their tokens each time as well.
            cdb._add_concept(cui, names, set(), "A", set(), "", full_build=True)
    return added


def add_names(cdb: CDB, source: CDB, tokenizer: BaseTokenizer) -> int:
    """Add the names that another database has and this one lacks; returns how many (name, CUI).

    Such are those of a run's pack beside the database that the run began with: what `enrich_cdb`
    added. `tokenizer` is that of this database's pack, which may cut names otherwise. `cdb` is
    changed in place; concepts that it lacks come with their names.
    """
    configs = (cdb.config.general, cdb.config.preprocessing, cdb.config.cdb_maker)
    added = 0
    for prepared, info in source.name2info.items():
        text = prepared.replace(source.config.general.separator, " ")
        for cui in sorted(info["per_cui_status"]):
            if prepared in cdb.name2info and cui in cdb.name2info[prepared]["per_cui_status"]:
                continue
            names = prepare_name(text, tokenizer, {}, configs)
            # The text is in lower case by now: whether the name was in capitals is told apart.
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


def check_overlap(documents: Iterable[Document], cdb: CDB) -> None:
    """Raise when a corpus has codes and none of them is in the database (two vocabularies).

    It is an `EmbedLinkError` with a few codes of both. A corpus without codes passes, and so does
    one with a single known code: what is missing is for `note_absent_codes` to count.
    """
    # By corpus: one with the right vocabulary must not hide another.
    codes: dict[str, set[str]] = {}
    for document in documents:
        found = codes.setdefault(document.corpus, set())
        found.update(cui for mention in document.mentions for cui in mention.cuis)
    for corpus, found in codes.items():
        if found and found.isdisjoint(cdb.cui2info):
            gold = ", ".join(shown(cui) for cui in sorted(found)[:3])
            known = ", ".join(shown(cui) for cui in sorted(cdb.cui2info)[:3])
            raise EmbedLinkError(
                f"corpus {corpus}: none of its {len(found)} codes (such as {gold}) is in the "
                f"concept database (such as {known}); set data.concepts to a database with "
                "the corpus' vocabulary"
            )


def note_absent_codes(documents: Iterable[Document], cdb: CDB, problems: Problems) -> None:
    """Count the gold codes that the database lacks, one problem for each corpus and code.

    No published table covers a corpus whole, so these never stop a run. Every concept of a
    composite counts. The problems go in order of corpus and code, with the corpus as their file.
    """
    absent = Counter(
        (document.corpus, cui)
        for document in documents
        for mention in document.mentions
        for cui in mention.cuis
        if cui not in cdb.cui2info
    )
    for (corpus, cui), count in sorted(absent.items()):
        value = f"{shown(cui)} ({count} mentions)"
        reason = "code absent from the concept database"
        problems.add(corpus, None, value, reason, "extend data.concepts", counted=True)
