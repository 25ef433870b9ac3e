"""The configuration of both components: MedCAT's `Linking` with the field names of upstream."""

import logging
from typing import Any, ClassVar, Literal, TypeVar

from medcat.config.config import Linking
from pydantic import ConfigDict, Field, create_model

from embedlink.index.exact import Search
from embedlink.linking.settings import LinkerSettings
from embedlink.objective.settings import (
    BatchSettings,
    ObjectiveSettings,
    OptimizerSettings,
    SampledSettings,
)
from embedlink.plugin import STATIC, TRAINABLE
from embedlink.problems import EmbedLinkError
from embedlink.settings import field_of, settings_of
from embedlink.types import Representative, Towers

log = logging.getLogger(__name__)

MINILM = "sentence-transformers/all-MiniLM-L6-v2"

CANNOT_TRAIN = (
    f"{STATIC} does not train, and nothing was changed; set "
    f"config.components.linking.comp_name = '{TRAINABLE}' before the pipeline is made, or load "
    f"the pack with config_dict={{'components': {{'linking': {{'comp_name': '{TRAINABLE}'}}}}}}"
)


FIELDS = {
    "encoder": "embedding_model_name",
    "context_window": "context_window_size",
    "max_tokens": "max_token_length",
    "max_name_tokens": "max_name_token_length",
    "pooling": "use_mention_attention",
    "projection": "use_projection_layer",
    "representative": "representative_name",
}
"""Upstream's names for a linker's settings. All other settings have one name everywhere."""


def _linker(name: str, *default: object) -> Any:
    return field_of(LinkerSettings, name, *default)


Declared = TypeVar("Declared", bound=Linking)


def with_settings(
    config: type[Declared], linker: type[LinkerSettings] = LinkerSettings
) -> type[Declared]:
    """Add a field to the configuration for each setting of a linker that it does not declare."""
    missing: Any = {
        name: (declared.kind, field_of(linker, name))
        for name, declared in settings_of(linker).items()
        if FIELDS.get(name, name) not in config.model_fields
    }
    if not missing:
        return config
    made = create_model(config.__name__, __base__=config, __module__=config.__module__, **missing)
    made.linker = linker  # type: ignore[attr-defined]
    return made


@with_settings
class EmbedLinkLinking(Linking):
    """The fields of `medcat-embedding-linker`, with their names and meanings, and EmbedLink's own.

    Every field may be changed while the component is in use. Pydantic raises `ValidationError` for
    a field that does not exist or a value out of range, also if it is set later.
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)
    linker: ClassVar[type[LinkerSettings]] = LinkerSettings

    comp_name: str = STATIC
    embedding_model_name: str = MINILM
    """An encoder (hub id or folder), the `linker` folder that a training run leaves, or a
    folder that `medcat-embedding-linker` saved."""
    context_window_size: int = _linker("context_window")
    max_token_length: int = _linker("max_tokens")
    max_name_token_length: int | None = _linker("max_name_tokens", None)
    """Most tokens of a name. None takes `max_token_length`."""
    use_mention_attention: bool = True
    """On: average the tokens of the mention. Off: average all tokens of the window."""
    use_projection_layer: bool = _linker("projection", True)
    surface_weight: float = _linker("surface_weight")
    towers: Towers = _linker("towers")
    """Training decides this. A linker folder brings its own value."""
    consistency: float = _linker("consistency")
    frequency_weight: float = _linker("frequency_weight")
    """`train.py` counts the mentions. Training inside MedCAT does not."""
    representative_name: Representative = _linker("representative")
    dtype: Literal["float32", "bfloat16"] = _linker("dtype")
    gpu_device: Any = None
    """The device of the encoder. None takes a GPU if there is one."""
    embedding_batch_size: int = Field(4096, ge=1)
    """Names embedded at once. A batch takes at most the room of so many names of the greatest
    length. It never exceeds the encoder's own budget. Names of similar length go together."""
    linking_batch_size: int = Field(512, ge=1)
    """Mentions of a document that are linked at once."""
    search_by: Search = "auto"
    """How names are searched. `float32`, `bfloat16` and `int8` find the same names. Shorter types
    read less memory, but need some of their own beside the index. `approximate` is faster if there
    are many names, but may miss some. It needs `pip install faiss-cpu`. Compare them with
    `python -m benchmarks --only search`."""

    use_ner_link_candidates: bool = True
    """On: use detection's candidates. Off: candidates come from the index only."""
    append_to_ner_link_candidates: bool = False
    """Add candidates from the index to detection's."""
    use_pre_inference: bool = True
    """On: spans that lack candidates get them from the index, by the mention's own words. Off: a
    span without candidates is compared with every name, in its context."""
    pre_inference_top_k_sampling: int = Field(1, ge=0)
    """How many names give their concepts as candidates. 0 takes all names that reach
    `short_similarity_threshold`, or only the best name if that is 0 too."""
    short_similarity_threshold: float = Field(0.0, ge=-1, le=1)
    """Least similarity of a name that gives candidates. 0 means no limit."""
    inference_top_k_sampling: int = Field(1, ge=1)
    """How many names are kept of a span that is compared with every name (`use_pre_inference`)."""
    filter_before_disamb: bool = False
    """Apply the filters to the candidates, and not only to the chosen concept."""
    always_calculate_similarity: bool = True
    """Off, with `use_pre_inference`: a span with one candidate is linked to it unseen. Its
    similarity and its probability are 1, so no threshold applies. MedCAT's default is off, but then
    thresholds have almost no effect."""
    rerank: bool = True
    """If the linker has a cross-encoder, let it choose among the concepts nearest to a span without
    candidates. It is trained with `reranker=cross_encoder`."""
    senses: bool = True
    """Let a short form go unlinked if its context shows a meaning outside the database. The linker
    must have learned to read short forms (`pretraining=short_forms`)."""
    disambiguate_by: Literal["names", "concepts"] = "names"
    """What is compared of several candidates. `names`: each one's closest name. `concepts`: its
    representative name, as in `medcat-embedding-linker`."""
    use_similarity_threshold: bool = True
    """Off: `long_similarity_threshold` is ignored."""
    long_similarity_threshold: float = Field(0.0, ge=-1, le=1)
    """Least similarity of a link. 0 means no limit."""
    similarity_threshold: float = Field(0.0, ge=0, le=1)
    """Least probability of a link, in addition to `link_threshold`. This is MedCAT's own field.
    MedCATtrainer compares it with the probability of a link, `acc`."""
    link_threshold: float | None = Field(None, ge=0, le=1)
    """Least probability that a span is linked at all. None takes the threshold that `train.py`
    chose on validation documents. Training inside MedCAT teaches the link decision, but does not
    change threshold and calibration. So a linker that `train.py` did not train links everything
    until this is set. With 0.5, spans that annotators would probably leave alone are not linked."""
    multiple_predictions_per_detected_entity: bool = False
    """Return every candidate that passes, best first, and not only the best one."""

    train: bool = False
    """MedCAT's trainer sets it while it trains. Setting it to true raises `EmbedLinkError` if the
    component is static."""
    training_batch_size: int = field_of(BatchSettings, "batch_size")
    """Samples in a batch. A batch may hold samples of several documents."""
    embed_per_n_batches: int = Field(0, ge=0)
    """Embed all names again after this many batches. 0: before the next prediction or save."""
    learning_rate: float = field_of(OptimizerSettings, "lr")
    """The rate is constant. The link decision has its own, `objective.optim.DECISION_LR`."""
    weight_decay: float = field_of(OptimizerSettings, "weight_decay")
    gradient_clip_val: float = field_of(OptimizerSettings, "gradient_clip_val")
    top_n_layers_to_unfreeze: int = field_of(BatchSettings, "unfreeze", 0)
    train_on_names: bool = True
    """On: compare with all names. Off: compare with each concept's representative name."""
    loss: Literal["sampled", "marginal"] = "sampled"
    """`sampled`: one name against hard negatives, which the fields below draw. `marginal`: all
    names of the concept against all names."""
    negative_sampling_k: int = field_of(SampledSettings, "k")
    negative_sampling_candidate_pool_size: int = field_of(SampledSettings, "pool_size")
    negative_sampling_temperature: float = field_of(SampledSettings, "temperature")
    nil_weight: float = field_of(ObjectiveSettings, "nil_weight")
    learn_from_unannotated: bool = True
    """Learn not to link the spans that detection proposes and a training document leaves alone.
    Turn it off if documents are only annotated in part."""
    seed: int = field_of(BatchSettings, "seed")

    def model_post_init(self, context: Any, /) -> None:
        """Warn of fields of MedCAT's own linker that are given and have no effect here."""
        for name in sorted(self.model_fields_set):
            _warn_if_idle(name, getattr(self, name))

    def __setattr__(self, name: str, value: Any) -> None:
        _warn_if_idle(name, value)
        # MedCAT's trainer sets `train` first. Then it would add names and train nothing.
        if name == "train" and value and self.comp_name == STATIC:
            raise EmbedLinkError(CANNOT_TRAIN)
        super().__setattr__(name, value)

    def settings(self) -> LinkerSettings:
        """The linker's settings that these fields ask for. If they are equal, nothing changes."""
        values = {name: getattr(self, FIELDS.get(name, name)) for name in settings_of(self.linker)}
        values["max_name_tokens"] = self.max_name_token_length or self.max_token_length
        values["pooling"] = "mention" if self.use_mention_attention else "window"
        return self.linker(**values)

    def adopt(self, settings: LinkerSettings) -> None:
        """Put the settings of a loaded linker into the fields, so that `settings()` returns them.

        `embedding_model_name` becomes the encoder that the linker was made from.
        """
        shown = {FIELDS.get(name, name): value for name, value in vars(settings).items()}
        if settings.max_name_tokens == settings.max_tokens:
            shown["max_name_token_length"] = None
        shown["use_mention_attention"] = settings.pooling == "mention"
        for name, value in shown.items():
            setattr(self, name, value)


_READ = {"filters"}.union(
    *(kind.__annotations__ for kind in EmbedLinkLinking.__mro__ if kind not in Linking.__mro__)
)
IDLE = frozenset(Linking.model_fields) - _READ
"""Fields of MedCAT's own linker that do nothing here. A pack of MedCAT's may hold them."""


def _warn_if_idle(name: str, value: object) -> None:
    # A pack holds all fields, so one that has MedCAT's default says nothing.
    if name in IDLE and value != Linking.model_fields[name].get_default(call_default_factory=True):
        log.warning(
            "config.components.linking.%s=%r has no effect: EmbedLink's linker does not read it",
            name, value,
        )  # fmt: skip
