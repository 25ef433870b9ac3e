"""The components' configuration: MedCAT's `Linking` with the field names that users know."""

from typing import Any, Literal

from medcat.config.config import Linking
from pydantic import ConfigDict, Field

from embedlink.index.exact import Search
from embedlink.linking.linker import LinkerSettings
from embedlink.plugin import STATIC, TRAINABLE
from embedlink.problems import EmbedLinkError

MINILM = "sentence-transformers/all-MiniLM-L6-v2"

CANNOT_TRAIN = (
    f"{STATIC} does not train, and nothing was changed; set "
    f"config.components.linking.comp_name = '{TRAINABLE}' before the pipeline is made, or load "
    f"the pack with config_dict={{'components': {{'linking': {{'comp_name': '{TRAINABLE}'}}}}}}"
)


class EmbedLinkLinking(Linking):
    """Fields of `medcat-embedding-linker`, in its names and meanings, and EmbedLink's own.

    Every field may be changed while the component is in use. A field that does not exist is an
    error, also when it is set later; so is a value out of range (pydantic's `ValidationError`).
    """

    model_config = ConfigDict(extra="forbid", validate_assignment=True)

    comp_name: str = STATIC
    embedding_model_name: str = MINILM
    """An encoder (hub id or folder), the `linker` folder that a training run leaves, or a
    folder that `medcat-embedding-linker` saved."""
    context_window_size: int = Field(14, ge=0)
    """Words on each side of the mention."""
    max_token_length: int = Field(64, ge=8)
    """Most tokens of a window or name, special tokens included."""
    max_name_token_length: int | None = Field(None, ge=8)
    """Most tokens of a name where that is not `max_token_length`."""
    use_mention_attention: bool = True
    """Average the mention's tokens; else all of the window's."""
    use_projection_layer: bool = True
    """A linear layer after pooling; it starts as the identity."""
    surface_weight: float = Field(0.0, ge=0)
    """How much a mention's own text, encoded as names are, counts beside its context."""
    towers: Literal["one", "two"] = "one"
    """`two`: notes are read by top layers of their own, and names keep the published weights.
    Decided in training: a linker's folder brings its own."""
    frequency_weight: float = Field(0.0, ge=0, le=1)
    """How much a concept's frequency in training counts beside similarities: the weight of
    log(1 + mentions). It decides where context does not. `train.py` counts them; training inside
    MedCAT does not."""
    representative_name: Literal["preferred", "longest"] = "preferred"
    """Which name's vector stands for a concept."""
    dtype: Literal["float32", "bfloat16"] = "float32"
    """Numbers of weights and index, in memory and in the pack. Training needs float32."""
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
    span without candidates (`model.rerank=k` in training)."""
    disambiguate_by: Literal["names", "concepts"] = "names"
    """Among several candidates, compare each one's closest name, or its representative name (as
    `medcat-embedding-linker` does)."""
    use_similarity_threshold: bool = True
    """Off: `long_similarity_threshold` is ignored."""
    long_similarity_threshold: float = Field(0.0, ge=-1, le=1)
    """Least similarity of a link; 0 is no limit."""
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
    training_batch_size: int = Field(32, ge=1)
    """Mentions in a batch; batches run across documents."""
    embed_per_n_batches: int = Field(0, ge=0)
    """Embed all names again every so many batches; 0: before the next prediction or save."""
    learning_rate: float = Field(1e-4, ge=0)
    """Constant; the link decision has its own, `objective.optim.DECISION_LR`."""
    weight_decay: float = Field(0.01, ge=0)
    """Not applied to biases, norms and the logit scale."""
    gradient_clip_val: float = Field(1.0, ge=0)
    """Greatest norm of the gradient; 0 is no limit."""
    top_n_layers_to_unfreeze: int = Field(0, ge=-1)
    """Layers to train, from the top; -1: all, and the embeddings."""
    train_on_names: bool = True
    """Compare with all names; else with each concept's representative name."""
    loss: Literal["sampled", "marginal"] = "sampled"
    """`sampled`: one name against hard negatives drawn as below; `marginal`: all names of the
    concept against all names."""
    negative_sampling_k: int = Field(10, ge=1)
    negative_sampling_candidate_pool_size: int = Field(4096, ge=1)
    negative_sampling_temperature: float = Field(0.1, gt=0)
    """A mention draws k hard negatives among as many targets that score highest as the pool size
    says, by a softmax of cosine / temperature: the lower, the harder they are."""
    nil_weight: float = Field(1.0, ge=0)
    """Weight of the loss that learns what to leave alone."""
    learn_from_unannotated: bool = True
    """Take spans that detection proposes and a training document leaves alone as examples of
    what not to link. Turn it off where documents are annotated in part only."""
    seed: int = Field(0, ge=0)
    """Decides dropout and the negatives drawn."""

    def __setattr__(self, name: str, value: Any) -> None:
        # MedCAT's trainer sets `train` first, and would then add names and train nothing.
        if name == "train" and value and self.comp_name == STATIC:
            raise EmbedLinkError(CANNOT_TRAIN)
        super().__setattr__(name, value)

    def settings(self) -> LinkerSettings:
        """What these fields ask of a linker; equal settings ask for no change."""
        return LinkerSettings(
            encoder=self.embedding_model_name,
            context_window=self.context_window_size,
            max_tokens=self.max_token_length,
            max_name_tokens=self.max_name_token_length or self.max_token_length,
            pooling="mention" if self.use_mention_attention else "window",
            projection=self.use_projection_layer,
            representative=self.representative_name,
            surface_weight=self.surface_weight,
            towers=self.towers,
            frequency_weight=self.frequency_weight,
            dtype=self.dtype,
        )

    def adopt(self, settings: LinkerSettings) -> None:
        """Show the settings of a loaded linker, in place; `settings()` then returns them.

        `embedding_model_name` becomes the encoder's that the linker was made from.
        """
        self.embedding_model_name = settings.encoder
        self.context_window_size = settings.context_window
        self.max_token_length = settings.max_tokens
        same = settings.max_name_tokens == settings.max_tokens
        self.max_name_token_length = None if same else settings.max_name_tokens
        self.use_mention_attention = settings.pooling == "mention"
        self.use_projection_layer = settings.projection
        self.representative_name = settings.representative
        self.surface_weight = settings.surface_weight
        self.towers = settings.towers
        self.frequency_weight = settings.frequency_weight
        self.dtype = settings.dtype
