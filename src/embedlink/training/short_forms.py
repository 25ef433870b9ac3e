"""A first stage on notes without labels: context learns to tell the senses of short forms.

An encoder reads a window in which a short form stands for a long form (`senses.substitution`) and
comes close to the vector of that long form, against the other senses of the short form and, with
less weight, against all other senses. The vectors of long forms stay as they are.
"""

import copy
import logging
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

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
from embedlink.linking.senses import SCALE
from embedlink.objective.optim import parameter_groups, step_seed
from embedlink.problems import EmbedLinkError
from embedlink.senses.substitution import Example, Substitutions
from embedlink.training.sampling import training_loader
from embedlink.training.schedule import scheduled

log = logging.getLogger(__name__)

OTHERS = 0.3
"""Weight of telling a sense from the senses of all other short forms."""
SHORT_FORM = 0.3
"""Weight of a short form's own text beside its context while it trains."""
HIDDEN = 0.3
"""Share of the examples that hide the short form, so that context alone has to tell."""
_CACHE = 4 * 2**30  # bytes of states below the trained layers
_COMPARED = 1024  # examples that are compared with all senses at a time


class Reader(Protocol):
    """An encoder that reads notes, and how much it reads of them."""

    encoder: ContextEncoder
    cutter: WindowCutter  # around short forms; long forms have its limit of tokens


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


def sense_vectors(reader: Reader, substitutions: Substitutions) -> SenseVectors:
    """Encode all long forms and short forms with the present weights."""
    spellings = substitutions.long_forms
    flat = [(form, sense) for sense, forms in enumerate(spellings) for form in forms]
    first: dict[str, int] = {}
    same = [first.setdefault(forms[0].lower(), len(first)) for forms in spellings]
    return SenseVectors(
        _name_vectors(reader, [form for form, _ in flat]),
        torch.tensor([sense for _, sense in flat]),
        short_form=torch.tensor(substitutions.short_form_of_sense),
        same=torch.tensor(same),
        own_text=_name_vectors(reader, [each.short_form for each in substitutions.ambiguous]),
    )


def _name_vectors(reader: Reader, texts: Sequence[str]) -> Tensor:
    tokens = tokenise_names(reader.cutter.tokenizer, texts, reader.cutter.max_tokens)
    return reader.encoder.encode(tokens, progress="Encoding long forms")


class SenseExamples(NamedTuple):
    """Windows of examples, and the sense of each."""

    windows: Sequences
    sense: Tensor  # (examples,) int64

    @classmethod
    def of(cls, reader: Reader, examples: Sequence[Example]) -> "SenseExamples":
        """Cut the windows that are read of these examples, in their order."""
        # A short form's own text is added to its context by the module, not read as a surface.
        windows = reader.cutter((each.text, [(each.start, each.end)]) for each in examples)
        return cls(windows, torch.tensor([each.sense for each in examples], dtype=torch.int64))

    def batch(self, rows: Tensor) -> SenseBatch:
        """Some of them. Shape: rows (batch,)."""
        return SenseBatch(self.windows.batch(rows), self.sense[rows])


class ShortFormData(L.LightningDataModule):
    """Training batches of the examples.

    Some of them hide the short form itself, which `seed` decides. Raises `EmbedLinkError` if there
    is no example.
    """

    def __init__(
        self, reader: Reader, examples: Sequence[Example], *, batch_size: int = 32, seed: int = 0
    ) -> None:
        super().__init__()
        if not examples:
            raise EmbedLinkError(
                "pretraining=short_forms: no note holds the long form of an ambiguous short form; "
                "give more notes with data.unlabelled, or leave the stage out"
            )
        generator = torch.Generator().manual_seed(step_seed(seed, 0))
        hidden = (torch.rand(len(examples), generator=generator) < HIDDEN).tolist()
        tokenizer = reader.cutter.tokenizer
        mask = tokenizer.mask_token or tokenizer.unk_token
        shown = [
            _hiding(example, mask) if hide and mask else example
            for example, hide in zip(examples, hidden, strict=True)
        ]
        cut = SenseExamples.of(reader, shown)
        frozen = StateCache(_CACHE).freeze(reader.encoder, cut.windows, "Windows of notes")
        self.examples = cut._replace(windows=frozen)
        self.batch_size, self.seed = batch_size, seed

    def train_dataloader(self) -> DataLoader[int]:
        """Batches of like length, shuffled by (seed, epoch)."""
        lengths, batch = self.examples.windows.lengths, self.examples.batch
        return training_loader(lengths, batch, batch_size=self.batch_size, seed=self.seed)


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
def right_senses(encoder: ContextEncoder, targets: SenseVectors, examples: SenseExamples) -> Tensor:
    """Whether the context alone finds each example's sense among those of its short form.

    Shape: (examples,) bool.
    """
    queries = encoder.encode(examples.windows)  # (examples, dim)
    right = torch.zeros(len(queries), dtype=torch.bool)
    for rows in torch.arange(len(queries)).split(_COMPARED):
        sense = examples.sense[rows]
        scores = targets.scores(queries[rows]).masked_fill(targets.others(sense), -torch.inf)
        right[rows] = scores.argmax(1) == sense
    return right


class Gain(NamedTuple):
    """Accuracy on the held-out examples before and after training; None if there are none."""

    before: float | None
    after: float | None


def learn_short_forms(
    reader: Reader,
    data: ShortFormData,
    held_out: SenseExamples,
    targets: SenseVectors,
    trainer: L.Trainer,
    optimizer: Callable[[list[dict[str, object]]], Optimizer],
    *,
    weight_decay: float,
    warmup_share: float,
    seed: int,
) -> Gain:
    """Train the reader's encoder on the examples, in place.

    If the held-out examples gain nothing, the weights from before are put back. Without any the
    trained weights are kept.
    """
    encoder = reader.encoder
    weights = copy.deepcopy(encoder.state_dict())
    before = _accuracy(encoder, targets, held_out)
    module = ShortFormModule(
        encoder, targets, optimizer, weight_decay=weight_decay, warmup_share=warmup_share, seed=seed
    )
    trainer.fit(module, data)
    encoder.eval()
    after = _accuracy(encoder, targets, held_out)
    if before is not None and after is not None:
        log.info(
            "short forms: the right sense at %.3f of held-out places, %.3f before", after, before
        )
        if after <= before:
            log.warning("short forms: nothing was gained on held-out notes; weights are put back")
            encoder.load_state_dict(weights)
    return Gain(before, after)


def _accuracy(
    encoder: ContextEncoder, targets: SenseVectors, examples: SenseExamples
) -> float | None:
    """Share of the examples whose sense is found, in [0, 1]. None without examples."""
    if not len(examples.sense):
        return None
    return float(right_senses(encoder, targets, examples).float().mean())
