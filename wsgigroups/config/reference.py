"""The option reference: `docs/options.md`, and the data that `explain` shows without importing the models. Pure."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from wsgigroups.config.checks.bounds import allowed
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

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.config.models.base import Option

TABLES: tuple[tuple[str, str, Mapping[str, Option]], ...] = (
    ("groups.NAME", "Options of a group", OPTIONS),
    ("groups.NAME.rollout", "Options of a rollout", ROLLOUT_OPTIONS),
    ("server", "Options of [server]", SERVER_OPTIONS),
    ("gateway", "Options of [gateway]", GATEWAY_OPTIONS),
    ("sites.NAME", "Options of a site", SITE_OPTIONS),
    ("sites.NAME.mounts", "Options of a mount", MOUNT_OPTIONS),
    ("sites.NAME.static", "Options of a static directory", STATIC_OPTIONS),
    ("kubernetes", "Options of [kubernetes]", CLUSTER_OPTIONS),
    ("groups.NAME.kubernetes", "Options of a group in a cluster", GROUP_CLUSTER_OPTIONS),
)
KIND_TEXTS = {
    "text": "text",
    "duration": "duration",
    "bytes": "size",
    "percent": "per cent in quotes",
    "part": "whole number, or per cent in quotes",
    "integer": "whole number",
    "boolean": "true or false",
    "reloading": 'true, false or "wait"',
    "path": "path",
    "certificate": 'path, or "acme"',
    "url": "URL with https",
    "fraction": "number above 0, up to 1",
    "process-count": 'whole number, or "auto"',
    "datagram-socket": "unix:/path",
    "udp-address": "address of UDP",
    "service-url": "URL with http or https",
    "contact": "e-mail address",
    "log": "path, or /dev/stdout, /dev/stderr, /dev/log",
    "paths": "list of paths, or text with colons",
    "user": "name, or #id",
    "ordinary-user": "name, or #id; not root",
    "group-names": "list of names, or text with commas; not root",
    "umask": "octal digits in quotes",
    "locale": "name of a locale",
    "callable": "package.module:callable",
    "identifier": "name of a variable",
    "address": "address",
    "addresses": "list of addresses",
    "networks": "list of networks",
    "system-calls": "list of system calls and sets, or text with spaces; all but these with ~ before the first",
    "address-families": "list of address families, or text with spaces; all but these with ~ before the first",
    "namespaces": "true, false, or list of namespaces; all but these with ~ before the first",
    "environment": "table of names and texts",
    "page-files": "table of statuses and paths",
    "cluster-name": "name of an object",
    "cluster-names": "list of names of objects",
    "cluster-gateway": "NAME, or NAMESPACE/NAME",
    "image": "reference of an image",
    "cpu": "number of processors, or thousandths as text with m",
    "claims": "table of claims and paths",
    "file-name": "name of a file",
    "host-name": "host name",
    "host-names": "list of host names",
    "url-path": "URL path",
}
EFFECT_TEXTS = {
    "replace": "processes are replaced one by one, successor first",
    "rebind": "listening sockets are bound or tuned anew",
    "live": "while the processes run; none is touched",
    "none": "nothing that runs depends on it",
}

_ANCHORS = {
    "groups.NAME": "group",
    "groups.NAME.rollout": "rollout",
    "server": "server",
    "gateway": "gateway",
    "sites.NAME": "site",
    "sites.NAME.mounts": "mount",
    "sites.NAME.static": "static",
    "kubernetes": "kubernetes",
    "groups.NAME.kubernetes": "group-kubernetes",
}

_HEAD = """\
# Options

All options, with their defaults and the effect of changing them in a running configuration. Generated from the models
by `make schemas`; `wsgigroups explain KEY` shows the same offline.

Names are those of [WSGIDaemonProcess](https://modwsgi.readthedocs.io/en/master/configuration-directives/\
WSGIDaemonProcess.html), in TOML and YAML alike; *extension* marks what that directive does not have. Underscores are
read in place of hyphens (and reported by `validate --strict`).

- **duration**: a number of seconds, or text with units from large to small: `90s`, `5m`, `1h30m`, `250ms`, `1d`.
- **size**: a number of bytes, or text: `512K`, `256M`, `1GiB`. Powers of 1024.
- `0` turns a limit off.
- **path**: absolute, or relative to the file it stands in. `${NAME}` and `${NAME:-default}` are replaced by environment
  variables in paths, socket paths and `environment`; `$${NAME}` stands for the characters themselves.
- **list**: every item once.

Effects: **replace** means that processes are replaced one by one, the successor ready before the old one goes;
**rebind** that listening sockets are bound or tuned anew; **live** that no process is touched; **none** that nothing
depends on it. Where not every change has the same effect, each is named. A limit is **lowered** to a smaller one, or to
one where there was none, and **raised** to a larger one, or to none.
"""


def kind_text(option: Option) -> str:
    """What can be written, for people."""
    if option.kind == "choice":
        return " or ".join(f'"{choice}"' for choice in option.choices)
    text = KIND_TEXTS[option.kind]
    if option.minimum is not None or option.maximum is not None:
        text += ", " + allowed(option).removesuffix(" is possible")
    return text


def as_toml(value: Any) -> str:
    """An example as TOML writes it."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {as_toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(as_toml(item) for item in value) + "]"
    return json.dumps(value, ensure_ascii=False)


def make_markdown() -> str:
    """Return docs/options.md."""
    parts = [_HEAD]
    for path, title, options in TABLES:
        parts.append(f"\n## {title}\n\n`{path}`\n\n| option | value | default | effect |\n|---|---|---|---|\n")
        for option in options.values():
            name = f"[`{option.name}`](#{_anchor(path, option)})"
            cells = [name, kind_text(option), default_text(option), option.effect_text]
            parts.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n")
        parts += [_section(path, option) for option in options.values()]
    return "".join(parts)


def _anchor(path: str, option: Option) -> str:
    return f"{_ANCHORS[path]}-{option.name}"


def _section(path: str, option: Option) -> str:
    lines = [f'\n<a id="{_anchor(path, option)}"></a>\n\n### {option.name}\n\n{option.doc}\n']
    facts = [
        f"- Value: {kind_text(option)}",
        f"- Default: {default_text(option)}",
        f"- Effect of a change: {option.effect_text} ({option.effect_reason})",
        f"- Example: `{option.name} = {as_toml(option.example)}`",
    ]
    if option.related:
        facts.append("- See also: " + ", ".join(f"`{name}`" for name in option.related))
    if option.extension:
        facts.append("- Extension: not an option of WSGIDaemonProcess")
    lines.append("\n" + "\n".join(facts) + "\n")
    return "".join(lines)


def make_data() -> dict[str, Any]:
    """Return what `explain` needs, as plain data: table → option → facts."""
    return {
        path: {
            option.name: {
                "doc": option.doc,
                "value": kind_text(option),
                "default": default_text(option),
                "default-value": default_value(option),
                "unit": option.unit,
                "effect": option.effect.value,
                "effect-otherwise": {when.value: effect.value for when, effect in option.otherwise.items()},
                "effect-text": option.effect_text,
                "effect-reason": option.effect_reason,
                "example": as_toml(option.example),
                "related": list(option.related),
                "extension": option.extension,
                "interpolated": option.interpolated,
            }
            for option in options.values()
        }
        for path, _title, options in TABLES
    }
