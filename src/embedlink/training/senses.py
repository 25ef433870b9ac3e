"""Trains a reader of short forms on notes without labels, of which some are held out."""

import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import lightning as L
from torch.optim import Optimizer

from embedlink.linking.senses import SenseReader
from embedlink.senses.ambiguous import of_table
from embedlink.senses.substitution import Substitutions, examples_of, substitute
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


class Lessons(NamedTuple):
    """What a reader learns from, and what is held out to see how well."""

    trained: Substitutions
    held_out: Substitutions  # Senses of the table come first in both, in the same order.


def lessons_of(
    texts: Sequence[str], senses: Senses, settings: ShortFormSettings, seed: int
) -> Lessons:
    """Find long forms in these texts. There may be no example at all."""
    generator = random.Random(seed)
    held = frozenset(n for n in range(len(texts)) if generator.random() < HELD_OUT)
    trained = examples_of(
        ["" if n in held else text for n, text in enumerate(texts)], senses,
        per_sense=settings.per_sense, per_phrase=settings.per_phrase, made_up=settings.made_up,
        seed=seed,
    )  # fmt: skip
    measured = substitute(
        [text if n in held else "" for n, text in enumerate(texts)], of_table(senses),
        per_sense=settings.per_sense, seed=seed,
    )  # fmt: skip
    return Lessons(trained, measured)


def learn_senses(
    reader: SenseReader,
    lessons: Lessons,
    settings: ShortFormSettings,
    trainer: L.Trainer,
    optimizer: Callable[[list[dict[str, Any]]], Optimizer],
    *,
    weight_decay: float,
    warmup_share: float,
    seed: int,
) -> Gain:
    """Train the reader's note tower, in place.

    Returns the accuracy on held-out texts before and after. Raises `EmbedLinkError` if there is no
    example.
    """
    examples = lessons.trained.examples
    return learn_short_forms(
        reader,
        ShortFormData(reader, examples, batch_size=settings.batch_size, seed=seed),
        SenseExamples.of(reader, lessons.held_out.examples),
        sense_vectors(reader, lessons.trained),
        trainer,
        optimizer,
        weight_decay=weight_decay,
        warmup_share=warmup_share,
        seed=seed,
    )
