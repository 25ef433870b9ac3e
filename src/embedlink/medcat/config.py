"""The components' configuration: MedCAT's `Linking` with the field names that users know."""

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
"""What upstream calls a linker's settings. The others have one name everywhere."""


def _linker(name: str, *default: object) -> Any:
    return field_of(LinkerSettings, name, *default)


Declared = TypeVar("Declared", bound=Linking)


def with_settings(
    config: type[Declared], linker: type[LinkerSettings] = LinkerSettings
) -> type[Declared]:
    """The configuration with a field for each setting of a linker that it does not declare."""
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
    """Fields of `medcat-embedding-linker`, in its names and meanings, and EmbedLink's own.

    Every field may be changed while the component is in use. A field that does not exist is an
    error, also when it is set later; so is a value out of range (pydantic's `ValidationError`).
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
    """Most tokens of a name; None takes `max_token_length`."""
    use_mention_attention: bool = True
    """`pooling`: average the tokens of the mention, or all of the window's."""
    use_projection_layer: bool = _linker("projection", True)
    surface_weight: float = _linker("surface_weight")
    towers: Towers = _linker("towers")
    """Decided in training: a linker's folder brings its own."""
    frequency_weight: float = _linker("frequency_weight")
    """`train.py` counts the mentions. Training inside MedCAT does not."""
    representative_name: Representative = _linker("representative")
    dtype: Literal["float32", "bfloat16"] = _linker("dtype")
    gpu_device: Any = None
    """Where the encoder runs; None takes a GPU where there is one."""
    embedding_batch_size: int = Field(4096, ge=1)
    """Names embedded at once: bounds a batch to the room that so many of the greatest length
    take. Names of like length go together, and never more than fit the encoder's own budget."""
    linking_batch_size: int = Field(512, ge=1)
    """Mentions of a document linked at once."""
    search_by: Search = "auto"
    """How names are searched. `float32`, `bfloat16` and `int8` find the same; the shorter read
    less memory beside the index' own. `approximate` (`pip install faiss-cpu`) answers sooner
    where names are many, and may miss some: `python -m benchmarks --only search`."""

    use_ner_link_candidates: bool = True
    """Trust detection's candidates; else candidates come from the index alone."""
    append_to_ner_link_candidates: bool = False
    """Add candidates from the index to detection's."""
    use_pre_inference: bool = True
    """Get candidates from the index for spans that lack them, from the mention's own words. Off:
    a span without candidates is compared with every name, in its context."""
    pre_inference_top_k_sampling: int = Field(1, ge=0)
    """How many names give their concepts as candidates; 0 takes all above
    `short_similarity_threshold`, and the best one where that is 0 too."""
    short_similarity_threshold: float = Field(0.0, ge=-1, le=1)
    """Least similarity of a name that gives candidates; 0 is no limit."""
    inference_top_k_sampling: int = Field(1, ge=1)
    """How many names a span compared with every name keeps; see `use_pre_inference`."""
    filter_before_disamb: bool = False
    """Apply the filters to the candidates, not only to the concept chosen."""
    always_calculate_similarity: bool = True
    """Off, with `use_pre_inference`: a span's only candidate is linked unseen, with similarity 1,
    by no threshold and no decision. (On is not MedCAT's default; without it thresholds do next to
    nothing.)"""
    rerank: bool = True
    """Let the linker's cross-encoder, where it has one, choose among the concepts nearest to a
    span without candidates (`reranker=cross_encoder` in training)."""
    senses: bool = True
    """Let a short form that means something outside the database where it stands go unlinked, if
    the linker learned to read them (`pretraining=short_forms`)."""
    disambiguate_by: Literal["names", "concepts"] = "names"
    """Among several candidates, compare each one's closest name, or its representative name (as
    `medcat-embedding-linker` does)."""
    use_similarity_threshold: bool = True
    """Off: `long_similarity_threshold` is ignored."""
    long_similarity_threshold: float = Field(0.0, ge=-1, le=1)
    """Least similarity of a link; 0 is no limit."""
    similarity_threshold: float = Field(0.0, ge=0, le=1)
    """Least probability of a link, in addition to `link_threshold`. It is MedCAT's field, which
    MedCATtrainer compares with the probability of a link, `acc`."""
    link_threshold: float | None = Field(None, ge=0, le=1)
    """Least probability that a span is linked at all; None is the one that `train.py` chose on
    validation documents. Training inside MedCAT has none: it teaches the decision and leaves
    threshold and calibration as they were. A linker that `train.py` never saw thus links
    everything until this is set; 0.5 leaves alone what annotators more likely would."""
    multiple_predictions_per_detected_entity: bool = False
    """Return every candidate that passes, best first, and not the best alone."""

    train: bool = False
    """MedCAT's trainer sets it while it trains. Setting it to true raises `EmbedLinkError`
    where the component is static."""
    training_batch_size: int = field_of(BatchSettings, "batch_size")
    """Batches run across documents."""
    embed_per_n_batches: int = Field(0, ge=0)
    """Embed all names again every so many batches; 0: before the next prediction or save."""
    learning_rate: float = field_of(OptimizerSettings, "lr")
    """Constant; the link decision has its own, `objective.optim.DECISION_LR`."""
    weight_decay: float = field_of(OptimizerSettings, "weight_decay")
    gradient_clip_val: float = field_of(OptimizerSettings, "gradient_clip_val")
    top_n_layers_to_unfreeze: int = field_of(BatchSettings, "unfreeze", 0)
    train_on_names: bool = True
    """Compare with all names; else with each concept's representative name."""
    loss: Literal["sampled", "marginal"] = "sampled"
    """`sampled`: one name against hard negatives drawn as below; `marginal`: all names of the
    concept against all names."""
    negative_sampling_k: int = field_of(SampledSettings, "k")
    negative_sampling_candidate_pool_size: int = field_of(SampledSettings, "pool_size")
    negative_sampling_temperature: float = field_of(SampledSettings, "temperature")
    nil_weight: float = field_of(ObjectiveSettings, "nil_weight")
    learn_from_unannotated: bool = True
    """Take spans that detection proposes and a training document leaves alone as examples of
    what not to link. Turn it off where documents are annotated in part only."""
    seed: int = field_of(BatchSettings, "seed")

    def __setattr__(self, name: str, value: Any) -> None:
        # MedCAT's trainer sets `train` first, and would then add names and train nothing.
        if name == "train" and value and self.comp_name == STATIC:
            raise EmbedLinkError(CANNOT_TRAIN)
        super().__setattr__(name, value)

    def settings(self) -> LinkerSettings:
        """What these fields ask of a linker; equal settings ask for no change."""
        values = {name: getattr(self, FIELDS.get(name, name)) for name in settings_of(self.linker)}
        values["max_name_tokens"] = self.max_name_token_length or self.max_token_length
        values["pooling"] = "mention" if self.use_mention_attention else "window"
        return self.linker(**values)

    def adopt(self, settings: LinkerSettings) -> None:
        """Show the settings of a loaded linker, in place; `settings()` then returns them.

        `embedding_model_name` becomes the encoder's that the linker was made from.
        """
        shown = {FIELDS.get(name, name): value for name, value in vars(settings).items()}
        if settings.max_name_tokens == settings.max_tokens:
            shown["max_name_token_length"] = None
        shown["use_mention_attention"] = settings.pooling == "mention"
        for name, value in shown.items():
            setattr(self, name, value)
