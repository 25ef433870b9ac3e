"""Checks of the configuration before any work, each error naming key, value and what is allowed."""

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import cast

from omegaconf import DictConfig, OmegaConf

from embedlink.encoder.context import check_unfreeze
from embedlink.encoder.pretrained import layer_count
from embedlink.evaluation.baselines import BASELINES
from embedlink.evaluation.operating_point import TAKES, OperatingPoint
from embedlink.experiment.resuming import TAKES as TAKES_RESUME
from embedlink.experiment.resuming import Resumed
from embedlink.problems import EmbedLinkError

Check = tuple[str, Callable[[object], bool], str]


def _whole(low: int) -> Callable[[object], bool]:
    return lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= low


def _number(low: float, high: float, *, open_ends: bool = False) -> Callable[[object], bool]:
    def inside(value: object) -> bool:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        return low < value < high if open_ends else low <= value <= high

    return inside


def _optional(check: Callable[[object], bool]) -> Callable[[object], bool]:
    """For keys of a group that has other members without them."""
    return lambda value: value is None or check(value)


def _choice(*allowed: str) -> Callable[[object], bool]:
    return lambda value: value in allowed


def _names_of(allowed: Collection[str]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, Sequence) and all(name in allowed for name in value)


def _one_device(value: object) -> bool:
    """A count of 1, or a list with the number of one, as Lightning has it."""
    one = isinstance(value, Sequence) and not isinstance(value, str) and len(value) == 1
    return one or (value == 1 and not isinstance(value, bool))


def _operating_point(value: object) -> bool:
    try:
        return bool(OperatingPoint.of(value))
    except EmbedLinkError:
        return False


CHECKS: tuple[Check, ...] = (
    ("context_window", _whole(0), "a whole number of words, 0 or more"),
    ("unfreeze", _whole(-1), "-1 (everything), 0 (none), or a number of top layers"),
    ("seed", _whole(0), "a whole number, 0 or more"),
    ("split_seed", _whole(0), "a whole number, 0 or more"),
    ("batch_size", _whole(1), "a whole number, 1 or more"),
    ("token_budget", _whole(1), "a whole number, 1 or more"),
    (
        "resume",
        lambda v: v in (None, "last") or Path(str(v)).expanduser().exists(),
        TAKES_RESUME,
    ),
    ("limit_documents", lambda v: v is None or _whole(1)(v), "null, or a number of documents"),
    ("targets", _choice("names", "cuis"), "names or cuis"),
    ("nil_weight", _number(0, 1000), "a number from 0 to 1000"),
    ("hide_own_name", lambda v: isinstance(v, bool), "true or false"),
    ("encoded_negatives", lambda v: v is None or _whole(0)(v), "null, or a number of negatives"),
    ("baselines", _names_of(BASELINES), f"a list of {', '.join(BASELINES)}"),
    ("operating_point", _operating_point, TAKES),
    ("model.pooling", _choice("mention", "window"), "mention or window"),
    ("model.max_tokens", _whole(8), "a whole number of tokens, 8 or more"),
    ("model.max_name_tokens", _whole(8), "a whole number of tokens, 8 or more"),
    ("model.towers", _choice("one", "two"), "one or two"),
    ("model.surface_weight", _number(0, 1000), "a number from 0 to 1000"),
    ("model.frequency_weight", _number(0, 1), "a number from 0 to 1"),
    ("model.rerank", lambda v: v is None or _whole(2)(v), "null, or 2 or more concepts"),
    ("model.rerank_epochs", _whole(1), "a whole number, 1 or more"),
    ("model.rerank_batch_size", _whole(1), "a whole number, 1 or more"),
    ("model.rerank_lr", _number(0, 1), "a number from 0 to 1"),
    ("model.representative", _choice("preferred", "longest"), "preferred or longest"),
    ("detection.tagger.max_tokens", _optional(_whole(8)), "a whole number of tokens, 8 or more"),
    ("detection.tagger.epochs", _optional(_whole(1)), "a whole number, 1 or more"),
    ("detection.tagger.batch_size", _optional(_whole(1)), "a whole number, 1 or more"),
    ("detection.tagger.lr", _optional(_number(0, 1)), "a number from 0 to 1"),
    ("detection.tagger.masked", _optional(_number(0, 1)), "a share from 0 to 1"),
    (
        "detection.tagger.least_probability",
        _optional(_number(0, 1, open_ends=True)),
        "a probability between 0 and 1",
    ),
    ("optimizer.weight_decay", _number(0, 1000), "a number, 0 or more"),
    ("optimizer.warmup_share", _number(0, 1), "a share from 0 to 1"),
    ("trainer.max_epochs", _whole(1), "a whole number, 1 or more"),
    (
        "trainer.devices",
        _one_device,
        "1, or the number of one device as [0]: a run trains on one, several runs on one each",
    ),
    ("data.enrich", lambda v: isinstance(v, bool), "true or false"),
    ("data.new_concepts", lambda v: isinstance(v, bool), "true or false"),
    ("data.split", _choice("random", "official"), "random or official"),
    ("data.test_share", _number(0, 1, open_ends=True), "a share between 0 and 1"),
    ("data.validation_share", _number(0, 1, open_ends=True), "a share between 0 and 1"),
    ("data.code_rule", _choice("first", "any", "skip"), "first, any or skip"),
)


AT_ODDS: tuple[tuple[Callable[[DictConfig], bool], str], ...] = (
    (
        lambda cfg: bool(cfg.hide_own_name) and cfg.targets == "cuis",
        "hide_own_name=true needs targets=names: with cuis a concept has no other name",
    ),
    (
        lambda cfg: not cfg.nil_weight and cfg.operating_point != "f1",
        "operating_point chooses a threshold, and nil_weight=0 links everything",
    ),
    (
        lambda cfg: not _trains(cfg) and cfg.encoded_negatives is not None,
        "encoded_negatives needs an encoder that trains: unfreeze=1 or more",
    ),
    (
        lambda cfg: not _trains(cfg) and cfg.get("stage") is not None,
        "stage needs an encoder that trains: unfreeze=1 or more",
    ),
)
"""Settings that would have no effect together, and what to say of them."""


def _trains(cfg: DictConfig) -> bool:
    return bool(cfg.unfreeze or cfg.model.projection)


def check_settings(cfg: DictConfig) -> None:
    """Raise `EmbedLinkError` with every value out of range, or every two that are at odds.

    Also for a layer count too high.
    """
    check_values(cfg)
    wrong = [said for at_odds, said in AT_ODDS if at_odds(cfg)]
    if wrong:
        raise EmbedLinkError("\n".join(wrong))
    check_unfreeze(cfg.unfreeze, layer_count(cfg.model.name))


def check_values(cfg: DictConfig, keys: tuple[str, ...] = ("",)) -> None:
    """Raise `EmbedLinkError` with every value out of range under keys that begin so."""
    wrong = []
    for key, allowed, meaning in CHECKS:
        if not key.startswith(keys):
            continue
        value = OmegaConf.select(cfg, key, throw_on_missing=True)
        if not allowed(value):
            wrong.append(f"{key}={value!r} is not allowed; it takes {meaning}")
    if wrong:
        raise EmbedLinkError("\n".join(wrong))


FREE = (
    "resume", "trainer.", "pack", "baselines", "logger", "callbacks.", "data_dir", "token_budget",
    "detection.tagger.folder", "overwrite",
)  # fmt: skip
"""What may change when a run is resumed: keys that begin so."""


def check_resumed(cfg: DictConfig) -> None:
    """Raise `EmbedLinkError` where the run to be resumed had other settings.

    They are what Hydra left in its folder; without them nothing is compared.
    """
    resumed = Resumed.of(cfg.resume)
    saved = resumed.folder / ".hydra" / "config.yaml" if resumed else None
    if saved is None or not saved.is_file():
        return
    then, now = (
        flat(cast(dict[str, object], OmegaConf.to_container(OmegaConf.create(each))))
        for each in (OmegaConf.load(saved), cfg)
    )
    changed = [
        f"{key}={now.get(key)!r} was {then.get(key)!r}"
        for key in sorted(then.keys() | now.keys())
        if not key.startswith(FREE) and then.get(key) != now.get(key)
    ]
    if changed:
        raise EmbedLinkError(
            f"resume: the run had other settings: {'; '.join(changed)}; give those of "
            f"{saved.with_name('overrides.yaml')}"
        )


def flat(config: dict[str, object], prefix: str = "") -> dict[str, object]:
    """Nested values by dotted key."""
    pairs: dict[str, object] = {}
    for key, value in config.items():
        name = f"{prefix}{key}"
        if isinstance(value, dict) and value:
            pairs |= flat(value, f"{name}.")
        else:
            pairs[name] = value
    return pairs
