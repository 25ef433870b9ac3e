"""A first stage on notes without labels: context learns to tell the senses of short forms.

An encoder reads a window in which a short form stands for a long form (`senses.substitution`) and
comes close to the vector of that long form, against the other senses of the short form and, with
less weight, against all other senses. The vectors of long forms stay as they are.
"""

import copy
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple

import lightning as L
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor
from torch.nn import functional as F
from torch.optim import Optimizer
from torch.utils.data import DataLoader

from embedlink.encoder.context import ContextEncoder
from embedlink.encoder.states import StateCache
from embedlink.encoder.tokens import EncoderBatch, Sequences, tokenise_names
from embedlink.encoder.windows import WindowCutter
from embedlink.linking.linker import Linker
from embedlink.objective.optim import parameter_groups, step_seed
from embedlink.problems import EmbedLinkError
from embedlink.senses.substitution import Example, Substitutions
from embedlink.training.sampling import encoding_loader, training_loader
from embedlink.training.schedule import scheduled

log = logging.getLogger(__name__)

SCALE = 20.0
"""Cosines times this are the logits of a sense."""
OTHERS = 0.3
"""Weight of telling a sense from the senses of all other short forms."""
SHORT_FORM = 0.3
"""Weight of a short form's own text beside its context while it trains."""
HIDDEN = 0.3
"""Share of the examples that hide the short form, so that context alone has to tell."""
_CACHE = 4 * 2**30  # bytes of states below the trained layers


class SenseBatch(NamedTuple):
    """Windows with the sense that each has to find."""

    windows: EncoderBatch
    sense: Tensor  # (batch,) int64 number of the sense

    def to(self, device: torch.device | str) -> "SenseBatch":
        """The batch on another device."""
        return SenseBatch(self.windows.to(device), self.sense.to(device))


class SenseVectors(NamedTuple):
    """What windows are compared with: the long forms, as names are encoded."""

    vectors: Tensor  # (forms, dim) of length 1
    sense: Tensor  # (forms,) int64 sense of each long form
    short_form: Tensor  # (senses,) int64 short form of each sense
    same: Tensor  # (senses,) int64, equal for senses whose first long forms are equal
    own_text: Tensor  # (short forms, dim) vectors of the short forms themselves

    def scores(self, queries: Tensor) -> Tensor:
        """Cosine of each sense's closest long form. Shape: (batch, dim) -> (batch, senses)."""
        cosines = queries @ self.vectors.T  # (batch, forms)
        lowest = cosines.new_full((len(queries), len(self.short_form)), -1.0)
        columns = self.sense.expand(len(queries), -1)
        return lowest.scatter_reduce(1, columns, cosines, "amax")

    def others(self, sense: Tensor) -> Tensor:
        """Which senses belong to other short forms. Shape: (batch,) -> (batch, senses) bool."""
        return self.short_form[sense][:, None] != self.short_form[None]


def sense_vectors(linker: Linker, substitutions: Substitutions) -> SenseVectors:
    """Encode all long forms and short forms with the present weights."""
    spellings = substitutions.long_forms
    flat = [(form, sense) for sense, forms in enumerate(spellings) for form in forms]
    first: dict[str, int] = {}
    same = [first.setdefault(forms[0].lower(), len(first)) for forms in spellings]
    return SenseVectors(
        _name_vectors(linker, [form for form, _ in flat]),
        torch.tensor([sense for _, sense in flat]),
        torch.tensor(substitutions.short_form_of_sense),
        torch.tensor(same),
        _name_vectors(linker, [each.short_form for each in substitutions.ambiguous]),
    )


def _name_vectors(linker: Linker, texts: Sequence[str]) -> Tensor:
    tokens = tokenise_names(linker.tokenizer, texts, linker.settings.max_name_tokens)
    return linker.encoder.encode(tokens, progress="Encoding long forms")


class ShortFormData(L.LightningDataModule):
    """Windows of the examples, and of those that are held out to measure.

    `held_out` are numbers of documents that are not trained on. Raises `EmbedLinkError` if nothing
    is left to train on.
    """

    def __init__(
        self,
        linker: Linker,
        substitutions: Substitutions,
        *,
        held_out: frozenset[int] = frozenset(),
        batch_size: int = 32,
        seed: int = 0,
    ) -> None:
        super().__init__()
        examples = substitutions.examples
        train = [example for example in examples if example.document not in held_out]
        measured = [example for example in examples if example.document in held_out]
        if not train:
            raise EmbedLinkError(
                "pretraining=short_forms: no note holds the long form of an ambiguous short form; "
                "give more notes with data.unlabelled, or leave the stage out"
            )
        # A short form's own text is added to its context by the module, not read as a surface.
        settings = linker.settings
        cutter = WindowCutter(linker.tokenizer, settings.context_window, settings.max_tokens)
        generator = torch.Generator().manual_seed(step_seed(seed, 0))
        hidden = (torch.rand(len(train), generator=generator) < HIDDEN).tolist()
        mask = linker.tokenizer.mask_token or linker.tokenizer.unk_token
        self.sense = torch.tensor([example.sense for example in train])
        self.measured_sense = torch.tensor([example.sense for example in measured])
        shown = [
            _hiding(example, mask) if hide and mask else example
            for example, hide in zip(train, hidden, strict=True)
        ]
        cache = StateCache(_CACHE)
        self.windows = cache.freeze(linker.encoder, _windows(cutter, shown), "Windows of notes")
        self.measured: Sequences = _windows(cutter, measured)
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> DataLoader[int]:
        """Batches of like length, shuffled by (seed, epoch)."""
        lengths = self.windows.lengths
        return training_loader(lengths, self._batch, batch_size=self.batch_size, seed=self.seed)

    def _batch(self, rows: Tensor) -> SenseBatch:
        return SenseBatch(self.windows.batch(rows), self.sense[rows])

    def measured_batches(self, token_budget: int = 8192) -> DataLoader[int]:
        """Batches of the held-out windows, the longest first."""
        return encoding_loader(
            self.measured.batches(token_budget),
            lambda rows: SenseBatch(self.measured.batch(rows), self.measured_sense[rows]),
            count=len(self.measured),
        )


def _windows(cutter: WindowCutter, examples: Sequence[Example]) -> Sequences:
    return cutter((each.text, [(each.start, each.end)]) for each in examples)


def _hiding(example: Example, mask: str) -> Example:
    """The example with a mask in the place of its short form."""
    text = example.text[: example.start] + mask + example.text[example.end :]
    return example._replace(text=text, end=example.start + len(mask))


class ShortFormModule(L.LightningModule):
    """Trains an encoder to find the sense of a short form, in place.

    `weight_decay` applies to weight matrices only. `warmup_share` is that of `scheduled`. `seed`
    decides dropout.
    """

    def __init__(
        self,
        encoder: ContextEncoder,
        targets: SenseVectors,
        optimizer: Callable[[list[dict[str, object]]], Optimizer],
        *,
        weight_decay: float = 0.01,
        warmup_share: float = 0.1,
        seed: int = 0,
    ) -> None:
        super().__init__()
        self.encoder, self.optimizer = encoder, optimizer
        self.weight_decay, self.warmup_share, self.seed = weight_decay, warmup_share, seed
        for name, tensor in targets._asdict().items():
            self.register_buffer(name, tensor, persistent=False)

    @property
    def targets(self) -> SenseVectors:
        """The senses, on the module's device."""
        return SenseVectors(*(self.get_buffer(name) for name in SenseVectors._fields))

    def training_step(self, batch: SenseBatch, batch_idx: int) -> Tensor:
        """Find the sense among its short form's, and among all others. Shape: ()."""
        torch.manual_seed(step_seed(self.seed, self.global_step))
        targets = self.targets
        own = targets.own_text[targets.short_form[batch.sense]]  # (batch, dim)
        queries = F.normalize(self.encoder(batch.windows) + SHORT_FORM * own, dim=-1)
        logits = SCALE * targets.scores(queries)  # (batch, senses)
        rivals = logits.masked_fill(targets.others(batch.sense), -torch.inf)
        # A sense of another short form that has the same long form is no wrong answer.
        equal = targets.same[batch.sense][:, None] == targets.same[None]
        equal[torch.arange(len(equal)), batch.sense] = False
        every = logits.masked_fill(equal, -torch.inf)
        loss = F.cross_entropy(rivals, batch.sense) + OTHERS * F.cross_entropy(every, batch.sense)
        self.log("pretraining/loss", loss, prog_bar=True, batch_size=len(batch.sense))
        return loss

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """The optimizer over what can change, with linear warm-up and decay."""
        optimizer = self.optimizer(parameter_groups(self.encoder, self.weight_decay))
        return scheduled(optimizer, self.trainer, self.warmup_share)


@torch.no_grad()
def sense_accuracy(
    encoder: ContextEncoder, targets: SenseVectors, batches: DataLoader[int]
) -> Tensor:
    """Whether the context alone finds each sense among those of its short form.

    Shape: (examples,) bool, in the order of the batches.
    """
    encoder.eval()
    found = [torch.zeros(0, dtype=torch.bool)]
    for batch in batches:
        queries = encoder(batch.windows.to(encoder.device)).float().cpu()
        scores = targets.scores(queries).masked_fill(targets.others(batch.sense), -torch.inf)
        found.append(scores.argmax(1) == batch.sense)
    return torch.cat(found)


def learn_short_forms(
    linker: Linker,
    data: ShortFormData,
    targets: SenseVectors,
    trainer: L.Trainer,
    optimizer: Callable[[list[dict[str, object]]], Optimizer],
    *,
    weight_decay: float,
    warmup_share: float,
    seed: int,
) -> tuple[float, float]:
    """Train the linker's encoder on the examples; accuracy on the held-out ones before and after.

    If it is not higher afterwards, the weights from before are put back. Both are 0 if nothing was
    held out, and then the trained weights are kept.
    """
    encoder = linker.encoder
    before = copy.deepcopy(encoder.state_dict())
    held_out = len(data.measured) > 0
    first = float(sense_accuracy(encoder, targets, data.measured_batches()).float().mean())
    module = ShortFormModule(
        encoder, targets, optimizer, weight_decay=weight_decay, warmup_share=warmup_share, seed=seed
    )
    trainer.fit(module, data)
    if not held_out:
        return 0.0, 0.0
    last = float(sense_accuracy(encoder, targets, data.measured_batches()).float().mean())
    log.info("short forms: the right sense at %.3f of held-out places, %.3f before", last, first)
    if last <= first:
        log.warning("short forms: training did not help on held-out notes; weights are put back")
        encoder.load_state_dict(before)
    encoder.eval()
    return first, last
