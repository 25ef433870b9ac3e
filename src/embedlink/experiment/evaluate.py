"""Measures a finished linker or a baseline on a split of a corpus, for `evaluate.py`."""

import logging
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from omegaconf import DictConfig, OmegaConf

from embedlink.corpora.frequencies import TrainingMentions
from embedlink.corpora.seen import check_unseen, count_seen
from embedlink.detection.pipeline import VocabularyDetector
from embedlink.encoder.tokens import TokenSequences
from embedlink.encoder.windows import WindowCutter
from embedlink.evaluation.baseline_outcome import measure_baseline
from embedlink.evaluation.report import Measured, measure_linker
from embedlink.evaluation.scorer import Scorer
from embedlink.experiment import stages
from embedlink.experiment.config import check_values
from embedlink.experiment.data import Data, load_data
from embedlink.experiment.parts import EvaluateRun
from embedlink.linking.entity_linking import EntityLinking
from embedlink.linking.linker import Linker
from embedlink.linking.mention_table import MentionTable, mention_table
from embedlink.linking.shipped import Shipped
from embedlink.problems import EmbedLinkError
from embedlink.types import CodeRule, Document

log = logging.getLogger(__name__)

WAYS = ("linker", "baseline", "compare")
"""The keys that say what to evaluate. Each run takes exactly one of them."""


def check_evaluation(cfg: DictConfig) -> None:
    """Raise `EmbedLinkError` unless exactly one of `WAYS` is given and all values are allowed.

    `report=errors` is for a linker alone, because a baseline has no link decision that rejects.
    """
    given = [way for way in WAYS if OmegaConf.select(cfg, way) is not None]
    if len(given) != 1:
        said = ", ".join(f"{way}={cfg[way]}" for way in given) or "none was given"
        raise EmbedLinkError(f"evaluate.py takes one of {', '.join(WAYS)}: {said}")
    check_values(cfg)
    if cfg.report == "errors" and given != ["linker"]:
        raise EmbedLinkError(f"report=errors takes linker=, and {given[0]}= is given")


def measure(run: EvaluateRun) -> tuple[Data, Measured]:
    """Load the linker or baseline that the run names, and measure it on the chosen split."""
    if run.settings.baseline is not None:
        data = load_data(run, "preferred")
        table = _table(run, data, NoWindows())
        return data, data_baseline(
            run.settings.baseline, data, table=table, rule=run.data.code_rule
        )
    shipped = Shipped.of(run.settings.linker or "")
    linker = Linker.load(shipped.linker)
    for encoder in (linker.encoder, linker.reranker):
        if encoder is not None:
            encoder.to("cuda" if torch.cuda.is_available() else "cpu")
    data = load_data(run, linker.settings.representative)
    _check_not_trained_on(run, data, shipped.linker)
    if run.data.enrich and count_seen(shipped.linker, data.splits.train) == 0:
        log.warning(
            "%s: was trained on other documents than those whose names are added here; "
            "data.enrich=false leaves these names out",
            shipped.linker,
        )
    _use_own_tagger(run, data, shipped)
    return data, _measure_linker(run, data, linker=linker, folder=shipped.linker)


def _check_not_trained_on(run: EvaluateRun, data: Data, folder: Path) -> None:
    """Raise `EmbedLinkError` if the linker or tagger was trained on documents to be measured on.

    With `part=train` the training documents are asked for, so nothing is checked.
    """
    if run.settings.part != "train":
        check_unseen(folder, getattr(data.splits, run.settings.part))


def _use_own_tagger(run: EvaluateRun, data: Data, shipped: Shipped) -> None:
    """Detect with the tagger of the configuration, or else with the tagger of the linker's run."""
    wanted = run.detection.tagger
    if wanted is not None:
        folder = Path(wanted.folder or shipped.tagger)
        if wanted.folder or folder.is_dir():
            _check_not_trained_on(run, data, folder)
            stages.use_tagger(data.cdb, folder, wanted.least_probability)
        else:
            log.warning(
                "%s: no tagger; detection finds names only. Was the linker moved? Then give "
                "detection.tagger.folder, or detection=variants if it was trained without one",
                folder,
            )


def data_baseline(name: str, data: Data, table: MentionTable, rule: CodeRule) -> Measured:
    """A baseline on a split of a run's data."""
    training = TrainingMentions.of(data.splits.train)
    return measure_baseline(
        name, table, names=data.names, training=training, added=data.enriched, rule=rule
    )


class NoWindows(WindowCutter):
    """Cuts no windows, because a baseline reads surfaces only."""

    def __init__(self) -> None:
        pass

    def __call__(self, texts: Iterable[tuple[str, Sequence[tuple[int, int]]]]) -> TokenSequences:
        """Return no windows for any texts."""
        return TokenSequences.of([], [], 0)


def _measure_linker(run: EvaluateRun, data: Data, linker: Linker, folder: Path) -> Measured:
    """Measure a linker with the index in its folder, or with a new one if it does not fit."""
    table = _table(run, data, linker.cutter)
    if linker.senses is not None:
        table = linker.senses.read_table(table, data.names, linker.settings.consistency)
    index = linker.stored_index(folder, data.names) or linker.build_index(data.names)
    linking = EntityLinking.of(linker, data.names, index)
    scorer = Scorer(linking, run.data.code_rule, TrainingMentions.of(data.splits.train))
    vectors = linker.encoder.encode(table.windows, progress="Encoding windows")
    return measure_linker(scorer, table, vectors)


def _table(run: EvaluateRun, data: Data, cutter: WindowCutter) -> MentionTable:
    documents: list[Document] = getattr(data.splits, run.settings.part)
    detections = VocabularyDetector(data.cdb)(documents)
    return mention_table(documents, detections, names=data.names, cutter=cutter)
