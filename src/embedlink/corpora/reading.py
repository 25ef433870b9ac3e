"""Reads all corpora of a run, with progress, and turns bad input into one report."""

from collections.abc import Mapping

from tqdm import tqdm

from embedlink.corpora.protocol import Corpus
from embedlink.problems import EmbedLinkError, Problems
from embedlink.types import Document


def read_corpora(corpora: Mapping[str, Corpus], *, strict: bool) -> tuple[list[Document], Problems]:
    """All documents in the order of the corpora, and everything that was wrong with them.

    The keys of `corpora` are those of the configuration, and errors name them. Metrics use each
    corpus' own `name`. If `strict`, raises `BadInputError` with all rejected rows of a corpus at
    once. Raises `EmbedLinkError` if no corpus is given, or if a corpus holds nothing to train or
    test on. All documents are then in memory, because a split needs to see every one.
    """
    if not corpora:
        raise EmbedLinkError("data.corpora is empty; choose one, for example data=demo")
    documents: list[Document] = []
    problems = Problems()
    for key, corpus in corpora.items():
        read = corpus.read(problems)
        found = list(tqdm(read, desc=f"reading {key}", unit=" documents", disable=None))
        # Checked after each corpus, so that nobody waits for large ones behind a bad one.
        if strict:
            problems.raise_if_rejected()
        _check_not_empty(key, found, problems)
        documents += found
    return documents, problems


def _check_not_empty(key: str, documents: list[Document], problems: Problems) -> None:
    """Refuse a corpus without documents or mentions, because its metrics would mean nothing."""
    what = "documents" if not documents else "mentions"
    if documents and any(document.mentions for document in documents):
        return
    first = (
        f"; the first of {len(problems.found)} problems: {problems.found[0]}"
        if problems.found
        else ""
    )
    raise EmbedLinkError(f"corpus {key}: no {what} were read; check data.corpora.{key}{first}")
