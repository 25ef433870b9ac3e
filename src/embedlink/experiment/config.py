"""Checks the configuration before any work. Errors name the key, the value and what is allowed."""

from collections.abc import Callable
from typing import Any, cast

from omegaconf import DictConfig, OmegaConf

from embedlink.encoder.layers import check_unfreeze
from embedlink.encoder.pretrained import layer_count
from embedlink.experiment.registry import known_settings, refers
from embedlink.experiment.resuming import Resumed
from embedlink.problems import EmbedLinkError
from embedlink.settings import Setting
from embedlink.training.settings import SynonymSettings

AT_ODDS: tuple[tuple[Callable[[DictConfig], bool], str], ...] = (
    (
        lambda cfg: not cfg.nil_weight and cfg.operating_point != "f1",
        "operating_point chooses a threshold, and nil_weight=0 links everything",
    ),
    (
        lambda cfg: not _trains(cfg) and cfg.encoded_negatives is not None,
        "encoded_negatives needs an encoder that trains: unfreeze=1 or more",
    ),
    (
        lambda cfg: not _trains(cfg) and _learns_synonyms(cfg),
        "pretraining=synonyms needs an encoder that trains: unfreeze=1 or more",
    ),
)
"""Pairs of settings that have no effect together, each with its error message."""


def _trains(cfg: DictConfig) -> bool:
    return bool(cfg.unfreeze or cfg.model.projection)


def _learns_synonyms(cfg: DictConfig) -> bool:
    return str(OmegaConf.select(cfg, "pretraining._target_")).endswith(SynonymSettings.__name__)


def check_settings(cfg: DictConfig) -> None:
    """Raise `EmbedLinkError` for values out of range and for settings that exclude each other.

    It is also raised if `unfreeze` asks for more layers than the encoder has.
    """
    check_values(cfg)
    wrong = [said for at_odds, said in AT_ODDS if at_odds(cfg)]
    if wrong:
        raise EmbedLinkError("\n".join(wrong))
    check_unfreeze(cfg.unfreeze, layer_count(cfg.model.encoder))


def check_values(cfg: DictConfig) -> None:
    """Raise `EmbedLinkError` with all missing values, or if none is missing, all out of range."""
    plain: Any = OmegaConf.to_container(cfg, resolve=False)
    known = {key: (value, declared) for key, value, declared in known_settings(plain)}
    missing = [
        f"{key} is missing: {_meaning(key, known)}; give {key}=…"
        for key, value in flat(plain).items()
        if value == "???" and not key.startswith("hydra.")
    ]
    if missing:
        raise EmbedLinkError("\n".join(missing))
    wrong = []
    for key, (written, declared) in known.items():
        if refers(written):  # The setting that it refers to is checked.
            continue
        chosen = OmegaConf.select(cfg, key)
        value = OmegaConf.to_container(chosen) if OmegaConf.is_config(chosen) else chosen
        if (allowed := declared.fault(value)) is not None:
            wrong.append(f"{key}={value!r} is not allowed; it takes {allowed}")
    if wrong:
        raise EmbedLinkError("\n".join(wrong))


def _meaning(key: str, known: dict[str, tuple[object, Setting]]) -> str:
    return known[key][1].help if key in known else "it has no default"


FREE = (
    "resume", "trainer.", "pack", "baselines", "logger", "callbacks.", "data_dir", "token_budget",
    "detection.tagger.folder", "overwrite",
)  # fmt: skip
"""Keys that begin so may change when a run is resumed."""


def check_resumed(cfg: DictConfig) -> None:
    """Raise `EmbedLinkError` if the run to be resumed had other settings.

    Hydra left its settings in its folder. If they are missing, nothing is compared.
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
