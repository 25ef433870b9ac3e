"""What a run trained on, so that nothing is measured on it by mistake.

A random split depends on a seed. With another one, most documents to be measured are those that
the linker, or its tagger, was trained on. The run's folder holds their digests, and no text.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from embedlink.types import Document, EmbedLinkError

SEEN = "train_documents.txt"
"""A digest of the text of each training document, one a line."""


def note_seen(folder: Path, documents: Sequence[Document]) -> None:
    """Leave the digests in a run's folder, which is made where it is missing.

    No text can be told from its digest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lines = "".join(f"{_digest(document)}\n" for document in documents)
    (folder / SEEN).write_text(lines, encoding="utf-8")


def check_unseen(trained: Path, documents: Sequence[Document]) -> None:
    """Raise `EmbedLinkError` where the run that left this folder trained on any of the documents.

    `trained` is the folder `linker` or `tagger` in a run's folder. One that was moved out of it is
    not known to have seen anything. A document is recognised by its text, whatever its id and the
    codes of its mentions.
    """
    try:
        seen = set((trained.parent / SEEN).read_text("utf-8").split())
    except OSError:
        return  # Not in a run's folder: a linker that was moved, or trained elsewhere.
    found = sum(_digest(document) in seen for document in documents)
    if found:
        raise EmbedLinkError(
            f"{trained}: was trained on {found} of the {len(documents)} documents that are to be "
            "measured; give seed, split_seed and data as its run had them"
        )


def _digest(document: Document) -> str:
    return hashlib.sha256(document.text.encode("utf-8", "surrogatepass")).hexdigest()[:32]
