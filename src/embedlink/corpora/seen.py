"""What a run trained on, so that nothing is measured on it by mistake.

A random split depends on a seed. With another seed, most documents to be measured are ones that the
linker or its tagger was trained on. The run's folder holds digests of these documents, and no text.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from embedlink.files.atomic import write_text
from embedlink.problems import EmbedLinkError
from embedlink.types import Document

SEEN = "train_documents.txt"
"""A digest of the text of each training document, one a line."""


def note_seen(folder: Path, documents: Sequence[Document], reused: Sequence[Path] = ()) -> None:
    """Write the digests to a run's folder, which is made if it is missing.

    `reused` are folders of runs that this run builds on. What they have seen is noted too. No text
    can be told from its digest.
    """
    digests = dict.fromkeys(map(_digest, documents))
    for run in reused:
        digests |= dict.fromkeys(_seen_by(run))
    write_text(folder / SEEN, "".join(f"{digest}\n" for digest in digests))


def check_unseen(trained: Path, documents: Sequence[Document]) -> None:
    """Raise `EmbedLinkError` if the run that left this folder trained on any of the documents.

    `trained` is the folder `linker` or `tagger` in a run's folder. If it was moved elsewhere,
    nothing is known of its training and no error is raised. A document is recognised by its text,
    whatever its id and the codes of its mentions.
    """
    found = count_seen(trained, documents)
    if found:
        raise EmbedLinkError(
            f"{trained}: was trained on {found} of the {len(documents)} documents that are to be "
            "measured; give seed, split_seed and data as its run had them"
        )


def count_seen(trained: Path, documents: Sequence[Document]) -> int | None:
    """How many of the documents the run trained on. None if that is not known."""
    seen = set(_seen_by(trained.parent))
    return sum(_digest(document) in seen for document in documents) if seen else None


def _seen_by(run: Path) -> list[str]:
    """Digests of the documents that a run trained on. None are known of a moved linker."""
    try:
        return (run / SEEN).read_text("utf-8").split()
    except OSError:
        return []  # Not a run's folder: the linker was moved, or trained elsewhere.


def _digest(document: Document) -> str:
    return hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
