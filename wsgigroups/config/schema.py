"""The JSON Schema (2020-12) of a configuration file, made from the options. Pure.

Made by hand rather than by pydantic, so that editors show units, defaults and effects, and complete both spellings of a
value (`60` and `"60s"`). `schemas/groups.schema.json` and the copy in the package are written by `make schemas`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wsgigroups.config.cluster_kinds import CPU_PATTERN, IMAGE_PATTERN, NAME_PATTERN
from wsgigroups.config.counted_kinds import AUTO_TEXT, MOST_PROCESSES
from wsgigroups.config.kernel_names import NAMESPACES
from wsgigroups.config.kinds import write_percent
from wsgigroups.config.shape import FILE, Named, Repeated, Table
from wsgigroups.config.units import BYTES_PATTERN, DURATION_PATTERN, format_bytes, format_duration

if TYPE_CHECKING:
    from wsgigroups.config.models.base import Option

_NAME = "^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_IDENTIFIER = "[A-Za-z_][A-Za-z0-9_]*"
_USER = {"type": "string", "pattern": "^(?:[A-Za-z_][A-Za-z0-9_.-]*[$]?|#[0-9]{1,10})$"}
_HOST = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:[.][A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*"
_ADDRESS = (
    "^(?:unix:.+|localhost:[0-9]{1,5}|[0-9]{1,3}(?:[.][0-9]{1,3}){3}:[0-9]{1,5}|\\[[0-9A-Fa-f:.]+\\]:[0-9]{1,5})$"
)


def _list(item: str, separator: str = "") -> dict[str, Any]:
    array: dict[str, Any] = {"type": "array", "items": {"$ref": f"#/$defs/{item}"}, "uniqueItems": True}
    return {"anyOf": [array, {"type": "string", "minLength": 1}]} if separator else array


KINDS: dict[str, dict[str, Any]] = {
    "text": {"type": "string", "minLength": 1},
    "duration": {
        "description": "Seconds, or text with units from large to small: 90s, 5m, 1h30m, 250ms.",
        "anyOf": [{"type": "number", "minimum": 0}, {"type": "string", "minLength": 1, "pattern": DURATION_PATTERN}],
    },
    "bytes": {
        "description": "Bytes, or text with a unit: 512K, 256M, 1GiB. Powers of 1024.",
        "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string", "minLength": 1, "pattern": BYTES_PATTERN}],
    },
    "percent": {
        "description": "Per cent as text, 0 for none: 150%.",
        "anyOf": [{"const": 0}, {"type": "string", "pattern": "^[0-9]{1,7}%$"}],
    },
    "part": {
        "description": "A number of processes, or per cent of all as text: 25%.",
        "anyOf": [
            {"type": "integer", "minimum": 0, "maximum": 4096},
            {"type": "string", "pattern": "^(?:[0-9]{1,2}|100)%$"},
        ],
    },
    "integer": {"type": "integer"},
    "process-count": {
        "anyOf": [{"type": "integer", "minimum": 1, "maximum": MOST_PROCESSES}, {"const": AUTO_TEXT}],
    },
    "fraction": {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
    "boolean": {"type": "boolean"},
    "reloading": {"anyOf": [{"type": "boolean"}, {"const": "wait"}]},
    "path": {"type": "string", "minLength": 1, "pattern": "^[^~]"},
    "certificate": {"type": "string", "minLength": 1, "pattern": "^[^~]"},
    "url": {"type": "string", "pattern": "^https://[^/\\s@]+/\\S*$"},
    "udp-address": {"type": "string", "pattern": _ADDRESS},
    "service-url": {"type": "string", "pattern": "^https?://[^/\\s@]+/\\S*$"},
    "datagram-socket": {"type": "string", "pattern": "^unix:/"},
    "contact": {"type": "string", "pattern": '^[^\\s@,?<>"]+@[A-Za-z0-9.-]+$'},
    "log": {"type": "string", "minLength": 1, "pattern": "^[^~]"},
    "paths": _list("path", ":"),
    "user": _USER,
    "ordinary-user": {**_USER, "not": {"pattern": "^(?:root|#?0+)$"}},
    "group-names": _list("ordinary-user", ","),
    "umask": {"type": "string", "pattern": "^[0-7]{1,4}$"},
    "locale": {"type": "string", "pattern": "^[A-Za-z][A-Za-z0-9_.@-]{0,63}$"},
    "callable": {
        "type": "string",
        "pattern": f"^{_IDENTIFIER}(?:[.]{_IDENTIFIER})*:{_IDENTIFIER}(?:[.]{_IDENTIFIER})*(?:[(][)])?$",
    },
    "identifier": {"type": "string", "pattern": f"^{_IDENTIFIER}$"},
    "address": {"type": "string", "pattern": _ADDRESS},
    "addresses": _list("address"),
    "network": {"type": "string", "pattern": "^(?:unix|[0-9A-Fa-f.:]+(?:/[0-9]{1,3})?)$"},
    "networks": _list("network"),
    "system-call": {"type": "string", "pattern": "^~?@?[a-z_][a-z0-9_-]*$"},
    "system-calls": _list("system-call", " "),
    "address-family": {"type": "string", "pattern": "^~?(?:none|AF_[A-Za-z0-9]+)$"},
    "address-families": _list("address-family", " "),
    "namespace": {"type": "string", "pattern": f"^~?(?:{'|'.join(sorted(NAMESPACES))})$"},
    "namespaces": {"anyOf": [{"type": "boolean"}, *_list("namespace", " ")["anyOf"]]},
    "environment": {
        "type": "object",
        "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
        "additionalProperties": {"type": "string"},
    },
    "page-files": {
        "type": "object",
        "propertyNames": {"pattern": "^[45][0-9]{2}$"},
        "additionalProperties": {"$ref": "#/$defs/path"},
    },
    "cluster-name": {"type": "string", "pattern": f"^{NAME_PATTERN}$"},
    "cluster-names": _list("cluster-name"),
    "cluster-gateway": {"type": "string", "pattern": f"^(?:{NAME_PATTERN}/)?{NAME_PATTERN}$"},
    "image": {"type": "string", "pattern": f"^{IMAGE_PATTERN}$"},
    "cpu": {
        "description": "Processors, or thousandths of one: 2, 0.5, 500m.",
        "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "string", "pattern": f"^(?:{CPU_PATTERN})$"}],
    },
    "claims": {
        "type": "object",
        "propertyNames": {"pattern": f"^{NAME_PATTERN}$"},
        "additionalProperties": {"$ref": "#/$defs/path"},
    },
    "file-name": {"type": "string", "pattern": "^[^./][^/]*$"},
    "host-name": {"type": "string", "pattern": f"^{_HOST}$"},
    "host-pattern": {"type": "string", "pattern": f"^(?:[*][.])?{_HOST}$"},
    "host-names": _list("host-pattern"),
    "url-path": {"type": "string", "pattern": "^/"},
}
_EXCLUSIVE = {"a group": (("app", "script"), ("script-user", "script-group")), "a mount": (("app", "script"),)}


def make_schema() -> dict[str, Any]:
    """Return the schema of a file."""
    definitions: dict[str, Any] = dict(KINDS)
    root = _table(FILE, definitions)
    root["properties"] = {
        "version": {"description": "The format of this file.", "const": 1},
        "include": {
            "description": "Further files, as names or patterns relative to this file.",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
            "examples": [["conf.d/*.toml"]],
        },
        **root["properties"],
    }
    root["patternProperties"] = {
        "^x-": {"description": "Not read: for other programs, and for anchors of YAML."},
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": "urn:wsgigroups:configuration:1",
        "title": "wsgigroups configuration",
        "description": "Groups of WSGI daemon processes: the options of WSGIDaemonProcess in one declarative file.",
        **root,
        "$defs": dict(sorted(definitions.items())),
    }


_TEXTS = {
    "defaults": "Options that every group inherits unless it sets them itself.",
    "server": "What Apache's server configuration gave its daemons.",
    "gateway": "The front where sites are served.",
    "groups": "Groups of daemon processes by name, each what one WSGIDaemonProcess line says.",
    "sites": "Virtual hosts by server name.",
    "profiles": "Overlays by name, used with --profile.",
    "rollout": "How the processes of a group are replaced, and how a new one shows that it is good.",
    "kubernetes": "What `wsgigroups render kubernetes` needs to know of a cluster.",
    "mounts": "URL prefixes and the applications that answer below them.",
    "static": "Directories of files that the gateway answers by itself.",
}


def _table(table: Table, definitions: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {name: option_schema(option) for name, option in table.options.items()}
    for name, inner in table.tables.items():
        properties[name] = {"description": _TEXTS[name], **_inner(inner, definitions)}
    schema: dict[str, Any] = {"type": "object", "properties": properties, "additionalProperties": False}
    required = [name for name, option in table.options.items() if option.required]
    if required:
        schema["required"] = required
    if table.what in _EXCLUSIVE:
        schema["allOf"] = [{"not": {"required": list(pair)}} for pair in _EXCLUSIVE[table.what]]
    return schema


def _inner(inner: Table | Named | Repeated, definitions: dict[str, Any]) -> dict[str, Any]:
    if isinstance(inner, Repeated):
        return {"type": "array", "items": _reference(inner.of, definitions)}
    if isinstance(inner, Named):
        schema: dict[str, Any] = {"type": "object", "additionalProperties": _reference(inner.of, definitions)}
        if inner.what == "groups":
            schema["propertyNames"] = {"pattern": _NAME}
        return schema
    return _reference(inner, definitions)


def _reference(table: Table, definitions: dict[str, Any]) -> dict[str, Any]:
    name = table.what.strip("[]").removeprefix("a ").replace(" ", "-")
    if name not in definitions:
        definitions[name] = {}
        definitions[name] = _table(table, definitions)
    return {"$ref": f"#/$defs/{name}"}


def option_schema(option: Option) -> dict[str, Any]:
    """The schema of one option: its kind, and what an editor shows."""
    default = default_text(option)
    kind = {} if option.kind == "choice" else KINDS[option.kind]
    how = f"\n\n{kind['description']}" if "description" in kind else ""
    description = f"{option.doc}{how}\n\nDefault: {default}. Effect of a change: {option.effect_text}."
    # the kind stands here, not behind a reference: editors show nothing of what stands beside one
    schema: dict[str, Any] = {**kind, "description": description, "markdownDescription": _markdown(option, how)}
    if option.kind == "choice":
        schema["enum"] = list(option.choices)
        if {"yes", "no"} <= set(option.choices):
            schema["enum"] += [True, False]
    if option.kind == "integer":
        schema |= {key: value for key, value in _bounds(option).items() if value is not None}
    value = default_value(option)
    if value is not None:
        schema["default"] = value
    schema["examples"] = [option.example]
    schema["x-effect"] = option.effect_text
    if option.unit:
        schema["x-unit"] = option.unit
    return schema


def _markdown(option: Option, how: str) -> str:
    """What an editor shows over a key, where it knows Markdown."""
    lines = [f"- default: {default_text(option)}", f"- effect of a change: {option.effect_text}"]
    if not isinstance(option.example, dict):
        lines.append(f"- example: `{option.name} = {json.dumps(option.example, ensure_ascii=False)}`")
    return f"**{option.name}**: {option.doc}{how}\n\n" + "\n".join(lines)


def _bounds(option: Option) -> dict[str, int | None]:
    return {"minimum": option.minimum, "maximum": option.maximum}


def default_value(option: Option) -> Any:
    """The default as it could be written; None where there is none."""
    if option.default is None or option.default in ((), {}):
        return None
    if option.kind == "duration":
        return format_duration(option.default)
    if option.kind == "bytes":
        return format_bytes(option.default) if option.default else 0
    if option.kind == "percent":
        return write_percent(option.default)
    return option.default


def default_text(option: Option) -> str:
    """The default for people."""
    if option.default_text:
        return option.default_text
    if option.required:
        return "none, the key is needed"
    value = default_value(option)
    return {True: "true", False: "false"}.get(value, str(value)) if isinstance(value, bool) else str(value)
