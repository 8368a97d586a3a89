"""The effective configuration, every value with its origin; written as TOML or plain data. Pure."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from wsgigroups.config.counted_kinds import write_process_count
from wsgigroups.config.followed import followed
from wsgigroups.config.kinds import write_percent
from wsgigroups.config.models.cluster import WorkloadOptions
from wsgigroups.config.schema import default_text, default_value
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
from wsgigroups.config.units import format_bytes, format_duration

if TYPE_CHECKING:
    from wsgigroups.config.compose import Composed
    from wsgigroups.config.configuration import Configuration
    from wsgigroups.config.models.base import Option, OptionModel
    from wsgigroups.config.models.group import Group
    from wsgigroups.config.source import Path

HIDDEN = "(hidden)"
_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Value:
    """One option as it is in effect. written False: the default; value None then where it is only a sentence.

    Tables are merged from layers, so each of their entries is a value of its own, with its own origin.
    """

    path: Path
    name: str
    value: Any
    written: bool
    origin: str  # "groups.toml:5", "groups.toml:2 [defaults]", "prod.toml:9 (profile production)", "default"
    note: str = ""  # a default that is no value, in words
    entry: str | None = None  # of a table

    @property
    def key(self) -> str:
        """As TOML writes it."""
        return self.name if self.entry is None else f"{self.name}.{toml_key(self.entry)}"


@dataclass(frozen=True, slots=True)
class Block:
    """One table."""

    path: Path
    repeated: bool
    values: tuple[Value, ...]


def blocks(
    configuration: Configuration, composed: Composed | None, *, defaults: bool, secrets: bool = True
) -> Iterator[Block]:
    """Every table with its values; with defaults, those that nobody wrote too; without secrets, HIDDEN for those."""
    yield Block(
        (), False, (Value(("version",), "version", configuration.version, True, _origin(composed, ("version",))),)
    )
    plain: list[tuple[Path, OptionModel, Mapping[str, Option], bool]] = [
        (("server",), configuration.server, SERVER_OPTIONS, False),
        (("gateway",), configuration.gateway, GATEWAY_OPTIONS, False),
        (("kubernetes",), configuration.kubernetes, CLUSTER_OPTIONS, False),
    ]
    for name, group in configuration.groups.items():
        plain += _of_group(("groups", name), group)
    for name, site in configuration.sites.items():
        here: Path = ("sites", name)
        plain.append((here, site, SITE_OPTIONS, False))
        plain += [((*here, "mounts", i), mount, MOUNT_OPTIONS, True) for i, mount in enumerate(site.mounts)]
        plain += [((*here, "static", i), static, STATIC_OPTIONS, True) for i, static in enumerate(site.static)]
        for group_name, group in site.groups.items():
            plain += _of_group((*here, "groups", group_name), group)
    for path, model, options, repeated in plain:
        if isinstance(model, WorkloadOptions) and not model.model_fields_set:
            continue  # most configurations are for no cluster
        values = tuple(_values(configuration, path, model, options, composed, defaults=defaults))
        if not secrets:
            values = tuple(_hidden(value) if options[value.name].kind == "environment" else value for value in values)
        if values or (path[0] in ("groups", "sites") and path[-1:] != ("rollout",)):
            yield Block(path, repeated, values)


def _of_group(path: Path, group: Group) -> list[tuple[Path, OptionModel, Mapping[str, Option], bool]]:
    return [
        (path, group, OPTIONS, False),
        ((*path, "rollout"), group.rollout, ROLLOUT_OPTIONS, False),
        ((*path, "kubernetes"), group.kubernetes, GROUP_CLUSTER_OPTIONS, False),
    ]


def _values(
    configuration: Configuration,
    path: Path,
    model: OptionModel,
    options: Mapping[str, Option],
    composed: Composed | None,
    *,
    defaults: bool,
) -> Iterator[Value]:
    for name, option in options.items():
        here = (*path, name)
        if model.is_set(name):
            value = readable(option, getattr(model, option.attribute))
            if isinstance(value, dict) and value:
                for entry, item in value.items():
                    there = (*here, entry)
                    yield Value(there, name, item, True, _origin(composed, there), entry=entry)
            else:
                yield Value(here, name, value, True, _origin(composed, here))
        elif defaults:
            yield _default(configuration, path, option, composed)


def _default(configuration: Configuration, path: Path, option: Option, composed: Composed | None) -> Value:
    """Of an option that nobody wrote; where it is the value of another option, that one and its origin."""
    here, name = (*path, option.name), option.name
    source = followed(configuration, path, name)
    if source:
        where, model, other = source
        value = readable(other, getattr(model, other.attribute)) if model.is_set(other.name) else default_value(other)
        if value is not None:
            which = other.name if where == path else f"{other.name} of {_table_name(where)}"
            return Value(here, name, value, False, f"{_origin(composed, (*where, other.name))}, {which}")
    value = default_value(option)
    return Value(here, name, value, False, "default", "" if value is not None else default_text(option))


def _table_name(path: Path) -> str:
    return "its site" if path[0] == "sites" else f"[{path[0]}]"


def _hidden(value: Value) -> Value:
    return replace(value, value=HIDDEN) if value.entry is not None else value


def readable(option: Option, value: Any) -> Any:
    """A value as people write it: durations and sizes with units."""
    if option.kind == "duration":
        return format_duration(value)
    if option.kind == "bytes":
        return format_bytes(value) if value else 0
    if option.kind == "percent":
        return write_percent(value)
    if option.kind == "process-count":
        return write_process_count(value)
    return list(value) if isinstance(value, tuple) else value


def _origin(composed: Composed | None, path: Path) -> str:
    origin = composed.origin(path) if composed else None
    if origin is None:
        return "default"
    span = origin.span(key=True)
    text = f"{origin.source.name}:{span.line}" if span else origin.source.name
    if origin.inherited:
        text += " [defaults]"
    return f"{text} (profile {origin.profile})" if origin.profile else text


def as_text(found: list[Block], paint: Any) -> str:
    """TOML with the origin of each line behind it. paint(text, style) adds colours."""
    lines: list[str] = []
    for block in found:
        if block.path:
            lines += ["", paint(header(block), "1")]
        width = max((len(_line(value)) for value in block.values), default=0)
        for value in block.values:
            text = _line(value)
            comment = f"# {value.origin}" if value.written or value.value is not None else "# default"
            text = f"{text:<{min(width, 70)}}  "
            lines.append(paint(text, "" if value.written else "2") + paint(comment, "2"))
    return "\n".join(lines).lstrip("\n") + "\n"


def _line(value: Value) -> str:
    if value.value is None:
        return f"# {value.name}: {value.note}"
    return f"{value.key} = {toml_value(value.value)}"


def as_toml(found: list[Block]) -> str:
    """TOML that loads as the same configuration. Defaults stand there as comments."""
    lines: list[str] = []
    for block in found:
        if block.path:
            lines += ["", header(block)]
        for value in block.values:
            if value.written:
                lines.append(f"{value.key} = {toml_value(_escaped(value))}")
            elif value.value is not None:
                lines.append(f"# {value.name} = {toml_value(value.value)}")
    return "\n".join(lines).lstrip("\n") + "\n"


def as_data(found: list[Block], *, escape: bool) -> dict[str, Any]:
    """Nested plain data that loads as the same configuration (escape: with `${` written as `$${`)."""
    document: dict[str, Any] = {}
    for block in found:
        target: Any = document
        for part, following in itertools.pairwise((*block.path, "")):
            if isinstance(part, int):
                while len(target) <= part:
                    target.append({})
                target = target[part]
            else:
                target = target.setdefault(part, [] if isinstance(following, int) else {})
        for value in block.values:
            if not value.written and value.value is None:
                continue
            plain = _escaped(value) if escape else value.value
            if value.entry is None:
                target[value.name] = plain
            else:
                target.setdefault(value.name, {})[value.entry] = plain
    return document


def origins(found: list[Block]) -> dict[str, str]:
    """Option → origin, for programs."""
    from wsgigroups.config.diagnostics import path_text

    return {path_text(value.path): value.origin for block in found for value in block.values}


_ESCAPED = {
    **CLUSTER_OPTIONS,
    **GROUP_CLUSTER_OPTIONS,
    **OPTIONS,
    **ROLLOUT_OPTIONS,
    **SERVER_OPTIONS,
    **SITE_OPTIONS,
    **MOUNT_OPTIONS,
    **STATIC_OPTIONS,
}


def _escaped(value: Value) -> Any:
    option = _ESCAPED.get(value.name)
    return literal(value.value) if option is not None and option.interpolated else value.value


def literal_document(document: Mapping[str, Any]) -> dict[str, Any]:
    """A document of `Configuration.to_document` as a file has to have it, likewise."""
    found = dict(document)
    for name in ("server", "gateway", "kubernetes"):
        if name in found:
            found[name] = _literal_table(found[name])
    for name in ("groups", "sites"):
        if name in found:
            found[name] = {key: _literal_table(table) for key, table in found[name].items()}
    return found


def _literal_table(table: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _literal_option(name, value) for name, value in table.items()}


def _literal_option(name: str, value: Any) -> Any:
    option = _ESCAPED.get(name)
    if option is not None and option.interpolated:
        return literal(value)
    if name == "groups":  # of a site
        return {key: _literal_table(table) for key, table in value.items()}
    if isinstance(value, list):
        return [_literal_table(item) if isinstance(item, dict) else item for item in value]
    return _literal_table(value) if isinstance(value, dict) else value


def literal(value: Any) -> Any:
    """The value as a file has to have it, so that nothing in it is taken for a variable: `${` is `$${` there."""
    if isinstance(value, str):
        return re.sub(r"\$\{(?=[A-Za-z_][A-Za-z0-9_]*(?::-[^}]*)?\})", "$${", value)
    if isinstance(value, list):
        return [literal(item) for item in value]
    if isinstance(value, dict):
        return {key: literal(item) for key, item in value.items()}
    return value


def header(block: Block) -> str:
    """The line above a table."""
    names = [
        part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False)
        for part in block.path
        if isinstance(part, str)
    ]
    return f"[[{'.'.join(names)}]]" if block.repeated else f"[{'.'.join(names)}]"


def toml_value(value: Any) -> str:
    """A value in TOML."""
    if isinstance(value, str):
        return toml_text(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        items = (f"{toml_key(key)} = {toml_value(item)}" for key, item in value.items())
        inner = ", ".join(items)
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml_value(item) for item in value) + "]"
    return str(value)


def toml_key(text: str) -> str:
    """One part of a key: bare where it can be (TOML 1.0, section Keys)."""
    return text if _BARE.fullmatch(text) else toml_text(text)


def toml_text(text: str) -> str:
    """A basic string (TOML 1.0, section String): JSON's escapes, and DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007F")
