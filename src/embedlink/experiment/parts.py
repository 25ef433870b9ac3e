"""The parts of a run, which Hydra makes from the configuration. Stages take them, and not `cfg`."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import lightning as L
from hydra.core.hydra_config import HydraConfig
from hydra.errors import InstantiationException
from hydra.utils import instantiate
from lightning.pytorch.callbacks import Callback
from omegaconf import DictConfig, OmegaConf

from embedlink.corpora.settings import DataSettings, SplitSettings
from embedlink.detection.settings import VocabularySettings
from embedlink.experiment.settings import EvaluateSettings, TrainSettings
from embedlink.linking.linker import Linker
from embedlink.linking.settings import LinkerSettings
from embedlink.objective.settings import OptimizerSettings
from embedlink.problems import EmbedLinkError
from embedlink.settings import settings_of
from embedlink.training.datamodule import LinkingDataModule
from embedlink.training.module import LinkerModule
from embedlink.training.settings import RerankerTraining, ShortFormSettings, SynonymSettings


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a run reads, and how it detects."""

    data: DataSettings
    split: SplitSettings
    detection: VocabularySettings
    limit_documents: int | None

    @classmethod
    def of(cls, cfg: DictConfig) -> "Inputs":
        """The inputs of a configuration."""
        return cls(**_inputs(cfg))


@dataclass(frozen=True, kw_only=True)
class TrainRun(Inputs):
    """All parts of a training run. `settings` are those at the top of its configuration."""

    settings: TrainSettings
    model: LinkerSettings
    linker: Callable[..., Linker]
    datamodule: Callable[..., LinkingDataModule]
    module: Callable[..., LinkerModule]
    optimizer: OptimizerSettings
    trainer: Callable[..., L.Trainer]
    callbacks: Mapping[str, Callback]
    reranker: RerankerTraining | None
    pretraining: SynonymSettings | ShortFormSettings | None
    folder: Path

    @classmethod
    def of(cls, cfg: DictConfig) -> "TrainRun":
        """Make every part except the logger, which `tracking` makes."""
        parts = (
            "model", "linker", "datamodule", "module", "optimizer", "trainer", "callbacks",
            "reranker", "pretraining",
        )  # fmt: skip
        made = {part: _made(cfg, part) for part in parts}
        top = settings_at_top(cfg, TrainSettings)
        return cls(settings=TrainSettings(**top), folder=run_folder(), **made, **_inputs(cfg))


@dataclass(frozen=True, kw_only=True)
class EvaluateRun(Inputs):
    """All parts of a run of `evaluate.py`."""

    settings: EvaluateSettings
    folder: Path

    @classmethod
    def of(cls, cfg: DictConfig) -> "EvaluateRun":
        """Make every part except the logger, which `tracking` makes."""
        top = settings_at_top(cfg, EvaluateSettings)
        return cls(settings=EvaluateSettings(**top), folder=run_folder(), **_inputs(cfg))


def run_folder() -> Path:
    """The folder that Hydra made for this run, or the current folder outside Hydra."""
    return Path(HydraConfig.get().runtime.output_dir) if HydraConfig.initialized() else Path()


def settings_at_top(cfg: DictConfig, settings: type) -> dict[str, Any]:
    """The values of an entry's own settings, with references resolved."""
    chosen = OmegaConf.masked_copy(cfg, list(settings_of(settings)))
    values: Any = {
        name: OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
        for name, value in ((name, cfg[name]) for name in chosen)
    }
    return dict(values)


def _inputs(cfg: DictConfig) -> dict[str, Any]:
    made = {part: _made(cfg, part) for part in ("data", "split", "detection")}
    return made | {"limit_documents": cfg.get("limit_documents")}


def _made(cfg: DictConfig, part: str) -> Any:
    """One part, or None if its group has no choice and so no key."""
    node = cfg.get(part)
    if node is None:
        return None
    try:
        return instantiate(node, _convert_="all")
    except InstantiationException as error:
        # An error that a user can mend is shown without Hydra's own message around it.
        if isinstance(error.__cause__, EmbedLinkError):
            raise EmbedLinkError(f"{part}.{error.__cause__}") from error
        raise
