"""Measures how well a run's tagger finds mentions in documents that it was not trained on."""

from collections.abc import Sequence
from pathlib import Path

from embedlink.detection.tagger import MentionTagger
from embedlink.types import Document

LEAST = 0.5
"""Least probability of a span that counts as found."""


def tagger_metrics(folder: Path, documents: Sequence[Document]) -> dict[str, float]:
    """Precision and recall of exact spans, as `tagger/precision` and `tagger/recall`.

    `folder` is the run's `tagger`. If it does not exist, there are no such metrics.
    """
    if not folder.is_dir() or not documents:
        return {}
    tags = MentionTagger.load(folder).tag([document.text for document in documents])
    right = found = annotated = 0
    for document, tagged in zip(documents, tags, strict=True):
        spans = {(span.start, span.end) for span, _ in tagged.spans(LEAST)}
        gold = {(mention.start, mention.end) for mention in document.mentions}
        right += len(spans & gold)
        found += len(spans)
        annotated += len(gold)
    return {
        "tagger/precision": right / found if found else 0.0,
        "tagger/recall": right / annotated if annotated else 0.0,
    }
