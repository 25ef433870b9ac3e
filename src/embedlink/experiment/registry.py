"""Registers the typed settings with Hydra, and describes them for `--help` and the tables.

`register_settings` makes each typed class available to the files of `conf`. `--help`, the tables of
settings and validation find the class of a part of a composed configuration by its `_target_`.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import MISSING
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from embedlink.experiment.settings import ENTRIES, GROUPS, GROUPS_OF, Group
from embedlink.settings import Setting, settings_of

HELP = """
== Configuration groups ==
Choose one of each (group=option); settings are no options, they are what these share

$APP_CONFIG_GROUPS

== Settings ==
${settings_help:}

Give any of them as key=value; -m tries several values (key=a,b). --hydra-help: Hydra's own flags.
"""


def register_settings() -> None:
    """Let files of `conf` include the typed settings, and let `--help` show them."""
    store = ConfigStore.instance()
    for group in GROUPS:
        store.store(group.name, _node(group), group=group.group)
    for entry, settings in ENTRIES.items():
        store.store(f"{entry}_settings", _values(settings))
    store.store("settings", {"template": HELP}, group="hydra/help")
    OmegaConf.register_new_resolver(
        "settings_help", lambda _root_: settings_help(_root_), replace=True
    )


def _values(settings: type) -> dict[str, object]:
    """The settings with their defaults. A setting that must be given has "???"."""
    declared = settings_of(settings).items()
    values = {name: "???" if s.default is MISSING else s.default for name, s in declared}
    return {key: list(v) if isinstance(v, tuple) else v for key, v in values.items()}


def _node(group: Group) -> dict[str, object]:
    """The part as Hydra composes it: its defaults, and the class to be made of them."""
    values = _values(group.settings) | dict(group.given)
    return {"_target_": _target(group)} | {
        key: value for key, value in values.items() if key not in group.without
    }


def _target(group: Group) -> str:
    return group.target or f"{group.settings.__module__}.{group.settings.__qualname__}"


CLASSES = {_target(group): group.settings for group in GROUPS}


def parts_of(
    node: Mapping[str, Any], own: type | None = None, prefix: str = ""
) -> Iterator[tuple[str, type, Mapping[str, Any]]]:
    """Every part of a plain configuration that has a typed class: its prefix, class and values."""
    settings = own or CLASSES.get(str(node.get("_target_")))
    if settings is not None:
        yield prefix, settings, node
    for key, value in node.items():
        if isinstance(value, dict) and not (own and key == "hydra"):
            yield from parts_of(value, None, f"{prefix}{key}.")


def entry_of(node: Mapping[str, Any]) -> type:
    """The class at the top of a composed configuration."""
    fitting = [s for s in ENTRIES.values() if settings_of(s).keys() <= node.keys()]
    return max(fitting, key=lambda settings: len(settings_of(settings)))


def known_settings(node: Mapping[str, Any]) -> Iterator[tuple[str, object, Setting]]:
    """Every typed setting of a plain configuration by its key, with its value.

    If a part's setting refers to another setting, it is left out, because users change the other.
    """
    for prefix, settings, values in parts_of(node, entry_of(node)):
        for name, declared in settings_of(settings).items():
            if name in values and not (prefix and refers(values[name])):
                yield f"{prefix}{name}", values[name], declared


def refers(value: object) -> bool:
    """Whether the value is a reference to another key and nothing more."""
    text = str(value)
    return text.startswith("${") and text.endswith("}") and text[2:-1].replace(".", "").replace(
        "_", ""
    ).isalnum()  # fmt: skip


def settings_by_key(groups: Sequence[Group] = GROUPS, entry: str = "train") -> dict[str, Setting]:
    """Every setting of an entry by its key. All choices of a group are put together."""
    found = settings_of(ENTRIES[entry])
    for group in groups:
        if group.group not in GROUPS_OF[entry]:
            continue
        for name, declared in settings_of(group.settings).items():
            if name not in group.without and not refers(group.given.get(name)):
                found.setdefault(f"{group.place}.{name}", declared)
    return found


def settings_help(root: DictConfig) -> str:
    """A line for each setting of the composed configuration: key, value, meaning, range."""
    plain: Any = OmegaConf.to_container(root, resolve=False)
    rows = [
        (f"{key}={_shown(value)}", f"{declared.help} ({declared.allowed})")
        for key, value, declared in known_settings(plain)
    ]
    lines = [f"  {left:<44} {said}" for left, said in rows]
    return "\n".join(lines).replace("$", "$$")


def settings_table(keys: Mapping[str, Setting]) -> str:
    """A markdown table of settings: key, meaning with range, default."""
    lines = ["| key | meaning | default |", "|---|---|---|"]
    for key, declared in keys.items():
        default = "" if declared.default in (MISSING, None) else f"`{_shown(declared.default)}`"
        lines.append(f"| `{key}` | {declared.help} ({declared.allowed}) | {default} |")
    return "\n".join(lines)


def _shown(value: object) -> str:
    """A value in the form that the command line takes."""
    if isinstance(value, list | tuple):
        return f"[{','.join(map(_shown, value))}]"
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else str(value)
