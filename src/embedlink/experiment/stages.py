"""An experiment put together from its configuration, in the order the data flows."""

import hashlib
import json
import logging
import warnings
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import lightning as L
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Callback
from medcat.cdb import CDB
from omegaconf import DictConfig

from embedlink.concepts.codes import align_codes, check_overlap
from embedlink.concepts.database import load_cdb
from embedlink.concepts.enrichment import enrich_cdb
from embedlink.concepts.names import ConceptNames, concept_names
from embedlink.corpora.reading import read_corpora
from embedlink.corpora.report import DataReport, build_report
from embedlink.corpora.seen import check_unseen
from embedlink.corpora.splits import Splits, split_documents
from embedlink.detection.pipeline import (
    VocabularyDetector,
    check_tokenizer,
    detect_by,
    detection_config,
    leave_out_extras,
)
from embedlink.detection.settings import TaggerSettings
from embedlink.detection.tagger import MentionTagger
from embedlink.evaluation.report import report_files
from embedlink.experiment.resuming import Resumed
from embedlink.files.atomic import written_aside
from embedlink.files.outputs import free_files, output_folder
from embedlink.linking.linker import Linker
from embedlink.linking.reranker import Reranker
from embedlink.linking.settings import LinkerSettings, RerankerSettings
from embedlink.medcat.pack import linking_cat, save_pack
from embedlink.problems import Problems
from embedlink.training.callbacks import IndexRefresh
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.module import LinkerModule
from embedlink.training.reranker import learn_reranking
from embedlink.training.synonyms import SynonymDataModule
from embedlink.training.tagger import learn_tags
from embedlink.types import Document, Representative

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Data:
    """What a run trains and is measured on.

    `report` counts what was read, before the (name, CUI) pairs of `enriched` were added from
    training mentions.
    """

    splits: Splits
    cdb: CDB
    names: ConceptNames
    report: DataReport
    enriched: Sequence[tuple[str, str]]

    @property
    def digest(self) -> str:
        """SHA-256 over all documents, their split, and the concept table."""
        sha = hashlib.sha256(self.names.digest.encode())
        for side in ("train", "validation", "test"):
            for document in getattr(self.splits, side):
                sha.update(json.dumps([side, asdict(document)], sort_keys=True).encode())
        return sha.hexdigest()


def load_data(cfg: DictConfig, representative: Representative) -> Data:
    """Read the corpora and the concept database, split, and add the training names."""
    corpora = {name: instantiate(c, _convert_="all") for name, c in cfg.data.corpora.items()}
    documents, problems = read_corpora(corpora, strict=cfg.data.strict)
    ner = {key: value for key, value in cfg.detection.items() if key != "tagger"}
    config = detection_config(**ner)
    cdb = load_cdb(cfg.data.concepts, problems, config, cfg.data.get("language") or "en")
    check_tokenizer(cdb)
    leave_out_extras(cdb)
    detect_by(cdb, config)
    if cfg.data.strict:
        problems.raise_if_rejected()
    documents = align_codes(documents, cdb)
    check_overlap(documents, cdb)
    splits = split_documents(
        documents,
        split=cfg.data.split,
        seed=cfg.split_seed,
        test_share=cfg.data.test_share,
        validation_share=cfg.data.validation_share,
        document_list=cfg.data.document_list,
    )
    splits = _limited(splits, cfg.limit_documents)
    report = build_report(documents, problems, cdb)
    new = cfg.data.new_concepts
    enriched = enrich_cdb(cdb, splits.train, new_concepts=new) if cfg.data.enrich else []
    names = concept_names(cdb, representative)
    _describe(splits, names, problems, len(enriched))
    return Data(splits, cdb, names, report, enriched)


def _limited(splits: Splits, limit: int | None) -> Splits:
    train, validation, test = splits.train, splits.validation, splits.test
    return Splits(train[:limit], validation[:limit], test[:limit], splits.dropped)


def _describe(splits: Splits, names: ConceptNames, problems: Problems, enriched: int) -> None:
    def mentions(documents: list[Document]) -> int:
        return sum(len(document.mentions) for document in documents)

    for side in ("train", "validation", "test"):
        documents = getattr(splits, side)
        log.info("%-10s %5d documents %6d mentions", side, len(documents), mentions(documents))
    log.info(
        "concepts   %5d with %d names, %d of them added from training mentions",
        len(names.cuis), len(names.names), enriched,
    )  # fmt: skip
    if problems.found:
        log.warning(
            "%d problems in the input, %d rows left out; the first: %s",
            len(problems.found), len(problems.rejected), problems.found[0],
        )  # fmt: skip


def linker_settings(cfg: DictConfig) -> LinkerSettings:
    """Settings of the linker to train."""
    return LinkerSettings(
        encoder=cfg.model.name,
        context_window=cfg.context_window,
        max_tokens=cfg.model.max_tokens,
        max_name_tokens=cfg.model.max_name_tokens,
        pooling=cfg.model.pooling,
        projection=cfg.model.projection,
        representative=cfg.model.representative,
        surface_weight=cfg.model.surface_weight,
        towers=cfg.model.towers,
        frequency_weight=cfg.model.frequency_weight,
    )


def learn_detection(cfg: DictConfig, data: Data, folder: Path) -> None:
    """Leave a tagger in the folder and detect with it, where `detection.tagger` asks for one.

    It is trained on the training documents, unless one is given or that of a resumed run there.
    """
    wanted = cfg.detection.get("tagger")
    if wanted is None:
        return
    resumed = Resumed.of(cfg.resume)
    trained = wanted.folder or (resumed.tagger if resumed else None)
    if trained is not None:
        check_unseen(Path(trained), [*data.splits.validation, *data.splits.test])
        tagger = MentionTagger.load(trained)
    else:
        settings = TaggerSettings(wanted.encoder, wanted.max_tokens)
        trainer = _plain_trainer(cfg, wanted.epochs)
        L.seed_everything(cfg.seed, verbose=False)
        tagger = learn_tags(
            MentionTagger.untrained(settings), data.splits.train, trainer, lr=wanted.lr,
            batch_size=wanted.batch_size, masked=wanted.masked,
            weight_decay=cfg.optimizer.weight_decay, warmup_share=cfg.optimizer.warmup_share,
            seed=cfg.seed,
        )  # fmt: skip
    with written_aside(folder, may_replace(cfg, folder.parent)) as aside:
        tagger.save(aside)
    use_tagger(data.cdb, folder, wanted.least_probability)


def reused_runs(cfg: DictConfig) -> list[Path]:
    """Folders of the runs that this one goes on from: by its tagger, or resumed."""
    wanted = cfg.detection.get("tagger")
    tagger = Path(wanted.folder).parent if wanted is not None and wanted.folder else None
    resumed = Resumed.of(cfg.resume)
    return [folder for folder in (tagger, resumed.folder if resumed else None) if folder]


def use_tagger(cdb: CDB, folder: Path, least: float) -> None:
    """Let detection propose what this tagger finds at least so probable."""
    cdb.config.components.ner.tagger = str(folder)
    cdb.config.components.ner.least_tagged = least


def build_datamodule(cfg: DictConfig, data: Data, linker: Linker) -> LinkingDataModule:
    """Detection and windows over the splits."""
    return LinkingDataModule(
        data.splits,
        VocabularyDetector(data.cdb),
        data.names,
        linker.cutter,
        batch_size=cfg.batch_size,
        token_budget=cfg.token_budget,
        seed=cfg.seed,
    )


def build_module(cfg: DictConfig, data: Data, linker: Linker) -> LinkerModule:
    """The linker with its objective and optimizer."""
    return LinkerModule(
        linker,
        data.names,
        instantiate(cfg.loss),
        instantiate(cfg.optimizer.factory),
        targets=cfg.targets,
        nil_weight=cfg.nil_weight,
        hide_own_name=cfg.hide_own_name,
        encoded_negatives=cfg.encoded_negatives,
        weight_decay=cfg.optimizer.weight_decay,
        warmup_share=cfg.optimizer.warmup_share,
        seed=cfg.seed,
    )


def build_trainer(cfg: DictConfig) -> L.Trainer:
    """Lightning's trainer with the callbacks and the logger of the configuration."""
    _leave_out_warnings()
    callbacks = list(instantiate(cfg.callbacks).values())
    logger = instantiate(cfg.logger) if cfg.get("logger") else False
    trainer: L.Trainer = instantiate(cfg.trainer, callbacks=callbacks, logger=logger)
    return trainer


def _leave_out_warnings() -> None:
    """Frozen layers in eval mode and batches made in memory are meant; LeafSpec is Lightning's."""
    warnings.filterwarnings("ignore", "Found .* module\\(s\\) in eval mode")
    # A resumed run writes to a folder of its own, and `BestEpoch` takes the best epoch over.
    warnings.filterwarnings("ignore", "The dirpath has changed from")
    warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec")
    warnings.filterwarnings("ignore", "The '.*_dataloader' does not have many workers")


def may_replace(cfg: DictConfig, folder: Path) -> bool:
    """Whether a run may replace what its folder holds: the user says so, or the run goes on."""
    resumed = Resumed.of(cfg.resume)
    return bool(cfg.overwrite or (resumed is not None and resumed.folder == folder.resolve()))


def check_run_folder(cfg: DictConfig, folder: Path) -> None:
    """Raise `EmbedLinkError` if the folder holds parts of another run that would be lost."""
    replace = may_replace(cfg, folder)
    for part in ("linker", "pack", "tagger"):
        output_folder(folder / part, replace)
    files = sorted((folder / "checkpoints").glob("*.ckpt"))
    free_files([*files, *report_files(folder, "test")], replace)


def ship(cfg: DictConfig, folder: Path, module: LinkerModule, data: Data) -> Path:
    """Leave `linker/` and, unless switched off, `pack/` in the run's folder; the last one left."""
    linker_folder = folder / "linker"
    index = module.fresh_index()
    replace = may_replace(cfg, folder)
    with written_aside(linker_folder, replace) as aside:
        module.linker.save(aside, data.names, index)
    if not cfg.pack:
        return linker_folder
    return save_pack(linking_cat(linker_folder, data.cdb), folder / "pack", replace)


def first_stage(cfg: DictConfig, data: Data, module: LinkerModule) -> None:
    """Train on the concept database alone, where `stage` asks for it and nothing is resumed."""
    stage = cfg.get("stage")  # A group that nothing was chosen of leaves no key.
    resumed = Resumed.of(cfg.resume)
    if stage is None or (resumed is not None and resumed.checkpoint is not None):
        return
    synonyms = SynonymDataModule(data.names, module.name_sequences, stage.batch_size, cfg.seed)
    trainer = _plain_trainer(cfg, stage.epochs, IndexRefresh())
    trainer.fit(module, synonyms)


def learn_reranker(
    cfg: DictConfig, data: Data, module: LinkerModule, datamodule: LinkingDataModule
) -> None:
    """Train a reranker for the trained linker."""
    linker, model = module.linker, cfg.model
    index = module.fresh_index()
    vectors = linker.encoder.encode(datamodule.sequences["train"], progress="Encoding windows")
    settings = RerankerSettings(model.rerank, model.max_name_tokens)
    L.seed_everything(cfg.seed, verbose=False)
    linker.reranker = learn_reranking(
        Reranker.untrained(settings, model.name), datamodule.tables["train"], vectors, index,
        data.names, _plain_trainer(cfg, model.rerank_epochs), lr=model.rerank_lr,
        batch_size=model.rerank_batch_size, weight_decay=cfg.optimizer.weight_decay,
        warmup_share=cfg.optimizer.warmup_share, seed=cfg.seed,
    )  # fmt: skip


def _plain_trainer(cfg: DictConfig, epochs: int, *callbacks: Callback) -> L.Trainer:
    """The trainer of a stage before the one that is measured: it logs and saves nothing."""
    _leave_out_warnings()
    trainer: L.Trainer = instantiate(
        cfg.trainer, max_epochs=epochs, callbacks=list(callbacks), logger=False,
        enable_checkpointing=False,
    )  # fmt: skip
    return trainer
