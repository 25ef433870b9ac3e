"""Annotates many notes together: what models read of them is encoded in batches across notes.

MedCAT runs its pipeline over one note at a time, also in `get_entities_multi_texts`. Here each
component gets a block of notes. EmbedLink's own components take the block as a whole
(`predict_many`), and the others take its notes one by one. The output is MedCAT's.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol, runtime_checkable

from medcat.cat import CAT
from medcat.tokenizing.tokens import MutableDocument, MutableEntity

from embedlink.progress import progress_bar

NOTES, CHARACTERS = 64, 500_000
"""Notes and characters of a block. They bound the memory that annotation needs."""


@runtime_checkable
class TakesMany(Protocol):
    """A component that provides entities of many documents at once."""

    def predict_many(self, docs: Sequence[MutableDocument]) -> list[list[MutableEntity]]:
        """The entities of each document."""

    def set_ents(self, doc: MutableDocument, ents: list[MutableEntity]) -> None:
        """Put them into a document."""


def annotate(
    cat: CAT,
    texts: Iterable[str],
    *,
    only_cui: bool = False,
    notes: int = NOTES,
    characters: int = CHARACTERS,
    progress: str | None = None,
) -> Iterator[Any]:
    """Yield for each text what `cat.get_entities` returns, in the order of the texts.

    A block has at most this many notes and characters, or one note. Texts are read a block at a
    time, so there may be more than fit into memory. `progress` names a progress bar with notes a
    second, and without it there is none.
    """
    count = len(texts) if isinstance(texts, Sequence) else 0
    with progress_bar(count, progress, "notes") as bar:
        for block in _blocks(texts, notes, characters):
            for doc in _annotated(cat, block):
                # As `get_entities`, which gives nothing at all of an empty text.
                yield cat._doc_to_out(doc, only_cui=only_cui) if doc else {}
            bar.update(len(block))


def _annotated(cat: CAT, texts: Sequence[str]) -> list[MutableDocument]:
    """The documents of the texts after all components of the pipeline."""
    cat._ensure_not_training()
    docs = [cat.pipe.tokenizer(text) for text in texts]
    for component in cat.pipe.iter_all_components():
        if isinstance(component, TakesMany):
            for doc, entities in zip(docs, component.predict_many(docs), strict=True):
                component.set_ents(doc, entities)
        else:
            docs = [component(doc) for doc in docs]
    if cat.usage_monitor.should_monitor:
        for doc in docs:
            cat.usage_monitor.log_inference(len(doc.base.text), len(doc.linked_ents))
    return docs


def _blocks(texts: Iterable[str], notes: int, characters: int) -> Iterator[list[str]]:
    """The texts in blocks, in their order."""
    block: list[str] = []
    size = 0
    for text in texts:
        if block and (len(block) == notes or size + len(text) > characters):
            yield block
            block, size = [], 0
        block.append(text)
        size += len(text)
    if block:
        yield block
