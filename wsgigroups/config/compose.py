"""Several files to one configuration: merging, profiles, defaults, and where every value came from. Pure.

Precedence, lowest first: built-in default, `[defaults]`, the table itself; a profile's tables go over the files' tables
of the same kind, later profiles over earlier ones. Files are equals: one key in two of them is an error.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.config.capacity import MAXIMUM_SHOWN
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

    def holds(self, path: Path) -> bool:
        """Whether a key was written here. Lists are values: they are replaced as a whole."""
        value: Any = self.data
        for part in path:
            if not isinstance(value, dict) or part not in value:
                return False
            value = value[part]
        return True


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
    """The effective document. origins has what profiles put in; everything else is where files have it."""

    document: dict[str, Any] = field(default_factory=dict)
    origins: dict[Path, Origin] = field(default_factory=dict)
    diagnostics: list[Diagnostic] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    profiles: tuple[str, ...] = ()  # all that the files define
    layers: Sequence[Layer] = ()
    left_out: dict[str, Counter[str]] = field(default_factory=dict)  # file → code → further diagnostics, not made
    _index: dict[Path, list[Layer]] = field(default_factory=dict)

    def origin(self, path: Path) -> Origin | None:
        """The origin of a path; below the last known table the rest of the path is that of the file."""
        for cut in range(len(path), 0, -1):
            shortened = path[:cut]
            found = self.origins.get(shortened)
            if found:
                return Origin(found.source, (*found.path, *path[cut:]), found.profile, found.inherited)
            layer = self.layer_of(shortened)
            if layer:
                return Origin(layer.source, (*layer.renamed.get(shortened, _written(layer, shortened)), *path[cut:]))
            inherited = self._default_of(shortened)
            if inherited:
                return Origin(inherited.source, (*inherited.path, *path[cut:]), inherited.profile, inherited=True)
        return None

    def _default_of(self, path: Path) -> Origin | None:
        """The origin in [defaults] of what a group has without having written it."""
        at = 2 if path[0] == "groups" else 4 if path[0] == "sites" and path[2:3] == ("groups",) else 0
        below = path[at:]
        value: Any = self.defaults
        for part in below:
            if not isinstance(value, dict) or part not in value:
                return None
            value = value[part]
        return self.origin(("defaults", *below)) if at and below else None

    def layer_of(self, path: Path) -> Layer | None:
        """The first file in which a path was written."""
        if not self._index:
            for layer in self.layers:
                for key, value in layer.data.items():
                    self._index.setdefault((key,), []).append(layer)
                    for name in value if isinstance(value, dict) else ():
                        self._index.setdefault((key, name), []).append(layer)
        return next((layer for layer in self._index.get(path[:2], ()) if layer.holds(path)), None)


def compose(layers: Sequence[Layer], profiles: Iterable[str] = ()) -> Composed:
    """Return what the files say together."""
    composed = Composed(layers=layers)
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
    for table in (composed.document, *composed.document.get("sites", {}).values()):
        for group in table.get("groups", {}).values():
            _inherit(composed.defaults, group)
    return composed


def _merge(composed: Composed, target: dict[str, Any], data: Mapping[str, Any], path: Path, layer: Layer) -> None:
    for key, value in data.items():
        if key not in target:
            target[key] = _copied(value)
            continue
        here = (*path, key)
        if isinstance(value, dict) and isinstance(target[key], dict):
            _merge(composed, target[key], value, here, layer)
        elif here == ("include",) or (here == ("version",) and target[key] == value):
            continue
        elif len(composed.diagnostics) >= MAXIMUM_SHOWN:
            composed.left_out.setdefault(layer.source.name, Counter())["WG0118"] += 1
        else:
            span = layer.source.locate(layer.renamed.get(here, _written(layer, here)), key=True)
            first = composed.origin(here)
            related = (Related("first set here", first.source.name, first.span(key=True)),) if first else ()
            message = f"{path_text(here)} is set in two files"
            hint = "keep one of the two, or put one into a profile"
            composed.diagnostics.append(
                Diagnostic("WG0118", Severity.ERROR, message, layer.source.name, span, hint, related, path_text(here))
            )


def _copied(value: Any) -> Any:
    """Tables are merged into, so they must not be those of a file; nothing else is ever changed."""
    return {key: _copied(item) for key, item in value.items()} if isinstance(value, dict) else value


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


def _inherit(defaults: Mapping[str, Any], group: dict[str, Any]) -> None:
    own = set(group)
    for key, value in defaults.items():
        if key not in group:
            if own.intersection(_partners(key)):
                continue
            group[key] = dict(value) if isinstance(value, dict) else value
        elif not isinstance(value, dict) or not isinstance(group[key], dict):
            continue
        else:
            for name, item in value.items():
                group[key].setdefault(name, item)
