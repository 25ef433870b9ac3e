"""Where a note's time goes: processor time of the parts of a pipeline, without their inner parts.

`watched` wraps methods of classes. A wrapped method that calls another one is charged only
for what it does itself, so the parts add up to the whole.
"""

import functools
import importlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Part = tuple[str, str, str]  # Its label, the module, and the class with the method.

MEDCAT: list[Part] = [
    ("MedCAT: words", "medcat.tokenizing.regex_impl.tokenizer", "RegexTokenizer.__call__"),
    ("MedCAT: tagging", "medcat.components.tagging.tagger", "TagAndSkipTagger.__call__"),
    ("MedCAT: norms", "medcat.components.normalizing.normalizer", "TokenNormalizer.__call__"),
    ("exact names", "medcat.components.ner.vocab_based_ner", "NER.predict_entities"),
    ("output", "medcat.cat", "CAT._doc_to_out"),
]
OURS: list[Part] = [
    *MEDCAT,
    ("other detection", "embedlink.detection.component", "EmbedLinkDetection.predict_entities"),
    ("tagger", "embedlink.detection.tagger", "MentionTagger.tag"),
    ("cutting windows", "embedlink.encoder.windows", "WindowCutter.__call__"),
    ("encoding", "embedlink.encoder.context", "ContextEncoder.encode"),
    ("search", "embedlink.index.concept_index", "ConceptIndex.search_concepts"),
    ("other linking", "embedlink.medcat.component", "LinkingComponent.predict_entities"),
]
THEIRS: list[Part] = [
    *MEDCAT,
    ("encoding", "medcat_embedding_linker.embedding_linker", "Linker._get_context_vectors"),
    ("other linking", "medcat_embedding_linker.embedding_linker", "Linker.predict_entities"),
]
ELSE = "everything else"


@contextmanager
def watched(parts: list[Part]) -> Iterator[dict[str, float]]:
    """Yield seconds of processor time by part, which grow while the block runs."""
    taken: dict[str, float] = defaultdict(float)
    stack: list[list[float]] = [[0.0]]  # Of each open call: the seconds of its inner parts.
    undo: list[Callable[[], None]] = []
    started = time.process_time()
    try:
        for label, module, method in parts:
            undo.append(_wrap(label, module, method, taken, stack))
        yield taken
    finally:
        for each in undo:
            each()
        taken[ELSE] = time.process_time() - started - stack[0][0]


def _wrap(
    label: str, module: str, method: str, taken: dict[str, float], stack: list[list[float]]
) -> Callable[[], None]:
    """Time a method. Returns what takes the wrapper off again."""
    owner_name, name = method.split(".")
    owner = getattr(importlib.import_module(module), owner_name)
    plain = getattr(owner, name)

    @functools.wraps(plain)
    def timed(*args: Any, **options: Any) -> Any:
        inner = [0.0]
        stack.append(inner)
        start = time.process_time()
        try:
            return plain(*args, **options)
        finally:
            whole = time.process_time() - start
            stack.pop()
            stack[-1][0] += whole
            taken[label] += whole - inner[0]

    own = name in vars(owner)
    setattr(owner, name, timed)
    return lambda: setattr(owner, name, plain) if own else delattr(owner, name)
