"""The settings of the entry scripts, and the typed class of each group of `conf`.

It imports nothing heavy, because `--help` reads it before torch, Lightning and MLflow are loaded.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from embedlink.corpora.settings import DataSettings, SplitSettings
from embedlink.detection.settings import TaggerTraining, VariantSettings, VocabularySettings
from embedlink.evaluation.settings import BaselineName
from embedlink.experiment.resuming import TAKES as TAKES_RESUME
from embedlink.linking.settings import LinkerSettings
from embedlink.objective.settings import (
    BatchSettings,
    MarginalSettings,
    MultiSimilaritySettings,
    ObjectiveSettings,
    OptimizerSettings,
    SampledSettings,
)
from embedlink.settings import again, setting
from embedlink.training.settings import RerankerTraining, ShortFormSettings, SynonymSettings

DATA_DIR = "${oc.env:EMBEDLINK_DATA,data}"


def _operating_point(value: object) -> bool:
    """Whether the value is `f1`, or one metric with a share between 0 and 1."""
    if value == "f1":
        return True
    if not isinstance(value, Mapping) or len(value) != 1:
        return False
    ((metric, least),) = value.items()
    if isinstance(least, bool) or not isinstance(least, int | float):
        return False
    return metric in ("precision", "recall") and 0 < least < 1


def _one_device(value: object) -> bool:
    """Whether the value means one device to Lightning: a count of 1, or a list of one number."""
    one = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1
    return one or (value == 1 and not isinstance(value, bool))


@dataclass(frozen=True)
class CommonSettings:
    """The settings of every entry that reads documents."""

    data_dir: str = setting(DATA_DIR, help="where the corpora lie; also EMBEDLINK_DATA")


@dataclass(frozen=True)
class MeasuredSettings(CommonSettings):
    """The settings of every entry that measures."""

    seed: int = again(BatchSettings, "seed")
    split_seed: int = setting(
        "${seed}", ge=0, help="decides random splits alone: several seeds, the same documents"
    )
    limit_documents: int | None = setting(
        None, ge=1, help="use only the first documents of each split, and notes, to try things out"
    )
    overwrite: bool = setting(
        False, help="replace what an earlier run left in this run's folder; nothing else ever"
    )


@dataclass(frozen=True)
class TrainSettings(ObjectiveSettings, BatchSettings, MeasuredSettings):
    """`train.py`: an experiment, from data to pack."""

    context_window: int = again(LinkerSettings, "context_window")
    resume: str | None = setting(
        None, help="go on where a run stopped: last, or a run's folder", takes=TAKES_RESUME,
        check=lambda value: value in (None, "last") or Path(str(value)).expanduser().exists(),
    )  # fmt: skip
    pack: bool = setting(True, help="leave a MedCAT model pack")
    operating_point: Any = setting(
        "f1", help="what the link threshold is chosen for", check=_operating_point,
        takes="f1, {precision: p} or {recall: r} with a share between 0 and 1",
    )  # fmt: skip
    baselines: tuple[BaselineName, ...] = setting(
        ("dictionary", "dictionary_spans", "tfidf"), help="measured beside the linker; [] for none"
    )


@dataclass(frozen=True)
class EvaluateSettings(MeasuredSettings):
    """`evaluate.py`: a linker or a baseline on a corpus, or two runs beside each other."""

    linker: str | None = setting(None, help="a linker folder, or the run's folder that holds it")
    baseline: BaselineName | None = setting(None, help="a baseline without an encoder")
    compare: tuple[str, ...] | None = setting(
        None, help="the folders of two runs measured on the same documents"
    )
    part: Literal["train", "validation", "test"] = setting(
        "test", help="the documents to measure on"
    )
    report: Literal["metrics", "errors"] = setting(
        "metrics", help="what is printed: metrics, or where F1 is lost"
    )


@dataclass(frozen=True)
class PrepareSettings(CommonSettings):
    """`prepare.py`: download, check and report data."""

    split_seed: int = setting(0, ge=0, help="decides random splits")
    download: bool = setting(True, help="download what may be downloaded")
    tracking_uri: str | None = setting(None, help="an MLflow address to log the report to")
    experiment_name: str = setting("data", help="MLflow's experiment for the report")


@dataclass(frozen=True)
class ExportSettings:
    """`export.py`: a linker in a MedCAT model pack, or in a folder that other tools load."""

    linker: str = setting(
        help="a linker folder, a run's folder, or what medcat-embedding-linker saved"
    )
    output: str = setting("exported", help="the folder to write")
    overwrite: bool = setting(False, help="replace a folder that EmbedLink wrote; no other ever")
    target: Literal["embedlink", "upstream", "sentence-transformers"] = setting(
        "embedlink", help="who is to load it"
    )
    pack: str | None = setting(None, help="the MedCAT model pack to put the linker into")
    tagger: str | None = setting(
        None, help="a run's folder `tagger`: the pack then detects as training does"
    )
    names: str | None = setting(
        None, help="the run's folder `pack`: its names that the pack lacks are added"
    )
    encoder: str | None = setting(
        None, help="target=upstream without pack=: the hub id that upstream loads first"
    )


@dataclass(frozen=True)
class AnnotateSettings:
    """`annotate.py`: the links of many notes, as a folder of parquet files."""

    pack: str = setting(help="the MedCAT model pack to annotate with, a folder or a zip")
    notes: str = setting(help="a folder or a file of parquet, csv, tsv, jsonl or txt")
    output: str = setting(help="the folder to write; after a stop, give it again to go on")
    text_column: str = setting("text", help="the column that holds the notes")
    id_column: str | None = setting(
        None, help="the column that holds their ids; null takes file and line"
    )
    include_text: bool = setting(False, help="add the text of each linked span")
    engine: Literal["local", "ray"] = setting("local", help="this machine, or a Ray cluster")
    processes: int | None = setting(
        None, ge=1, help="processes on this machine; null takes all cores, or one with a GPU"
    )
    notes_per_part: int = setting(200, ge=1, help="notes in one file of the output")
    overwrite: bool = setting(False, help="replace other annotations there; nothing else ever")


@dataclass(frozen=True)
class RaySettings:
    """The cluster of `annotate.py engine=ray`. Notes, pack and output lie on a shared disk."""

    address: str = setting("auto", help="Ray's address; auto finds the cluster of this machine")
    workers: int | None = setting(None, ge=1, help="most workers; null takes all cores")


@dataclass(frozen=True)
class SyncSettings:
    """`sync.py`: deliver to MLflow what runs logged while its store was away."""

    run: str | None = setting(None, help="the folder of one run; null for all runs")
    runs: str = setting("runs", help="where the folders of all runs lie")
    tracking_uri: str | None = setting(
        None, help="another MLflow address than the one that the run was started with"
    )


@dataclass(frozen=True)
class TrainerSettings:
    """The settings of Lightning's trainer. It takes more keys than these (+trainer.key=value)."""

    accelerator: str = setting("auto", help="a GPU if there is one; cpu: not")
    devices: Any = setting(
        1, help="1, or [1] for the second GPU", check=_one_device,
        takes="1, or the number of one device as [0]: a run trains on one, several runs on one "
        "each",
    )  # fmt: skip
    precision: str = setting("32-true", help="numbers of the training (trainer=bf16)")
    max_epochs: int = setting(4, ge=1, help="epochs over the training mentions")
    enable_progress_bar: bool = setting(True, help="show progress")


@dataclass(frozen=True)
class MonitorSettings:
    """The settings of a callback that watches a metric of validation."""

    monitor: Literal[
        "val/f1",
        "val/precision",
        "val/recall",
        "val/accuracy_at_1",
        "val/accuracy_at_1/unseen_surface",
    ] = setting("val/f1", help="the metric that decides")
    patience: int = setting(3, ge=0, help="epochs without a better value before training stops")


@dataclass(frozen=True)
class Group:
    """A typed class of a part of `conf`. The files of the group can include it by its `name`.

    `target` is the class that Hydra makes from the values, by default the settings class itself.
    `given` holds values that differ from the class' defaults. `without` names settings that this
    part does not take.
    """

    group: str
    name: str
    settings: type
    target: str = ""
    given: Mapping[str, object] = field(default_factory=dict)
    without: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """The key of the values in a configuration."""
        return PLACES.get((self.group, self.name), self.group)


PLACES = {
    ("detection", "tagger_settings"): "detection.tagger",
    ("objective", "marginal_settings"): "objective.loss",
    ("objective", "sampled_settings"): "objective.loss",
    ("objective", "multi_similarity_settings"): "objective.loss",
    ("callbacks", "stopping"): "callbacks.early_stopping",
    ("callbacks", "best"): "callbacks.checkpoint",
}
"""The keys of parts that differ from their group. "" is no part of `train.py`."""
LOSSES = "embedlink.objective.losses"
GROUPS = (
    Group("data", "settings", DataSettings, without=("export",)),
    Group("split", "settings", SplitSettings, given={"seed": "${split_seed}"}),
    Group("detection", "vocabulary_settings", VocabularySettings),
    Group("detection", "variant_settings", VariantSettings),
    Group("detection", "tagger_settings", TaggerTraining),
    Group(
        "model", "settings", LinkerSettings, given={"context_window": "${context_window}"},
        without=("dtype",),
    ),
    Group("objective", "marginal_settings", MarginalSettings, f"{LOSSES}.MarginalSoftmax"),
    Group("objective", "sampled_settings", SampledSettings, f"{LOSSES}.SampledSoftmax"),
    Group(
        "objective", "multi_similarity_settings", MultiSimilaritySettings,
        "embedlink.objective.multi_similarity.MultiSimilarity",
    ),
    Group("reranker", "settings", RerankerTraining),
    Group("pretraining", "synonym_settings", SynonymSettings),
    Group("pretraining", "short_form_settings", ShortFormSettings),
    Group("optimizer", "settings", OptimizerSettings),
    Group("trainer", "settings", TrainerSettings, "lightning.Trainer"),
    Group("callbacks", "stopping", MonitorSettings, "lightning.pytorch.callbacks.EarlyStopping"),
    Group(
        "callbacks", "best", MonitorSettings, "embedlink.training.best_epoch.BestEpoch",
        without=("patience",),
    ),
    Group("ray", "settings", RaySettings, "embedlink.annotation.on_ray.RayEngine"),
)  # fmt: skip
ENTRIES: Mapping[str, type] = {
    "train": TrainSettings,
    "evaluate": EvaluateSettings,
    "prepare": PrepareSettings,
    "export": ExportSettings,
    "annotate": AnnotateSettings,
    "sync": SyncSettings,
}
"""The settings at the top of each entry's configuration."""
GROUPS_OF: Mapping[str, Sequence[str]] = {
    "train": (
        "data", "split", "detection", "model", "objective", "reranker", "pretraining", "optimizer",
        "trainer", "callbacks", "logger", "experiment", "debug",
    ),
    "evaluate": ("data", "split", "detection", "logger"),
    "prepare": ("data", "split"),
    "export": (),
    "annotate": ("ray",),
    "sync": (),
}  # fmt: skip
"""The groups of `conf` that each entry composes."""
