"""Several files to one configuration: merging, profiles, defaults, and where every value came from. Pure.

Precedence, lowest first: built-in default, `[defaults]`, the table itself; a profile's tables go over the files' tables
of the same kind, later profiles over earlier ones. Files are equals: one key in two of them is an error.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.config.diagnostics import Diagnostic, Related, Severity, Span, did_you_mean, path_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from wsgigroups.config.source import Path, Source

# one of them written in the table itself keeps the other from being inherited
_EXCLUSIVE = (("app", "script"), ("script-user", "script-group"))


@dataclass(frozen=True, slots=True)
class Layer:
    """One file, normalised."""

    source: Source
    data: dict[str, Any]
    renamed: Mapping[Path, Path]


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a key was written."""

    source: Source
    path: Path  # in that file
    profile: str | None = None
    inherited: bool = False  # from [defaults]

    def span(self, *, key: bool = False) -> Span | None:
        """Its place."""
        return self.source.locate(self.path, key=key)


@dataclass(slots=True)
class Composed:
    """The effective document, with the origin of every table and key in it."""

    document: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, Origin] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()  # all that the files define

    def origin(self, path: Path) -> Origin | None:
        """The origin of a path; below the last known table the rest of the path is that of the file."""
        shortened = path
        while shortened:
            found = self.origins.get(shortened)
            if found:
                return Origin(found.source, (*found.path, *path[len(shortened) :]), found.profile, found.inherited)
            shortened = shortened[:-1]
        return None


def compose(layers: Sequence[Layer], profiles: Iterable[str] = ()) -> Composed:
    """Return what the files say together."""
    composed = Composed()
    for layer in layers:
        _merge(composed, composed.document, layer.data, (), layer)
    defined = composed.document.pop("profiles", {})
    composed.document.pop("include", None)
    composed.profiles = tuple(sorted(defined))
    for name in profiles:
        if name not in defined:
            hint = did_you_mean(name, defined) or (
                f"there are: {', '.join(sorted(defined))}" if defined else "no file defines profiles"
            )
            composed.diagnostics.append(
                Diagnostic("WG0209", Severity.ERROR, f'there is no profile "{name}"', hint=hint)
            )
            continue
        _check_profile(composed, name, defined[name])
        _overlay(composed, composed.document, defined[name], (), ("profiles", name), name)
    composed.defaults = composed.document.pop("defaults", {})
    groups: list[tuple[Path, dict[str, Any]]]
    groups = [(("groups", name), group) for name, group in composed.document.get("groups", {}).items()]
    for site, table in composed.document.get("sites", {}).items():
        groups += [(("sites", site, "groups", name), group) for name, group in table.get("groups", {}).items()]
    for path, group in groups:
        _inherit(composed, path, group)
    for key in [key for key in composed.origins if key[0] in ("profiles", "include")]:
        del composed.origins[key]
    return composed


def _merge(composed: Composed, target: dict[str, Any], data: Mapping[str, Any], path: Path, layer: Layer) -> None:
    for key, value in data.items():
        here = (*path, key)
        origin = Origin(layer.source, layer.renamed.get(here, _written(layer, here)))
        if key not in target:
            target[key] = {} if isinstance(value, dict) else value
            composed.origins[here] = origin
            if isinstance(value, dict):
                _merge(composed, target[key], value, here, layer)
        elif isinstance(value, dict) and isinstance(target[key], dict):
            _merge(composed, target[key], value, here, layer)
        elif here == ("include",) or (here == ("version",) and target[key] == value):
            continue
        else:
            first = composed.origins[here]
            composed.diagnostics.append(
                Diagnostic(
                    "WG0118",
                    Severity.ERROR,
                    f"{path_text(here)} is set in two files",
                    layer.source.name,
                    origin.span(key=True),
                    "keep one of the two, or put one into a profile",
                    (Related("first set here", first.source.name, first.span(key=True)),),
                    path_text(here),
                )
            )


def _written(layer: Layer, path: Path) -> Path:
    """The path in the file: parts written with underscores as they are there."""
    if not layer.renamed:
        return path
    for cut in range(len(path), 0, -1):
        renamed = layer.renamed.get(path[:cut])
        if renamed:
            return (*renamed, *path[cut:])
    return path


def _overlay(
    composed: Composed, target: dict[str, Any], data: Mapping[str, Any], path: Path, written: Path, profile: str
) -> None:
    for key, value in data.items():
        here, there = (*path, key), (*written, key)
        origin = composed.origin(there)
        if isinstance(value, dict) and isinstance(target.get(key), dict):
            _overlay(composed, target[key], value, here, there, profile)
            continue
        if origin:
            composed.origins[here] = Origin(origin.source, origin.path, profile)
        if isinstance(value, dict):
            target[key] = {}
            _overlay(composed, target[key], value, here, there, profile)
        else:
            for other in _partners(key) if key in ("app", "script", "script-user", "script-group") else ():
                target.pop(other, None)
            target[key] = value


def _check_profile(composed: Composed, name: str, profile: Mapping[str, Any]) -> None:
    """A profile changes groups and sites that there are: a misspelt name must not make a new one."""
    for section in ("groups", "sites"):
        known = composed.document.get(section, {})
        for item in list(profile.get(section, {})):
            if item not in known:
                del profile[section][item]
                origin = composed.origin(("profiles", name, section, item))
                composed.diagnostics.append(
                    Diagnostic(
                        "WG0210",
                        Severity.ERROR,
                        f'profile "{name}" changes {section[:-1]} "{item}", which no file defines',
                        origin.source.name if origin else None,
                        origin.span(key=True) if origin else None,
                        did_you_mean(item, known) or f"define it under {section} first",
                    )
                )


def _partners(key: str) -> tuple[str, ...]:
    return tuple(other for pair in _EXCLUSIVE if key in pair for other in pair if other != key)


def _inherit(composed: Composed, path: Path, group: dict[str, Any]) -> None:
    own = set(group)
    for key, value in composed.defaults.items():
        if key not in group:
            if own.intersection(_partners(key)):
                continue
            group[key] = dict(value) if isinstance(value, dict) else value
            _inherit_origin(composed, (*path, key), ("defaults", key))
            for name in value if isinstance(value, dict) else ():
                _inherit_origin(composed, (*path, key, name), ("defaults", key, name))
        elif not isinstance(value, dict) or not isinstance(group[key], dict):
            continue
        else:
            for name, item in value.items():
                if name not in group[key]:
                    group[key][name] = item
                    _inherit_origin(composed, (*path, key, name), ("defaults", key, name))


def _inherit_origin(composed: Composed, path: Path, default: Path) -> None:
    origin = composed.origin(default)
    if origin:
        composed.origins[path] = Origin(origin.source, origin.path, origin.profile, inherited=True)
