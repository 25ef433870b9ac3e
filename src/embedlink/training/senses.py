"""Trains a reader of short forms on notes without labels, of which some are held out."""

import random
from collections.abc import Callable, Sequence
from typing import Any

import lightning as L
from torch.optim import Optimizer

from embedlink.concepts.names import ConceptNames
from embedlink.linking.linker import Linker
from embedlink.linking.senses import SenseReader
from embedlink.senses.ambiguous import of_table
from embedlink.senses.substitution import examples_of, substitute
from embedlink.senses.table import Senses
from embedlink.training.settings import ShortFormSettings
from embedlink.training.short_forms import (
    Gain,
    SenseExamples,
    ShortFormData,
    learn_short_forms,
    sense_vectors,
)

HELD_OUT = 0.1
"""Share of the notes that are not trained on, to see whether training helps."""


def learn_senses(
    linker: Linker,
    names: ConceptNames,
    senses: Senses,
    texts: Sequence[str],
    settings: ShortFormSettings,
    trainer: L.Trainer,
    optimizer: Callable[[list[dict[str, Any]]], Optimizer],
    *,
    weight_decay: float,
    warmup_share: float,
    seed: int,
) -> Gain:
    """Give the linker a reader of short forms that learned from these texts.

    The linker's own encoder is not changed. Returns the accuracy on held-out texts before and
    after. Raises `EmbedLinkError` if no text holds the long form of an ambiguous short form.
    """
    reader = SenseReader.untrained(
        linker.encoder, linker.tokenizer, senses, names, layers=settings.layers,
        context_window=settings.context_window, max_tokens=settings.max_tokens,
    )  # fmt: skip
    generator = random.Random(seed)
    held = frozenset(n for n in range(len(texts)) if generator.random() < HELD_OUT)
    substitutions = examples_of(
        ["" if n in held else text for n, text in enumerate(texts)], senses,
        per_sense=settings.per_sense, per_phrase=settings.per_phrase, made_up=settings.made_up,
        seed=seed,
    )  # fmt: skip
    measured = substitute(
        [text if n in held else "" for n, text in enumerate(texts)], of_table(senses),
        per_sense=settings.per_sense, seed=seed,
    )  # fmt: skip
    gain = learn_short_forms(
        reader,
        ShortFormData(reader, substitutions.examples, batch_size=settings.batch_size, seed=seed),
        # Senses of the table come first in both, in the same order: their numbers agree.
        SenseExamples.of(reader, measured.examples),
        sense_vectors(reader, substitutions),
        trainer,
        optimizer,
        weight_decay=weight_decay,
        warmup_share=warmup_share,
        seed=seed,
    )
    linker.senses = reader
    return gain
