"""Does context tell the senses of short forms, after training on notes without labels?

Measured on documents that were not trained on, for short forms that were trained on and for short
forms that were not: the right sense among all senses of the short form.

python -m experiments.short_forms notes.jsonl folder_of_notes --layers 4 --seed 0
"""

import argparse
import json
import random
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import lightning as L
import torch
from torch import Tensor

import embedlink  # noqa: F401 - first: telemetry is off from here
from embedlink.corpora.unlabelled import read_notes
from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.pretrained import load_encoder
from embedlink.encoder.windows import WindowCutter
from embedlink.senses.ambiguous import of_table
from embedlink.senses.substitution import Example, Substitutions, examples_of, substitute
from embedlink.senses.table import Senses
from embedlink.training.short_forms import (
    SenseExamples,
    ShortFormData,
    learn_short_forms,
    right_senses,
    sense_vectors,
)

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
HELD_OUT_DOCUMENTS, HELD_OUT_SHORT_FORMS = 0.15, 0.15
MEASURED = 20  # examples of a sense


@dataclass
class NoteReader:
    """What reads the notes."""

    encoder: ContextEncoder
    cutter: WindowCutter


def main() -> None:
    """Train, measure, and print one line of JSON for each metric."""
    asked = _arguments()
    L.seed_everything(asked.seed, verbose=False)
    texts = [text for path in asked.notes for text in read_notes(path)]
    senses, generator = Senses.load(asked.senses), random.Random(asked.seed)
    documents = frozenset(n for n in range(len(texts)) if generator.random() < HELD_OUT_DOCUMENTS)
    unseen = {s for s in sorted(senses.by_short_form) if generator.random() < HELD_OUT_SHORT_FORMS}
    seen = Senses({s: own for s, own in senses.by_short_form.items() if s not in unseen})
    training = ["" if n in documents else text for n, text in enumerate(texts)]
    substitutions = examples_of(
        training,
        seen,
        per_sense=60,
        per_phrase=6,
        made_up=asked.made_up,
        seed=asked.seed,
        without=unseen,
    )
    model, tokenizer = load_encoder(asked.encoder)
    encoder = ContextEncoder(model, unfreeze=asked.layers, towers=asked.towers)
    cutter = WindowCutter(tokenizer, asked.context_window, asked.max_tokens)
    reader = NoteReader(encoder, cutter)
    kept = [text if n in documents else "" for n, text in enumerate(texts)]
    held = substitute(kept, of_table(senses), per_sense=MEASURED, seed=asked.seed)
    measured, targets = SenseExamples.of(reader, held.examples), sense_vectors(reader, held)
    before = right_senses(encoder, targets, measured)
    data = ShortFormData(
        reader, substitutions.examples, batch_size=asked.batch_size, seed=asked.seed
    )
    learn_short_forms(
        reader, data, SenseExamples.of(reader, []), sense_vectors(reader, substitutions),
        _trainer(asked.epochs), partial(torch.optim.AdamW, lr=asked.lr), weight_decay=0.01,
        warmup_share=0.1, seed=asked.seed,
    )  # fmt: skip
    after = right_senses(encoder, targets, measured)
    rows = held.examples
    majority = _majority(rows, held, substitutions)
    short_form = [held.ambiguous[number].short_form for number in held.short_form_of_sense]
    seen_before = [short_form[row.sense] not in unseen for row in rows]
    trained_on = torch.tensor(seen_before, dtype=torch.bool)
    for name, part in (("trained on", trained_on), ("never trained on", ~trained_on)):
        metrics = {"untrained": before, "trained": after, "most frequent": majority}
        if part.any():
            _print(name, rows, part, metrics)
    if asked.save:
        torch.save(encoder.note_layers.state_dict(), asked.save)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notes", nargs="+", help="as data.unlabelled: folder or table of notes")
    parser.add_argument("--senses", default="en", help="language of the package, or a table")
    parser.add_argument("--encoder", default=MINILM)
    parser.add_argument("--towers", default="two", choices=["one", "two"])
    parser.add_argument("--layers", type=int, default=4)
    parser.add_argument("--context-window", type=int, default=35)
    parser.add_argument("--max-tokens", type=int, default=128)
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--lr", type=float, default=1e-4)
    parser.add_argument(
        "--made-up", type=float, default=3.0, help="made-up examples for each listed"
    )
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--save", help="a file for the note tower's layers")
    return parser.parse_args()


def _majority(rows: Sequence[Example], held: Substitutions, trained: Substitutions) -> Tensor:
    """Whether each sense is the one that training documents hold most often."""
    forms = trained.long_forms
    counts: dict[str, int] = {}
    for example in trained.examples:
        for form in forms[example.sense]:
            counts[form] = counts.get(form, 0) + 1
    of_short: dict[int, list[int]] = {}
    for sense, short in enumerate(held.short_form_of_sense):
        of_short.setdefault(short, []).append(sense)
    count = [max(counts.get(form, 0) for form in own) for own in held.long_forms]
    best = {short: max(own, key=lambda s: count[s]) for short, own in of_short.items()}
    short_of = held.short_form_of_sense
    return torch.tensor([best[short_of[row.sense]] == row.sense for row in rows])


def _trainer(epochs: int) -> L.Trainer:
    return L.Trainer(
        max_epochs=epochs, accelerator="auto", devices=1, logger=False, enable_checkpointing=False,
        enable_model_summary=False, gradient_clip_val=1.0,
    )  # fmt: skip


def _print(name: str, rows: Sequence[Example], part: Tensor, metrics: dict[str, Tensor]) -> None:
    """Accuracy with its 95 % bootstrap interval by document, and the gain of training."""
    documents = torch.tensor([row.document for row in rows])[part]
    said: dict[str, object] = {"short forms": name, "places": int(part.sum())}
    for metric, right in metrics.items():
        said[metric] = _interval(right[part].float(), documents)
    said["gain"] = _interval(
        metrics["trained"][part].float() - metrics["untrained"][part].float(), documents
    )
    print(json.dumps(said), flush=True)


def _interval(values: Tensor, documents: Tensor) -> list[float]:
    _, group = documents.unique(return_inverse=True)
    count = int(group.max()) + 1
    totals = torch.zeros(count).index_add(0, group, values)
    sizes = torch.zeros(count).index_add(0, group, torch.ones_like(values))
    drawn = torch.randint(count, (2000, count), generator=torch.Generator().manual_seed(0))
    means = totals[drawn].sum(1) / sizes[drawn].sum(1)
    low, high = means.quantile(torch.tensor([0.025, 0.975])).tolist()
    return [round(float(values.mean()), 4), round(low, 4), round(high, 4)]


if __name__ == "__main__":
    main()
