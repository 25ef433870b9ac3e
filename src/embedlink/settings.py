"""A setting is a field of a dataclass that states its default, its range and one sentence of help.

Each room declares the settings that it uses. Validation, `--help`, the tables of settings and
MedCAT's component configuration read them from there, so a setting is added in one place.
"""

import types
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, dataclass, field, fields, replace
from difflib import get_close_matches
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from embedlink.problems import EmbedLinkError

_METADATA = "setting"


class SettingError(EmbedLinkError, ValueError):
    """One or more values that a setting does not allow, one a line."""


@dataclass(frozen=True)
class Setting:
    """What is known of one setting. `kind` is its type. `default` is MISSING if it has none.

    Some settings allow values that type and range cannot describe. For these `takes` says in words
    what is allowed, and `check` decides it.
    """

    help: str
    default: object
    name: str = ""
    kind: Any = object
    ge: float | None = None
    gt: float | None = None
    le: float | None = None
    lt: float | None = None
    takes: str | None = None
    check: Callable[[object], bool] | None = None

    @property
    def bounds(self) -> dict[str, float]:
        """The ends of the range, in pydantic's words."""
        ends = {"ge": self.ge, "gt": self.gt, "le": self.le, "lt": self.lt}
        return {end: value for end, value in ends.items() if value is not None}

    @property
    def allowed(self) -> str:
        """What the setting takes, in words."""
        return self.takes or _described(self.kind, self)

    def fault(self, value: object) -> str | None:
        """None if the value is allowed, else a description of what the setting takes."""
        fits = self.check(value) if self.check else _fits(self.kind, value, self)
        return None if fits else self.allowed


def setting(
    default: Any = MISSING,
    *,
    help: str,
    ge: float | None = None,
    gt: float | None = None,
    le: float | None = None,
    lt: float | None = None,
    takes: str | None = None,
    check: Callable[[object], bool] | None = None,
) -> Any:
    """A dataclass field that is a setting, see `Setting`. Without a default it must be given."""
    said = Setting(help=help, default=default, ge=ge, gt=gt, le=le, lt=lt, takes=takes, check=check)
    return field(default=default, metadata={_METADATA: said})


def again(cls: type, name: str) -> Any:
    """The setting of another class as a field of this one, with its default and range."""
    declared = next(each for each in fields(cls) if each.name == name)
    return field(default=declared.default, metadata=declared.metadata)


def settings_of(cls: type) -> dict[str, Setting]:
    """The settings of a dataclass by name, in their order. Other fields are left out."""
    kinds = get_type_hints(cls)
    return {
        each.name: _named(each, kinds[each.name])
        for each in fields(cls)
        if _METADATA in each.metadata
    }


def _named(declared: "Field[Any]", kind: object) -> Setting:
    said: Setting = declared.metadata[_METADATA]
    return replace(said, name=declared.name, kind=kind)


def field_of(cls: type, name: str, default: object = MISSING) -> Any:
    """The setting as a field of a pydantic model, with another default if one is given."""
    from pydantic import Field as field_of_pydantic  # `--help` does without it.

    declared = settings_of(cls)[name]
    value = declared.default if default is MISSING else default
    return field_of_pydantic(value, description=declared.help, **declared.bounds)  # type: ignore[call-overload]


def faults(cls: type, values: Mapping[str, object], prefix: str = "") -> list[str]:
    """One line for each value that is not allowed, with its key, which begins with `prefix`."""
    found = []
    for name, declared in settings_of(cls).items():
        if name in values and (allowed := declared.fault(values[name])) is not None:
            value = values[name]
            found.append(f"{prefix}{name}={value!r} is not allowed; it takes {allowed}")
    return found


def near_miss(name: str, known: Sequence[str]) -> str:
    """The end of a message that suggests a known name. "" if none is near."""
    near = get_close_matches(name, known, n=1, cutoff=0.75)
    return f"; did you mean {near[0]}?" if near else ""


class Settings:
    """A dataclass of settings that cannot hold a value out of range."""

    def __post_init__(self) -> None:
        """Raise `SettingError` with every value that is not allowed."""
        found = faults(type(self), vars(self))
        if found:
            raise SettingError("\n".join(found))


def _options(kind: object) -> tuple[object, ...]:
    """The members of a union, or the type alone."""
    union = isinstance(kind, types.UnionType) or get_origin(kind) is Union
    return get_args(kind) if union else (kind,)


def _fits(kind: object, value: object, within: Setting) -> bool:
    return any(_fits_one(option, value, within) for option in _options(kind))


def _fits_one(kind: object, value: object, within: Setting) -> bool:
    """Whether the value fits one member of the setting's type, and its range."""
    if get_origin(kind) is Literal:
        return value in get_args(kind)
    if get_origin(kind) is tuple:
        several = isinstance(value, Sequence) and not isinstance(value, str)
        return several and all(_fits(get_args(kind)[0], each, within) for each in value)  # type: ignore[attr-defined]
    if kind in (int, float):
        number = isinstance(value, int if kind is int else int | float)
        # To Python, True is an integer.
        return number and not isinstance(value, bool) and _inside(value, within)
    if kind is types.NoneType:
        return value is None
    return kind in (Any, object) or (isinstance(kind, type) and isinstance(value, kind))


def _inside(value: Any, within: Setting) -> bool:
    """Whether a number lies in the setting's range."""
    return (
        (within.ge is None or value >= within.ge)
        and (within.gt is None or value > within.gt)
        and (within.le is None or value <= within.le)
        and (within.lt is None or value < within.lt)
    )


def _described(kind: object, within: Setting) -> str:
    options = [option for option in _options(kind) if option is not types.NoneType]
    told = " or ".join(_described_one(option, within) for option in options)
    return told if len(options) == len(_options(kind)) else f"null, or {told}"


def _described_one(kind: object, within: Setting) -> str:
    """One member of the setting's type in words, with its range."""
    if get_origin(kind) is Literal:
        *first, last = map(str, get_args(kind))
        return f"{', '.join(first)} or {last}" if first else last
    if get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        literal = get_origin(inner) is Literal
        names = ", ".join(map(str, get_args(inner))) if literal else _described(inner, within)
        return f"a list of {names}"
    if kind in (int, float):
        return ("a whole number" if kind is int else "a number") + _range(within)
    return {bool: "true or false", str: "a text"}.get(kind, "a value")  # type: ignore[call-overload, no-any-return]


def _range(within: Setting) -> str:
    """The range of a number in words, or "" if it has none."""
    low, high = within.ge, within.le
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if within.gt is not None and within.lt is not None:
        return f" between {within.gt:g} and {within.lt:g}"
    if within.gt is not None:
        return f" above {within.gt:g}" + (f", up to {high:g}" if high is not None else "")
    if low is not None:
        return f", {low:g} or more" + (f" and below {within.lt:g}" if within.lt is not None else "")
    return ""
