"""From the effective document to the models, with everything that is wrong by its path. Pure."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from pydantic import ValidationError

from wsgigroups.config.capacity import MAXIMUM_SHOWN
from wsgigroups.config.checks.arithmetic import check_arithmetic
from wsgigroups.config.checks.authority import check_authority
from wsgigroups.config.checks.bounds import check_bounds
from wsgigroups.config.checks.engines import check_engine
from wsgigroups.config.checks.observing import check_observing
from wsgigroups.config.checks.references import check_references
from wsgigroups.config.codes import severity_of
from wsgigroups.config.diagnostics import Finding, Severity, did_you_mean
from wsgigroups.config.kinds import is_host_name, shown, type_name
from wsgigroups.config.models.base import Option, OptionModel
from wsgigroups.config.models.cluster import ClusterOptions, GroupClusterOptions
from wsgigroups.config.models.group import Group
from wsgigroups.config.models.rollout import RolloutOptions
from wsgigroups.config.models.server import ServerDefaults
from wsgigroups.config.models.site import Gateway, Mount, Site, Static
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from wsgigroups.config.source import Path

GROUP_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
RESERVED_NAMES = frozenset({"manager", "gateway"})  # their logs and processes have these names

_OF_A_GROUP: Mapping[str, tuple[type[OptionModel], Mapping[str, Option]]] = {
    "rollout": (RolloutOptions, ROLLOUT_OPTIONS),
    "kubernetes": (GroupClusterOptions, GROUP_CLUSTER_OPTIONS),
}

ModelT = TypeVar("ModelT", bound=OptionModel)


class Parts:
    """What could be built. With errors the models are what is left without the wrong values, for further checks.

    file_of says in which file a table stands: of a file with very many mistakes the rest is not built. full: files
    that had so many before.
    """

    def __init__(self, file_of: Callable[[Path], str] | None = None, full: Iterable[str] = ()) -> None:
        self._file_of = file_of
        self._errors = Counter(dict.fromkeys(full, MAXIMUM_SHOWN))
        self.unseen: set[str] = set()  # files with tables that were not looked at
        self.server = ServerDefaults()
        self.gateway = Gateway()
        self.kubernetes = ClusterOptions()
        self.groups: dict[str, Group] = {}
        self.sites: dict[str, Site] = {}
        self.dropped: dict[Path, set[str]] = {}  # table → keys whose values were wrong; they are missing in the model
        self.findings: list[Finding] = []
        self.texts: dict[str, str] = {}  # of the files, by their names

    def file_of(self, path: Path) -> str:
        """The name of the file in which something stands; empty where that is not known."""
        return self._file_of(path) if self._file_of is not None else ""

    @contextmanager
    def looking_at(self, path: Path) -> Iterator[bool]:
        """Whether a table is to be looked at; counts the errors that come of it."""
        if self._file_of is None:
            yield True
            return
        full = {file for file, count in self._errors.items() if count >= MAXIMUM_SHOWN}
        file = self._file_of(path) if full else ""
        if file in full:
            self.unseen.add(file)
            yield False
            return
        before = len(self.findings)
        yield True
        errors = sum(severity_of(item.code) is Severity.ERROR for item in self.findings[before:])
        if errors:
            self._errors[file or self._file_of(path)] += errors


def build(document: Mapping[str, Any], file_of: Callable[[Path], str] | None = None, full: Iterable[str] = ()) -> Parts:
    """Validate everything; nothing stops at the first mistake, only at very many (see Parts)."""
    parts = Parts(file_of, full)
    parts.findings += _check_version(document)
    parts.server = _model(ServerDefaults, document.get("server", {}), ("server",), SERVER_OPTIONS, parts)
    parts.gateway = _model(Gateway, document.get("gateway", {}), ("gateway",), GATEWAY_OPTIONS, parts)
    cluster = document.get("kubernetes", {})
    parts.kubernetes = _model(ClusterOptions, cluster, ("kubernetes",), CLUSTER_OPTIONS, parts)
    for name, data in document.get("groups", {}).items():
        with parts.looking_at(("groups", name)) as wanted:
            if wanted:
                parts.groups[name] = _group(name, data, ("groups", name), parts)
    for name, data in document.get("sites", {}).items():
        with parts.looking_at(("sites", name)) as wanted:
            if wanted:
                parts.sites[name] = _site(name, data, parts)
    if parts.unseen:
        return parts  # what refers to a table that was left out would seem to be wrong
    check_engine(parts.gateway, parts.groups, parts.sites, parts.findings)
    check_references(parts.groups, parts.sites, parts.dropped, parts.findings)
    check_observing(parts.server, _all_groups(parts), parts.sites, parts.findings)
    check_authority(parts.gateway, parts.sites, parts.findings)
    for path, group in _all_groups(parts):
        dropped: set[tuple[int | str, ...]] = {(name,) for name in parts.dropped.get(path, ())}
        dropped |= {("rollout", name) for name in parts.dropped.get((*path, "rollout"), ())}
        found: list[Finding] = []
        check_arithmetic(path, group, parts.server, found)
        parts.findings += [
            item for item in found if not {item.path[len(path) :][:1], item.path[len(path) :][:2]} & dropped
        ]
    return parts


def validate_partial(data: Mapping[str, Any], path: Path) -> list[Finding]:
    """What is wrong with `[defaults]` or a profile's group, taken for itself."""
    parts = Parts()
    _options_of_group(data, path, parts)
    return parts.findings


def _all_groups(parts: Parts) -> Iterable[tuple[Path, Group]]:
    for name, group in parts.groups.items():
        yield ("groups", name), group
    for site_name, site in parts.sites.items():
        for name, group in site.groups.items():
            yield ("sites", site_name, "groups", name), group


def _check_version(document: Mapping[str, Any]) -> list[Finding]:
    if "version" not in document:
        return [Finding("WG0202", (), "the key version is missing", "write version = 1 at the top")]
    version = document["version"]
    if version != 1 or isinstance(version, bool) or not isinstance(version, int):
        what = shown(version) if isinstance(version, (int, float, str)) else type_name(version)
        return [Finding("WG0203", ("version",), f"version {what} is not known", "this wsgigroups reads version = 1")]
    return []


def _group(name: str, data: Mapping[str, Any], path: Path, parts: Parts) -> Group:
    if not GROUP_NAME.fullmatch(name):
        hint = "letters, digits, '.', '_' and '-', at most 64, a letter or digit first"
        parts.findings.append(
            Finding("WG0206", path, f"{shown(name)} cannot be the name of a group", hint, at_key=True)
        )
    elif name in RESERVED_NAMES:
        hint = f"the {name} itself has that name in logs and status"
        parts.findings.append(Finding("WG0206", path, f'"{name}" is reserved', hint, at_key=True))
    return _options_of_group(data, path, parts)


def _options_of_group(data: Mapping[str, Any], path: Path, parts: Parts) -> Group:
    own = {key: value for key, value in data.items() if key not in _OF_A_GROUP}
    group = _model(Group, own, path, OPTIONS, parts)
    nested: dict[str, Any] = {
        key: _model(model, data[key], (*path, key), options, parts)
        for key, (model, options) in _OF_A_GROUP.items()
        if key in data
    }
    return group.model_copy(update=nested) if nested else group


def _site(name: str, data: Mapping[str, Any], parts: Parts) -> Site:
    path: Path = ("sites", name)
    if "server-name" not in data and not is_host_name(name.lower()):
        hint = "the name of the table is the server name; with server-name in it, any name will do"
        parts.findings.append(Finding("WG0208", path, f"{shown(name)} is no host name", hint, at_key=True))
    own = {key: value for key, value in data.items() if key not in ("groups", "mounts", "static")}
    site = _model(Site, own, path, SITE_OPTIONS, parts)
    nested: dict[str, Any] = {}
    if "mounts" in data:
        nested["mounts"] = _repeated(Mount, data["mounts"], (*path, "mounts"), MOUNT_OPTIONS, parts)
    if "static" in data:
        nested["static"] = _repeated(Static, data["static"], (*path, "static"), STATIC_OPTIONS, parts)
    if "groups" in data:
        nested["groups"] = {
            group: _group(group, table, (*path, "groups", group), parts) for group, table in data["groups"].items()
        }
    return site.model_copy(update=nested)


def _repeated(
    model: type[ModelT], items: Sequence[Mapping[str, Any]], path: Path, options: Mapping[str, Option], parts: Parts
) -> tuple[ModelT, ...]:
    built = []
    for i, item in enumerate(items):
        missing = [name for name, option in options.items() if option.required and name not in item]
        if missing:
            hint = f"add {missing[0]} = {shown(options[missing[0]].example)}"
            message = f"the key {' and '.join(missing)} is missing"
            parts.findings.append(Finding("WG0211", (*path, i), message, hint, at_key=True))
        else:
            built.append(_model(model, item, (*path, i), options, parts))
    return tuple(built)


def _model(
    model: type[ModelT], data: Mapping[str, Any], path: Path, options: Mapping[str, Option], parts: Parts
) -> ModelT:
    """Build a model; values that are refused are reported and left out."""
    left = dict(data)
    while True:
        try:
            built = model.model_validate(left)
            break
        except ValidationError as error:
            refused = set()
            for item in error.errors(include_url=False):
                parts.findings.append(_finding(item, path, options))
                refused.add(str(item["loc"][0]) if item["loc"] else "")
            parts.dropped.setdefault(path, set()).update(refused)
            # a required key cannot be left out: the example stands in for it in what is only checked further
            left = {key: value for key, value in left.items() if key not in refused}
            left |= {key: options[key].example for key in refused if key in options and options[key].required}
    bounds = check_bounds(built, path, options)
    parts.findings += bounds
    parts.dropped.setdefault(path, set()).update(str(finding.path[-1]) for finding in bounds)
    return built


def _finding(item: Any, path: Path, options: Mapping[str, Option]) -> Finding:
    location: Path = item["loc"]
    at_key = bool(location) and location[-1] == "[key]"
    if at_key:
        location = location[:-1]
    here = (*path, *location)
    context = item.get("ctx") or {}
    kind = item["type"]
    name = str(location[-1]) if location else ""
    if kind.startswith("WG"):
        message = f"{name} {context['message']}" if context["named"] else context["message"]
        return Finding(kind, here, message, context["hint"] or None, at_key=at_key, mend=context.get("mend"))
    option = options.get(str(location[0])) if location else None
    if kind == "literal_error":
        choices = [text.strip("'") for text in re.findall(r"'[^']*'", context["expected"])]
        value = item["input"]
        hint = (did_you_mean(value, choices) if isinstance(value, str) else None) or f"one of: {', '.join(choices)}"
        return Finding("WG0305", here, f"{shown(value)} is no choice of {name}", hint)
    if kind == "extra_forbidden":
        return Finding("WG0201", here, f"unknown key {shown(name)}", did_you_mean(name, options), at_key=True)
    if kind == "missing":
        return Finding("WG0211", here[:-1], f'the key "{name}" is missing')
    expected = f"a value of the kind {option.kind}" if option else "something else"
    return Finding("WG0301", here, f"{expected} is expected, this is {type_name(item['input'])}")
