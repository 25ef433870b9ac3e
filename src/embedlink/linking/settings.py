"""The settings of a linker, which are the same in training and in use."""

from dataclasses import dataclass
from typing import Literal

from embedlink.settings import SettingError, Settings, setting
from embedlink.types import Pooling, Reads, Representative, Towers


@dataclass(frozen=True)
class LinkerSettings(Settings):
    """What must be the same in training and use. Windows count words, limits count tokens."""

    encoder: str = setting(help="the encoder to start from: a hub id or a folder")
    context_window: int = setting(14, ge=0, help="words on each side of a mention")
    max_tokens: int = setting(64, ge=8, help="tokens of a window, special tokens included")
    reads: Reads = setting(
        "window", help="window: every mention is read in a window of its own; note: a note is read "
        "once, in long pieces, for all of its mentions",
    )  # fmt: skip
    note_tokens: int = setting(
        256, ge=16, help="tokens of a piece of a note, special tokens included (reads=note)"
    )
    max_name_tokens: int = setting(64, ge=8, help="tokens of a name, special tokens included")
    pooling: Pooling = setting(
        "mention", help="the tokens that are averaged: the mention's or all of the window's"
    )
    projection: bool = setting(
        False, help="a linear layer after pooling, which starts as the identity"
    )
    representative: Representative = setting(
        "preferred", help="which name's vector stands for a concept"
    )
    surface_weight: float = setting(
        0.0, ge=0, help="weight of a mention's own text, encoded as names are, beside its context"
    )
    towers: Towers = setting(
        "one", help="two: notes are read by top layers of their own, and names keep the published "
        "weights",
    )  # fmt: skip
    frequency_weight: float = setting(
        0.0, ge=0, le=1,
        help="weight of log(1 + training mentions of a concept) beside similarities: it decides "
        "if context does not",
    )  # fmt: skip
    consistency: float = setting(
        0.5, ge=0, le=1,
        help="how far mentions of one surface in a note share their context to choose a concept; "
        "0: each has its own",
    )  # fmt: skip
    dtype: Literal["float32", "bfloat16"] = setting(
        "float32", help="numbers of weights and index, in memory and on disk; training needs "
        "float32",
    )  # fmt: skip

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reads == "note" and self.pooling == "window":
            raise SettingError(
                "pooling=window averages a whole window, and with reads=note all mentions of a "
                "piece of the note share it: choose pooling=mention"
            )


@dataclass(frozen=True)
class RerankerSettings(Settings):
    """How many of the nearest concepts are compared, and how names were cut in training."""

    top_k: int = setting(help="nearest concepts that a cross-encoder compares again", ge=2)
    max_name_tokens: int = setting(64, ge=1, help="tokens of a name that it reads")
