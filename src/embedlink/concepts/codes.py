"""Compares gold codes with a concept database: spelling, vocabulary, and codes that it lacks."""

import dataclasses
from collections import Counter
from collections.abc import Container, Iterable

from medcat.cdb import CDB

from embedlink.files.lines import shown
from embedlink.identifiers import split_code
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document, Mention

_VOCABULARIES = ("MESH", "UMLS")


def align_codes(documents: Iterable[Document], cdb: CDB) -> list[Document]:
    """Documents with their codes spelt as the database spells its CUIs.

    `CDBMaker` upper-cases CUIs. A code that is not in the database is changed if the database has
    it in upper case, or with or without `MESH:` or `UMLS:` before it. Every other code stays as
    published. The parts of a composite change one by one. Rejected mentions change as gold ones do.
    The documents are copies in the same order, and nothing but codes differs.
    """
    known = cdb.cui2info.keys()

    def align(mention: Mention) -> Mention:
        """The mention with each unknown code in the form that the database has."""
        if not mention.cuis or all(cui in known for cui in mention.cuis):
            return mention
        parts = split_code(mention.code)
        fixed = (part if n % 2 else _known_form(part, known) for n, part in enumerate(parts))
        return dataclasses.replace(mention, code="".join(fixed))

    return [
        dataclasses.replace(
            document,
            mentions=tuple(map(align, document.mentions)),
            rejected=tuple(map(align, document.rejected)),
        )
        for document in documents
    ]


def _known_form(cui: str, known: Container[str]) -> str:
    """The spelling of one identifier that the database has. Unchanged if it has none."""
    cui = cui.strip()
    forms = [cui, cui.upper()]
    # Digits alone do not show the vocabulary: a number of OMIM may also be one of SNOMED CT.
    bare = cui.rpartition(":")[2].strip().upper()
    if bare[:1].isalpha():
        forms += [bare, *(f"{name}:{bare}" for name in _VOCABULARIES)]
    return next((form for form in forms if form in known), cui)


def check_overlap(documents: Iterable[Document], cdb: CDB) -> None:
    """Raise `EmbedLinkError` if a corpus has codes and none of them is in the database.

    Then the two use different vocabularies. The message has a few codes of both. A corpus without
    codes passes, and so does one with a single known code. `note_absent_codes` counts the missing
    ones.
    """
    # Each corpus by itself, because one with the right vocabulary must not hide another.
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

    No published table covers a whole corpus, so these problems never stop a run. Every concept of a
    composite counts. The problems come in order of corpus and code. Their `file` is the corpus.
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
