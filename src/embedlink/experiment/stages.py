"""The stages of a training run. `train.train` calls them."""

import logging
import warnings
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import lightning as L
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.loggers import Logger
from medcat.cdb import CDB

from embedlink.corpora.seen import check_unseen
from embedlink.corpora.unlabelled import read_notes
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.detection.settings import TaggerSettings
from embedlink.detection.tagger import MentionTagger
from embedlink.evaluation.report import report_files
from embedlink.experiment.data import Data
from embedlink.experiment.parts import TrainRun
from embedlink.experiment.resuming import Resumed
from embedlink.files.atomic import written_aside
from embedlink.files.outputs import free_files, output_folder
from embedlink.linking.linker import Linker
from embedlink.linking.reranker import Reranker
from embedlink.linking.senses import SenseReader
from embedlink.linking.settings import RerankerSettings
from embedlink.medcat.pack import linking_cat, save_pack
from embedlink.medcat.training_fields import training_fields
from embedlink.senses.collected import collected
from embedlink.senses.known import worded
from embedlink.senses.table import Senses
from embedlink.training import better
from embedlink.training.callbacks import IndexRefresh
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.module import LinkerModule, Weights
from embedlink.training.reranker import learn_reranking
from embedlink.training.senses import Lessons, learn_senses, lessons_of
from embedlink.training.settings import RerankerTraining, ShortFormSettings, SynonymSettings
from embedlink.training.synonyms import SynonymDataModule
from embedlink.training.tagger import learn_tags

log = logging.getLogger(__name__)


def learn_detection(run: TrainRun, data: Data) -> None:
    """Save a tagger in the run's folder and detect with it, if `detection.tagger` asks for one.

    It is trained on the training documents. If the settings name a trained tagger, or if the
    resumed run left one, that tagger is used instead.
    """
    wanted, folder = run.detection.tagger, run.folder / "tagger"
    if wanted is None:
        return
    resumed = Resumed.of(run.settings.resume)
    trained = wanted.folder or (resumed.tagger if resumed else None)
    if trained is not None:
        check_unseen(Path(trained), [*data.splits.validation, *data.splits.test])
        tagger = MentionTagger.load(trained)
    else:
        settings = TaggerSettings(wanted.encoder or run.model.encoder, wanted.max_tokens)
        L.seed_everything(run.settings.seed, verbose=False)
        tagger = learn_tags(
            MentionTagger.untrained(settings), data.splits.train,
            plain_trainer(run, wanted.epochs), lr=wanted.lr, batch_size=wanted.batch_size,
            masked=wanted.masked, weight_decay=run.optimizer.weight_decay,
            warmup_share=run.optimizer.warmup_share, seed=run.settings.seed,
        )  # fmt: skip
    with written_aside(folder, may_replace(run)) as aside:
        tagger.save(aside)
    use_tagger(data.cdb, folder, wanted.least_probability)


def reused_runs(run: TrainRun) -> list[Path]:
    """Folders of the runs that this run builds on: the one it resumes, or the one of its tagger."""
    wanted, resumed = run.detection.tagger, Resumed.of(run.settings.resume)
    tagger = Path(wanted.folder).parent if wanted is not None and wanted.folder else None
    return [folder for folder in (tagger, resumed.folder if resumed else None) if folder]


def use_tagger(cdb: CDB, folder: Path, least: float) -> None:
    """Let detection propose the spans that the tagger gives a probability of `least` or more."""
    cdb.config.components.ner.tagger = str(folder)
    cdb.config.components.ner.least_tagged = least


def build_datamodule(run: TrainRun, data: Data, linker: Linker) -> LinkingDataModule:
    """The data module, which detects mentions and cuts windows on the splits."""
    return run.datamodule(data.splits, VocabularyDetector(data.cdb), data.names, linker.cutter)


def build_trainer(run: TrainRun, logger: Logger | None) -> L.Trainer:
    """Lightning's trainer with the callbacks and the logger of the run."""
    _leave_out_warnings()
    return run.trainer(callbacks=list(run.callbacks.values()), logger=logger or False)


def _leave_out_warnings() -> None:
    """Hide warnings of Lightning about choices that are intended, or about its own code.

    Frozen layers stay in eval mode, and batches are made in memory, on purpose.
    """
    warnings.filterwarnings("ignore", "Found .* module\\(s\\) in eval mode")
    # A resumed run writes to its own folder, and `BestEpoch` keeps track of the best epoch.
    warnings.filterwarnings("ignore", "The dirpath has changed from")
    warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec")
    warnings.filterwarnings("ignore", "The '.*_dataloader' does not have many workers")


def may_replace(run: TrainRun) -> bool:
    """Whether a run may replace files in its folder: with `overwrite`, or if it resumes itself."""
    resumed = Resumed.of(run.settings.resume)
    goes_on = resumed is not None and resumed.folder == run.folder.resolve()
    return run.settings.overwrite or goes_on


def check_run_folder(run: TrainRun) -> None:
    """Raise `EmbedLinkError` if the folder holds parts of another run that would be lost."""
    folder, replace = run.folder, may_replace(run)
    for part in ("linker", "pack", "tagger"):
        output_folder(folder / part, replace)
    files = sorted((folder / "checkpoints").glob("*.ckpt"))
    free_files([*files, *report_files(folder, "test")], replace)


def ship(run: TrainRun, linker: Linker, module: LinkerModule, data: Data) -> Path:
    """Write `linker/` and, if asked for, `pack/` to the run's folder. Returns the last one written.

    The index is the module's. A run writes a pack unless `pack=false` is set.
    """
    linker_folder = run.folder / "linker"
    index = module.fresh_index()
    settings, loss = run.settings, module.objective.loss
    training = training_fields(settings, settings, optimizer=run.optimizer, loss=loss)
    linker = replace(linker, training=training)
    with written_aside(linker_folder, may_replace(run)) as aside:
        linker.save(aside, data.names, index)
    if not run.settings.pack:
        return linker_folder
    return save_pack(linking_cat(linker_folder, data.cdb), run.folder / "pack", may_replace(run))


def pretrain(run: TrainRun, data: Data, module: LinkerModule) -> None:
    """Train on the concept database alone, if `pretraining` asks for it and nothing is resumed."""
    stage, resumed = run.pretraining, Resumed.of(run.settings.resume)
    if not isinstance(stage, SynonymSettings) or (resumed is not None and resumed.checkpoint):
        return
    seed = run.settings.seed
    synonyms = SynonymDataModule(
        data.names, module.name_sequences, batch_size=stage.batch_size, seed=seed
    )
    plain_trainer(run, stage.epochs, IndexRefresh()).fit(module, synonyms)


class Reading(NamedTuple):
    """A reader of short forms that is not trained yet, and what it is to learn from."""

    reader: SenseReader
    lessons: Lessons


def prepare_reader(
    run: TrainRun, data: Data, linker: Linker, datamodule: LinkingDataModule
) -> Reading | None:
    """Make an untrained reader of short forms for a linker, and find what it is to learn from.

    The reader reads the documents that are measured, so an untrained linker is measured with it.
    The result is None if `pretraining` does not ask for a reader, or if neither the notes of
    `data.unlabelled` nor the training documents hold a long form. Then there is no reader.
    """
    stage = run.pretraining
    if not isinstance(stage, ShortFormSettings) or run.data.senses is None:
        return None
    unlabelled = read_notes(run.data.unlabelled) if run.data.unlabelled else []
    unlabelled = unlabelled[: run.limit_documents]
    texts = [*unlabelled, *(document.text for document in data.splits.train)]
    known = Senses.load(run.data.senses).extended(collected(data.splits.train))
    senses = worded(known, data.names)
    lessons = lessons_of(texts, senses, settings=stage, seed=run.settings.seed)
    if not lessons.trained.examples:
        log.info("short forms: no note spells one out, so there is nothing to learn from")
        return None
    reader = SenseReader.untrained(
        linker.encoder, linker.tokenizer, senses=senses, names=data.names, layers=stage.layers,
        context_window=stage.context_window, max_tokens=stage.max_tokens,
    )  # fmt: skip
    datamodule.read_senses(reader, linker.settings.consistency, ("validation", "test"))
    return Reading(reader, lessons)


def learn_short_forms(
    run: TrainRun, reading: Reading, datamodule: LinkingDataModule
) -> dict[str, float]:
    """Train the reader of short forms in place, and read all documents with it.

    Returns its accuracy on held-out notes, before and after. A resumed run repeats this stage with
    the same result.
    """
    stage = run.pretraining
    assert isinstance(stage, ShortFormSettings)
    L.seed_everything(run.settings.seed, verbose=False)
    gain = learn_senses(
        reading.reader, reading.lessons, settings=stage, trainer=plain_trainer(run, stage.epochs),
        optimizer=partial(run.optimizer.factory, lr=stage.lr),
        weight_decay=run.optimizer.weight_decay, warmup_share=run.optimizer.warmup_share,
        seed=run.settings.seed,
    )  # fmt: skip
    datamodule.read_senses(reading.reader, run.model.consistency)
    return {
        f"pretraining/{when}": value
        for when, value in (("sense_accuracy_before", gain.before), ("sense_accuracy", gain.after))
        if value is not None
    }


def keep_better(
    trainer: L.Trainer, module: LinkerModule, datamodule: LinkingDataModule, published: Weights
) -> float:
    """Keep the weights that are best on validation documents, and return their F1 there.

    `weights/<try>` is the monitored metric of each try. `weights/kept` is how far the kept weights
    lie from the published ones (0) towards the trained ones (1), unless the best epoch is kept.
    """
    kept = better.keep_better(trainer, module, datamodule, published)
    if kept is None:
        return 0.0
    found = {f"weights/{name}": score for name, score in kept.scores.items()}
    if kept.name != better.BEST_EPOCH:
        found["weights/kept"] = float(kept.name)
    for logger in trainer.loggers:
        logger.log_metrics(found)
    return kept.f1


def learn_reranker(
    run: TrainRun,
    wanted: RerankerTraining,
    data: Data,
    module: LinkerModule,
    datamodule: LinkingDataModule,
) -> None:
    """Train a reranker for the trained linker, which uses it from now on."""
    linker, model = module.linker, run.model
    index = module.fresh_index()
    vectors = linker.encoder.encode(datamodule.sequences["train"], progress="Encoding windows")
    settings = RerankerSettings(wanted.top_k, model.max_name_tokens)
    L.seed_everything(run.settings.seed, verbose=False)
    reranker = learn_reranking(
        Reranker.untrained(settings, model.encoder), datamodule.tables["train"], vectors=vectors,
        index=index, names=data.names, trainer=plain_trainer(run, wanted.epochs), lr=wanted.lr,
        batch_size=wanted.batch_size, weight_decay=run.optimizer.weight_decay,
        warmup_share=run.optimizer.warmup_share, seed=run.settings.seed,
    )  # fmt: skip
    module.rerank_with(reranker)


def plain_trainer(run: TrainRun, epochs: int, *callbacks: Callback) -> L.Trainer:
    """A trainer for stages such as pretraining. It logs nothing and saves no checkpoint."""
    _leave_out_warnings()
    return run.trainer(
        max_epochs=epochs, callbacks=list(callbacks), logger=False, enable_checkpointing=False
    )
