"""One whole epoch: train, refresh the index, evaluate; as EmbedLink and as upstream do it."""

import contextlib
import io
import logging
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import lightning as L
import torch
from medcat.cdb import CDB

from benchmarks import upstream
from benchmarks.measure import Timing, peak_memory
from benchmarks.options import Options
from embedlink.concepts.codes import align_codes
from embedlink.concepts.database import load_cdb
from embedlink.concepts.names import concept_names
from embedlink.corpora.medcattrainer import MedCATtrainer
from embedlink.corpora.protocol import Corpus
from embedlink.corpora.pubtator import PubTator
from embedlink.corpora.reading import read_corpora
from embedlink.corpora.splits import Splits
from embedlink.detection.pipeline import VocabularyDetector, detection_config
from embedlink.encoder.pretrained import encoder_source
from embedlink.files.paths import resolve
from embedlink.linking.linker import Linker
from embedlink.linking.settings import LinkerSettings
from embedlink.objective.losses import MarginalSoftmax
from embedlink.problems import Problems
from embedlink.training.callbacks import FrozenStates, IndexRefresh
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.evaluation import Evaluation
from embedlink.training.module import LinkerModule
from embedlink.types import Document

WINDOW, UNFREEZE, BATCH, CACHE = 14, 2, 32, 8 * 2**30


class _Epochs(L.Callback):
    """Notes when epochs begin."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.begun: list[float] = []

    def on_train_epoch_start(self, trainer: L.Trainer, pl_module: L.LightningModule) -> None:
        """Note the time."""
        self.begun.append(self.now())


def run(options: Options) -> list[Timing]:
    """The same encoder, layers, window and mentions on both sides."""
    corpus, table = _corpus(options)
    documents, _ = read_corpora({"corpus": corpus}, strict=False)
    documents = align_codes(documents, _cdb(table))
    limit = options.documents or None
    train = [d for d in documents if d.split == "train"][:limit]
    test = [d for d in documents if d.split == "test"][:limit]
    timings = _ours(options, table, train, test)
    if upstream.AVAILABLE:
        timings.append(_theirs(options, table, train, test))
    for timing in timings:
        print(f"  epoch: {timing.contestant}: {timing.seconds:.1f} s", flush=True)
    return timings


def clock(options: Options) -> Callable[[], float]:
    """Seconds of wall or processor time."""
    return time.process_time if options.clock == "processor" else time.perf_counter


def _corpus(options: Options) -> tuple[Corpus, str]:
    """NCBI where its files are, else the demonstration."""
    if options.data is None:
        notes = str(resolve("package://embedlink/demo/notes.json"))
        return MedCATtrainer("demo", notes), options.table
    folder = Path(options.data) / "ncbi_disease"
    files = {"train": "train", "validation": "develop", "test": "test"}
    parts = {split: str(folder / f"NCBI{name}set_corpus.txt") for split, name in files.items()}
    return PubTator("ncbi", parts), str(Path(options.data) / "concepts" / "mesh_disease.csv")


def _cdb(table: str) -> CDB:
    return load_cdb(table, Problems(), detection_config(min_name_len=2))


def _ours(
    options: Options, table: str, train: Sequence[Document], test: Sequence[Document]
) -> list[Timing]:
    """The first epoch with detection and caching, and a later one."""
    now = clock(options)
    start, cdb, epochs = now(), _cdb(table), _Epochs(now)
    names = concept_names(cdb)
    settings = LinkerSettings(options.encoder, context_window=WINDOW)
    linker = Linker.untrained(settings, UNFREEZE)
    splits = Splits(list(train), list(test), test=[], dropped=[])
    detector = VocabularyDetector(cdb, progress=False)
    data = LinkingDataModule(splits, detector, names=names, cutter=linker.cutter, batch_size=BATCH)
    module = LinkerModule(linker, names, loss=MarginalSoftmax(), optimizer=_optimizer)
    callbacks = [FrozenStates(CACHE), IndexRefresh(), Evaluation(), epochs]
    with peak_memory() as peak, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        L.Trainer(
            max_epochs=2, callbacks=callbacks, logger=False, enable_checkpointing=False,
            enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
        ).fit(module, data)  # fmt: skip
    end = now()
    rows = len(data.tables["train"].trainable)
    known = int((data.tables["train"].gold >= 0).sum())
    notes = {"gold_mentions": float(known)}
    return [
        Timing("epoch", "embedlink later epoch", rows, end - epochs.begun[1], 0.0, peak[0], notes),
        Timing("epoch", "embedlink first epoch and all before", rows, epochs.begun[1] - start,
               0.0, peak[0], notes),
    ]  # fmt: skip


def _optimizer(groups: list[dict[str, object]]) -> torch.optim.Optimizer:
    return torch.optim.AdamW(groups, lr=1e-4)


def _theirs(
    options: Options, table: str, train: Sequence[Document], test: Sequence[Document]
) -> Timing:
    """Upstream's recipe; the first embedding of all names is not counted."""
    from medcat.stats.stats import get_stats

    cat = upstream.training_cat(
        _cdb(table), encoder_source(options.encoder), context_window_size=WINDOW,
        top_n_layers_to_unfreeze=UNFREEZE, training_batch_size=BATCH, use_projection_layer=False,
    )  # fmt: skip
    linker: Any = next(c for c in cat._pipeline._components if c.is_core() and hasattr(c, "cnf_l"))
    linker.create_embeddings()
    now = clock(options)
    before, logged = logging.root.manager.disable, io.StringIO()
    logging.disable(logging.WARNING)
    try:
        with peak_memory() as peak, contextlib.redirect_stdout(logged):
            start = now()
            cat.trainer.train_supervised_raw(
                upstream.export_of(train), nepochs=1, disable_progress=True
            )
            linker.refresh_structure()
            linker.create_embeddings()
            get_stats(cat, upstream.export_of(test), do_print=False)
            seconds = now() - start
    finally:
        logging.disable(before)
    known = sum(m.cui in cat.cdb.cui2info for d in train for m in d.mentions)
    return Timing("epoch", "upstream's recipe", known, seconds, 0.0, peak[0])
