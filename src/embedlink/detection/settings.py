"""The settings of detection: MedCAT's vocabulary, what is detected beyond it, and the tagger."""

from dataclasses import dataclass

from embedlink.settings import Settings, again, setting


@dataclass(frozen=True)
class TaggerSettings(Settings):
    """What must be the same in a tagger's training and use."""

    encoder: str = setting(help="the encoder to start from; all of its layers learn")
    max_tokens: int = setting(
        256, ge=8, help="tokens of the text read at a time, special tokens included"
    )


@dataclass(frozen=True)
class TaggerTraining(Settings):
    """How a tagger is trained and used, unless `folder` names one that is trained already."""

    encoder: str | None = setting(
        None, help="the encoder that the tagger starts from; all of its layers learn"
    )
    max_tokens: int = again(TaggerSettings, "max_tokens")
    folder: str | None = setting(None, help="a tagger that was trained before; null trains one")
    epochs: int = setting(6, ge=1, help="epochs over the training documents")
    batch_size: int = setting(16, ge=1, help="texts of `max_tokens` in a batch")
    lr: float = setting(2e-4, gt=0, le=1, help="highest learning rate of the tagger")
    masked: float = setting(
        0.15, ge=0, le=1, help="share of tokens hidden while it learns, so that context counts"
    )
    least_probability: float = setting(
        0.05, gt=0, lt=1, help="least probability with which the tagger proposes a span"
    )


@dataclass(frozen=True)
class VocabularySettings(Settings):
    """MedCAT's vocabulary-based detection (`config.components.ner`), perhaps with a tagger."""

    min_name_len: int = setting(2, ge=0, help="characters of the shortest name that is detected")
    upper_case_limit_len: int = setting(
        4, ge=0, help="names shorter than this are detected in capitals only"
    )
    max_skip_tokens: int = setting(2, ge=0, help="words that a name may leave out")
    tagger: TaggerTraining | None = None


@dataclass(frozen=True)
class VariantSettings(VocabularySettings):
    """The vocabulary, other spellings of its names, and short forms that a document defines."""

    comp_name: str = setting("embedlink_ner", help="MedCAT's name of the detection component")
    variants: bool = setting(
        True, help="detect spans that write a name with another spelling, number or word order"
    )
    max_variant_words: int = setting(8, ge=1, help="content words of the longest such span")
    abbreviations: bool = setting(
        True, help="short forms that a document defines mean what their long forms mean"
    )
