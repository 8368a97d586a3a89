"""Values of one group that cannot work together, each with its arithmetic. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wsgigroups.config.checks.cgroups import check_cgroups
from wsgigroups.config.checks.confinement import check_confinement
from wsgigroups.config.checks.late_variables import late_variable
from wsgigroups.config.checks.rollout import check_rollout
from wsgigroups.config.checks.scaling import check_scaling
from wsgigroups.config.checks.times import Found, check_endings, check_queue, check_requests
from wsgigroups.config.diagnostics import Finding
from wsgigroups.config.units import approximate_bytes, format_bytes

if TYPE_CHECKING:
    from wsgigroups.config.models.group import Group
    from wsgigroups.config.models.server import ServerDefaults
    from wsgigroups.config.source import Path

ADVISED_THREADS = 64
THREADS_BESIDE = 2  # of a process, besides those for requests: the main thread and the monitor
LEAST_DESCRIPTORS = 32


def check_arithmetic(path: Path, group: Group, server: ServerDefaults, findings: list[Finding]) -> None:
    """Add what cannot work, or not as it looks."""
    for check in _CHECKS:
        findings.extend(
            Finding(code, (*path, *key.split(".")), message, hint) for code, key, message, hint in check(group, server)
        )


def _threads(group: Group, _server: ServerDefaults) -> Found:
    if group.threads > ADVISED_THREADS:
        yield (
            "WG0501",
            "threads",
            f"{group.threads} threads in one process run Python code one at a time all the same",
            '"Do not get carried away and set this to a very large number" (WSGIDaemonProcess): use more processes',
        )
    if group.chroot is not None:
        yield (
            "WG0502",
            "chroot",
            "chroot is deprecated by its documentation",
            "a container or systemd unit isolates more",
        )


def _memory(group: Group, _server: ServerDefaults) -> Found:
    if group.memory_limit and group.memory_soft_limit >= group.memory_limit:
        yield (
            "WG0513",
            "memory-soft-limit",
            (
                f"memory-soft-limit ({format_bytes(group.memory_soft_limit)}) is not below memory-limit "
                f"({format_bytes(group.memory_limit)}): allocations fail before the process is replaced"
            ),
            "set it to three quarters of memory-limit",
        )
    stack = group.stack_size or 8 * 1024**2
    stacks = stack * group.threads
    if group.virtual_memory_limit and stacks >= group.virtual_memory_limit:
        yield (
            "WG0514",
            "virtual-memory-limit",
            (
                f"the stacks of {group.threads} threads alone take {group.threads} × {format_bytes(stack)} = "
                f"{approximate_bytes(stacks)} of address space"
            ),
            "set stack-size, for example 512K, or raise the limit",
        )


def _ceilings(group: Group, _server: ServerDefaults) -> Found:
    for name, limit, least in (
        ("limit-nproc", group.limit_nproc, group.threads + THREADS_BESIDE),
        ("limit-nofile", group.limit_nofile, LEAST_DESCRIPTORS),
    ):
        if 0 < limit < least:
            yield "WG0518", name, f"{name} is {limit}, a process takes {least} to start", f"at least {least}"


def _late_variables(group: Group, _server: ServerDefaults) -> Found:
    for name in sorted(group.environment):
        found = late_variable(name)
        if found:
            yield "WG0512", f"environment.{name}", *found


def _counting(group: Group, _server: ServerDefaults) -> Found:
    if group.application_metrics and group.chroot:
        message = "the directory in which processes count is not below the chroot"
        yield "WG0531", "application-metrics", message, "leave one of the two out"


def _preloading(group: Group, _server: ServerDefaults) -> Found:
    if group.preload == "app" and group.load == "lazy":
        message = 'with load = "lazy" nothing is loaded when a process starts, so that nothing could be shared'
        yield "WG0534", "preload", message, 'leave load out, or set preload = "off"'


def _without_effect(group: Group, _server: ServerDefaults) -> Found:
    for attribute, name in (("server_metrics", "server-metrics"), ("response_flush_delay", "response-flush-delay")):
        if group.is_set(attribute) and getattr(group, attribute):
            yield "WG0516", name, f"{name} is accepted and has no effect here", "leave it out"


_CHECKS = (
    _threads,
    check_queue,
    check_requests,
    check_endings,
    _memory,
    check_cgroups,
    _ceilings,
    check_confinement,
    check_rollout,
    check_scaling,
    _late_variables,
    _counting,
    _preloading,
    _without_effect,
)
