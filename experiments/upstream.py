"""Upstream's linker on the data, detection and evaluation of a training run here.

PYTHONHASHSEED=0 python -m experiments.upstream experiment=recipe data_dir=/path/to/data seed=0

It needs `pip install medcat-embedding-linker==0.4.0`, and the hash seed to repeat itself: it
draws from sets. Of the settings of the linker it takes `model.encoder`, `model.projection`,
`context_window`, `unfreeze` and `batch_size`; the rest is its own default. `detection=variants` and
`detection=vocabulary` take the learned part of detection away. Three metrics are logged to MLflow
beside the study's runs: `baseline/…` untrained, `names/…` with the training documents' names added
and no step trained (`baselines=[]` leaves both out; no seed changes them but by the tagger), and
`test/…` after as many epochs. Its epochs are MedCAT's own training (`train_supervised_raw`), which
adds the names itself, and an embedding of all names. The counts of the test documents are left in
the run's folder, for `python evaluate.py compare=[run,run]`.
"""

import io
import logging
from contextlib import redirect_stdout
from dataclasses import replace
from typing import Any

import hydra
import numpy as np
from benchmarks import upstream
from hydra.utils import instantiate
from lightning import seed_everything
from medcat.cat import CAT
from omegaconf import DictConfig

from embedlink.concepts.enrichment import enrich_cdb
from embedlink.corpora.report import digest
from embedlink.corpora.seen import note_seen
from embedlink.encoder.pretrained import encoder_source
from embedlink.evaluation.bootstrap import intervals
from embedlink.evaluation.comparison import counts_file
from embedlink.evaluation.counts import Counts, count, gold_mentions, skipped_starts
from embedlink.evaluation.document_counts import DocumentCounts
from embedlink.experiment import stages
from embedlink.experiment.config import check_settings
from embedlink.experiment.data import load_data
from embedlink.experiment.entry import reported_errors
from embedlink.experiment.parts import TrainRun
from embedlink.experiment.resolvers import PROJECT_ROOT, register_resolvers
from embedlink.experiment.tracking import parameters, run_ends
from embedlink.types import CodeRule, Document, Prediction

register_resolvers()
log = logging.getLogger(__name__)

EMBEDDING_BATCH = 64
"""Names embedded at a time; upstream's own 4,096 gives the same vectors in twice the time."""


def linker_of(cat: CAT) -> Any:
    """Upstream's component."""
    return next(c for c in cat._pipeline._components if c.is_core() and hasattr(c, "cnf_l"))


def embed(cat: CAT) -> None:
    """Embed all names as they are now."""
    linker_of(cat).refresh_structure()
    linker_of(cat).create_embeddings()


def counts_of(cat: CAT, documents: list[Document], rule: CodeRule) -> DocumentCounts:
    """What it makes of every document, by the rule of `medcat.stats`; ranks are not known."""
    counts = []
    for document in documents:
        found = cat.get_entities(document.text)["entities"].values()
        predictions = [
            Prediction(e["start"], e["end"], cui=e["cui"], similarity=0.0) for e in found
        ]
        gold = gold_mentions(document, rule)
        own = count(predictions, gold, skipped_starts(document, rule))
        counts.append((own.tp, own.fp, own.fn, 0, 0))
    return DocumentCounts(
        [digest([document]) for document in documents],
        [document.corpus for document in documents],
        np.array(counts, dtype=np.int64),
    )


def _plain(document: Document) -> Document:
    """The document with what names are taken from: MedCAT's trainer would take all there is."""
    known = tuple(mention for mention in document.mentions if mention.cui is not None)
    return replace(document, mentions=known, rejected=())


def metrics(counts: DocumentCounts) -> dict[str, float]:
    """Precision, recall and F1, with their intervals by document."""
    tp, fp, fn = counts.counts.sum(0)[:3].tolist()
    summed = Counts(tp, fp, fn)
    found = {"precision": summed.precision, "recall": summed.recall, "f1": summed.f1}
    bounds = intervals(counts.counts)
    return found | {k: v for k, v in bounds.items() if k.rsplit("_", 1)[0] in found}


def measured(run: TrainRun) -> dict[str, dict[str, float]]:
    """Metrics on the test documents by stage; the folder takes the last one's counts."""
    stages.check_run_folder(run)
    plain = replace(run, data=replace(run.data, enrich=False))
    data, settings = load_data(plain, run.model.representative), run.settings
    note_seen(run.folder, data.splits.train)
    stages.learn_detection(run, data)
    seed_everything(settings.seed, verbose=False)  # Upstream draws from `random` and PyTorch.
    cat = upstream.training_cat(
        data.cdb, encoder_source(run.model.encoder),
        context_window_size=run.model.context_window,
        top_n_layers_to_unfreeze=settings.unfreeze, training_batch_size=settings.batch_size,
        embedding_batch_size=EMBEDDING_BATCH,
        use_projection_layer=run.model.projection,
    )  # fmt: skip
    test, rule = data.splits.test, run.data.code_rule
    found = {}
    if settings.baselines:
        embed(cat)
        found["baseline"] = metrics(counts_of(cat, test, rule))
    enrich_cdb(cat.cdb, data.splits.train, new_concepts=run.data.new_concepts)
    embed(cat)
    if settings.baselines:
        found["names"] = metrics(counts_of(cat, test, rule))
    train = upstream.export_of([_plain(document) for document in data.splits.train])
    epochs: int = run.trainer(callbacks=[], logger=False).max_epochs or 1
    for epoch in range(epochs):
        with redirect_stdout(io.StringIO()):
            cat.trainer.train_supervised_raw(train, nepochs=1, disable_progress=True)
        embed(cat)
        log.info("epoch %d of %d is trained", epoch + 1, epochs)
    counts = counts_of(cat, test, rule)
    counts.write(run.folder / counts_file("test"))
    return found | {"test": metrics(counts)}


@hydra.main(version_base="1.3", config_path=str(PROJECT_ROOT / "conf"), config_name="train")
def main(cfg: DictConfig) -> None:
    """The command line."""
    logger = instantiate(cfg.logger)
    with reported_errors(), run_ends([logger]):
        logger.log_hyperparams(parameters(cfg) | {"linker": "medcat-embedding-linker"})
        logger.set_tags({"mlflow.runName": f"upstream {cfg.logger.run_name}"})
        check_settings(cfg)
        found = measured(TrainRun.of(cfg))
        for stage, values in found.items():
            logger.log_metrics({f"{stage}/{key}": value for key, value in values.items()}, step=0)
            print(stage, *(f"{key} {value:.3f}" for key, value in values.items()))


if __name__ == "__main__":
    main()
