"""What one stored configuration has that another has not, key by key. Values of the environment are left out. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from wsgigroups.config.shape import (
    CLUSTER_OPTIONS,
    GATEWAY_OPTIONS,
    GROUP_CLUSTER_OPTIONS,
    MOUNT_OPTIONS,
    OPTIONS,
    ROLLOUT_OPTIONS,
    SERVER_OPTIONS,
    SITE_OPTIONS,
    STATIC_OPTIONS,
)
from wsgigroups.config.show import readable, toml_key, toml_value

if TYPE_CHECKING:
    from wsgigroups.config.models.base import Option

_BY_NAME: Mapping[str, Option] = {
    **CLUSTER_OPTIONS,
    **GROUP_CLUSTER_OPTIONS,
    **GATEWAY_OPTIONS,
    **STATIC_OPTIONS,
    **MOUNT_OPTIONS,
    **SITE_OPTIONS,
    **SERVER_OPTIONS,
    **ROLLOUT_OPTIONS,
    **OPTIONS,
}
_LISTS_BY = {"mounts": "path", "static": "path"}  # tables in lists, and the key that tells them apart


@dataclass(frozen=True, slots=True)
class Difference:
    """One key that differs. sign: + new, - gone, ~ another one; of secrets the words say only that much."""

    key: str
    sign: Literal["+", "-", "~"]
    old: str | None
    new: str | None


def differences(old: Mapping[str, Any], new: Mapping[str, Any]) -> list[Difference]:
    """Compare two documents of `Configuration.to_document`; in the order of the new one, what is gone last."""
    before, after = dict(_leaves(old, ())), dict(_leaves(new, ()))
    found = []
    for key, leaf in after.items():
        former = before.get(key)
        if former is None:
            found.append(Difference(_text(key), "+", None, leaf.shown))
        elif former.value != leaf.value:
            words = ("set", "changed") if leaf.secret else (former.shown, leaf.shown)
            found.append(Difference(_text(key), "~", *words))
    found += [Difference(_text(key), "-", leaf.shown, None) for key, leaf in before.items() if key not in after]
    return found


@dataclass(frozen=True, slots=True)
class _Leaf:
    value: Any
    shown: str
    secret: bool = False


def _leaves(value: Mapping[str, Any], path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], _Leaf]]:
    for key, item in value.items():
        here = (*path, str(key))
        # names of groups and sites may be those of options
        option = _BY_NAME.get(str(key)) if path and path[-1] not in ("groups", "sites") else None
        if isinstance(item, Mapping):
            if option is not None and option.kind == "environment":
                yield from (((*here, str(name)), _Leaf(text, "set", secret=True)) for name, text in item.items())
            elif item:
                yield from _leaves(item, here)
            else:
                yield here, _Leaf({}, "{}")
        elif isinstance(item, list) and str(key) in _LISTS_BY:
            for place, table in enumerate(item):
                named = str(table.get(_LISTS_BY[str(key)], place))
                yield from _leaves(table, (*here, named))
        else:
            yield here, _Leaf(item, _value(option, item))


def _value(option: Option | None, value: Any) -> str:
    try:
        return toml_value(readable(option, value) if option is not None and value is not None else value)
    except (TypeError, ValueError):  # of an earlier version, with another kind of value
        return toml_value(value)


def _text(path: tuple[str, ...]) -> str:
    return ".".join(map(toml_key, path))
