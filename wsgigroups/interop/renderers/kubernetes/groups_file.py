"""The configuration file of a pod: one group, with the mounts that lead to it, and what a pod needs. Pure.

What stands in the file of the machine for its users, sockets, logs and cgroups is not in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from wsgigroups.config.shape import MOUNT_OPTIONS, OPTIONS, ROLLOUT_OPTIONS, SERVER_OPTIONS
from wsgigroups.config.show import literal, readable
from wsgigroups.config.sites import group_of
from wsgigroups.config.units import format_duration
from wsgigroups.interop.renderers.kubernetes.deadlines import drain_delay_s

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wsgigroups.config import Configuration, Option
    from wsgigroups.config.models.base import OptionModel
    from wsgigroups.interop.renderers.kubernetes.workload import Workload

SECRETS = "/etc/wsgigroups/environment"
OF_ANOTHER_MACHINE = frozenset({
    "user", "group", "supplementary-groups", "socket-user",
    "memory-high", "memory-max", "cpu-weight", "cpu-quota", "tasks-max",
})  # fmt: skip
_ENVIRONMENT, _ENTRY = "    environment:", " " * 6  # of a group, as `yaml_text` indents it
_WRITTEN_ANEW = frozenset({"listen", "error-log", "environment-files"})
_OF_SERVER = frozenset({
    "timeout", "processes-max", "memory-reserve", "statsd-service", "otlp-service", "log-format", "log-rate-limit",
    "drain-delay",
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Moved:
    """Paths below one directory are below another one in the image. "": none is."""

    below: str = ""
    to: str = ""

    def path(self, path: str) -> str:
        """A path as the image has it."""
        inside = PurePosixPath(path)
        if not self.below or not self.to or inside.is_relative_to(self.to) or not inside.is_relative_to(self.below):
            return path
        return str(PurePosixPath(self.to) / inside.relative_to(self.below))


def groups_file(configuration: Configuration, workload: Workload, moved: Moved) -> dict[str, Any]:
    """Return the document. In environment `${NAME}` stands for variables of the pod, as it is written."""
    writer = _Writer(moved)
    server = writer.table(configuration.server, SERVER_OPTIONS, only=_OF_SERVER)
    if "drain-delay" in SERVER_OPTIONS:
        server["drain-delay"] = format_duration(drain_delay_s(configuration.server))
    server |= {
        "error-log": "/dev/stdout",
        "health-listen": f"{workload.host}:{workload.health_port}",
        "health-public": True,
    }
    group = writer.table(workload.group, OPTIONS, without=OF_ANOTHER_MACHINE | _WRITTEN_ANEW)
    group["listen"] = [f"{workload.host}:{workload.port}"]
    if workload.group.environment_files:
        group["environment-files"] = [f"{SECRETS}/{key}" for key in secret_keys(workload).values()]
    rollout = writer.table(workload.group.rollout, ROLLOUT_OPTIONS)
    if rollout:
        group["rollout"] = rollout
    document = {"version": 1, "server": server, "groups": {workload.group_name: group}}
    sites = _sites(configuration, workload.group_name, writer)
    return {**document, "sites": sites} if sites else document


def covered(text: str) -> str:
    """The file as text, with `…` for the values of variables, which may be secrets. Each is on a line of its own."""
    lines, inside = [], False
    for line in text.splitlines():
        inside = line.startswith(_ENTRY) if inside else line == _ENVIRONMENT
        name = line.partition(": ")[0]
        lines.append(f"{name}: …" if inside and line != _ENVIRONMENT else line)
    return "\n".join(lines)


def secret_keys(workload: Workload) -> Mapping[str, str]:
    """Each of the group's environment-files, and the key of the Secret that holds its content."""
    keys: dict[str, str] = {}
    for path in workload.group.environment_files:
        name = PurePosixPath(path).name
        keys[path] = name if name not in keys.values() else f"{len(keys)}-{name}"
    return keys


def _sites(configuration: Configuration, name: str, writer: _Writer) -> dict[str, Any]:
    """What tells the group its prefixes: sites that listen nowhere."""
    sites = {}
    for key, site in configuration.sites.items():
        mounts = [
            {**writer.table(mount, MOUNT_OPTIONS), "process-group": name}
            for mount in site.mounts
            if group_of(mount, site) == name
        ]
        if mounts:
            named = {"server-name": site.server_name} if site.server_name else {}
            sites[key] = {**named, "mounts": mounts}
    return sites


@dataclass(frozen=True, slots=True)
class _Writer:
    moved: Moved

    def table(
        self,
        model: OptionModel,
        options: Mapping[str, Option],
        *,
        only: Collection[str] = (),
        without: Collection[str] = (),
    ) -> dict[str, Any]:
        """What is written of a table, as a file has it."""
        return {
            name: self._value(option, getattr(model, option.attribute))
            for name, option in options.items()
            if model.is_set(name) and name not in without and (not only or name in only)
        }

    def _value(self, option: Option, value: Any) -> Any:
        if option.kind == "environment":
            return dict(value)
        if option.kind == "path" and value is not None:
            value = self.moved.path(value)
        elif option.kind == "paths":
            value = tuple(map(self.moved.path, value))
        return literal(readable(option, value)) if option.interpolated else readable(option, value)
