"""Says which key a wrong key on the command line may have meant: a new name, or a near one."""

from collections.abc import Mapping, Sequence

from embedlink.experiment.registry import settings_by_key
from embedlink.experiment.settings import ENTRIES, GROUPS_OF
from embedlink.settings import near_miss

RENAMED: Mapping[str, str] = {
    "loss": "objective",
    "loss.": "objective.loss.",
    "stage": "pretraining",
    "stage.": "pretraining.",
    "checkpoint": "linker",
    "model.name": "model.encoder",
    "model.rerank": "reranker=cross_encoder reranker.top_k",
    "model.rerank_": "reranker.",
    "data.split": "split",
    "data.test_share": "split.test_share",
    "data.validation_share": "split.validation_share",
    "data.document_list": "split.document_list",
    "trainer.gradient_clip_val": "optimizer.gradient_clip_val",
    "trainer=default": "trainer=float32",
    "callbacks=default": "callbacks=each_epoch",
    "split=train": "part=train",
    "split=validation": "part=validation",
    "split=test": "part=test",
}
"""Keys of earlier versions with the present ones. Some name a value too, some begin longer keys."""


def near_misses(arguments: Sequence[str], entry: str = "train") -> list[str]:
    """One line for each argument that this entry does not take and that it seems to mean otherwise.

    The key was renamed, belongs to another entry, or is close to a key of this one. Other arguments
    get no line.
    """
    own = _keys(entry)
    found = []
    for argument in arguments:
        key, equals, value = argument.lstrip("+~").partition("=")
        if not equals:
            continue
        elsewhere = [f"{other}.py" for other in ENTRIES if key in _keys(other)]
        if now := _renamed(key, value):
            found.append(f"{key}={value}: is now {now}")
        elif key not in own and elsewhere:
            found.append(f"{key}: a setting of {' and '.join(elsewhere)}, not of {entry}.py")
        elif key not in own and (said := near_miss(key, sorted(own))):
            found.append(f"{key}: no such setting{said}")
    return found


def _keys(entry: str) -> set[str]:
    """The keys that an entry takes: its settings, and the groups of `conf` that it composes."""
    return {*settings_by_key(entry=entry), *GROUPS_OF[entry]}


def _renamed(key: str, value: str) -> str | None:
    """The present form of an argument with an old key, or None."""
    if whole := RENAMED.get(f"{key}={value}"):
        return whole
    if now := RENAMED.get(key):
        return f"{now}={value}"
    for old, now in RENAMED.items():
        if old[-1] in "._" and key.startswith(old):
            return f"{now}{key.removeprefix(old)}={value}"
    return None
