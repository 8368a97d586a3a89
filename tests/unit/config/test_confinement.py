"""Options of confinement: how they are written, and which of them do not go together."""

from __future__ import annotations

import os
from typing import Any

import pytest
from support.configurations import codes

from wsgigroups.config import Configuration
from wsgigroups.config.kernel_names import system_call_sets, system_calls
from wsgigroups.manager.control.confined import effective, requested
from wsgigroups.manager.control.documents import ConfinementDocument
from wsgigroups.runtime.wire.spec import Confinement, Filter
from wsgigroups.targets.confinement import confinement_of


def group(**options: Any) -> Any:
    written = {name.replace("_", "-"): value for name, value in options.items()}
    document = {"version": 1, "groups": {"blog": {"app": "a:b", **written}}}
    return Configuration.from_document(document).groups["blog"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ('system-call-filter = ["@system-service", "mount"]', []),
        ('system-call-filter = "~@swap reboot"', []),
        ('system-call-filter = ["@sytem-service"]', ["WG0320"]),
        ('system-call-filter = ["@swap", "~reboot"]', ["WG0320"]),
        ('system-call-filter = ["mount", "mount"]', ["WG0319"]),
        ("system-call-filter = true", ["WG0301"]),
        ('system-call-filter = ["~@network-io"]', ["WG0521"]),
        ('system-call-filter = ["~read"]', ["WG0521"]),
        ('restrict-address-families = ["AF_UNIX", "AF_INET"]', []),
        ('restrict-address-families = "none"', []),
        ('restrict-address-families = ["unix"]', ["WG0320"]),
        ("restrict-namespaces = true", []),
        ("restrict-namespaces = false", []),
        ('restrict-namespaces = ["net", "user"]', []),
        ('restrict-namespaces = ["network"]', ["WG0320"]),
        ('protect-home = true\nprotect-system = "full"', []),
        ('protect-home = "read-only"\nprotect-system = true', []),
        ('protect-home = "maybe"', ["WG0305"]),
        ('protect-proc = "invisible"\nprivate-devices = true', []),
        ("protect-proc = true", ["WG0305"]),
        ('home = "/tmp/a"\nprivate-tmp = true', ["WG0519"]),
        ('home = "/tmpfiles"\nprivate-tmp = true', []),
        ('python-path = ["/srv/a/b"]\ninaccessible-paths = ["/srv/a/"]', ["WG0519"]),
        ('python-path = ["/srv/ab"]\ninaccessible-paths = ["/srv/a", "/srv/ab/c"]', []),
        ('python-home = "/opt/env"\ninaccessible-paths = ["/"]', ["WG0519"]),
        ('read-only-paths = ["/srv"]\nread-write-paths = ["/srv"]', ["WG0520"]),
        ('read-only-paths = ["/srv"]\nread-write-paths = ["/srv/a"]', []),
        ('read-write-paths = ["/srv/a"]', ["WG0522"]),
        ('read-write-paths = ["/srv/a"]\nprotect-system = "strict"\nprivate-tmp = true', []),
        ('read-only-paths = ["/"]', ["WG0523"]),
        ('read-only-paths = ["/"]\nread-write-paths = ["/tmp"]', []),
        ('protect-system = "strict"', ["WG0523"]),
        ('protect-system = "strict"\nenvironment = { TMPDIR = "/dev/shm" }', []),
    ],
)
def test_what_is_refused(blog: Any, options: str, expected: list[str]) -> None:
    assert codes(blog(options)) == expected


def test_words_become_numbers() -> None:
    found = confinement_of(
        group(
            confinement="required",
            protect_home=True,
            protect_system=True,
            restrict_address_families="~AF_PACKET AF_NETLINK",
            restrict_namespaces=["~user", "net"],
            system_call_filter=["~mount", "@swap"],
        )
    )
    calls = system_calls(os.uname().machine)
    assert found == Confinement(
        required=True,
        protect_home="yes",
        protect_system="yes",
        address_families=Filter((16, 17), False),
        namespaces=0x50000000,
        system_calls=Filter(tuple(sorted(calls[name] for name in ("mount", "swapon", "swapoff") if calls)), False),
    )
    assert confinement_of(group(restrict_namespaces=["user"])).namespaces == 0x7E020080 & ~0x10000000 | 0x80
    assert confinement_of(group(restrict_namespaces=True)).namespaces == 0x7E020080
    assert confinement_of(group(restrict_address_families="none")).address_families == Filter((), True)
    assert confinement_of(group()) == Confinement()


@pytest.mark.parametrize("machine", ["x86_64", "aarch64", "riscv64"])
def test_a_list_of_calls_has_what_serving_takes(machine: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "6.1", "", machine)))
    calls = confinement_of(group(system_call_filter=["sync"])).system_calls
    assert calls is not None
    numbers = system_calls(machine)
    assert {numbers[name] for name in ("sync", "futex", "accept4", "mmap") if numbers} <= set(calls.numbers)
    assert not {numbers[name] for name in ("mount", "ptrace", "bpf") if numbers} & set(calls.numbers)


def test_sets_are_whole() -> None:
    sets = system_call_sets()
    assert {"read", "mmap", "socket", "clone", "openat"} <= set(sets["@system-service"])
    assert not {"mount", "ptrace", "reboot", "init_module"} & set(sets["@system-service"])
    assert not [name for names in sets.values() for name in names if name.startswith("@")]


def test_requested_and_effective() -> None:
    wanted = confinement_of(group(read_only_paths=["/"], restrict_namespaces=True))
    asked = requested(wanted, {"read-only-paths": "/", "restrict-namespaces": "~cgroup, ipc", "threads": "3"})
    assert asked == {"confinement": "best-effort", "read-only-paths": "/", "restrict-namespaces": "~cgroup, ipc"}
    assert requested(confinement_of(group(confinement="required")), {}) == {}
    reported = {
        "read-only-paths": ["partly", "line\x1b[31m\n" + "x" * 300],
        "threads": ["enforced", ""],
        "restrict-namespaces": ["wonderful", ""],
    }
    found = effective(asked, reported)
    assert found["read-only-paths"] == ConfinementDocument(state="partly", reason="line?[31m?" + "x" * 190)
    assert found["restrict-namespaces"] == ConfinementDocument(state="unknown", reason="")
    assert set(found) == {"read-only-paths", "restrict-namespaces"}
    assert {outcome.state for outcome in effective(asked, None).values()} == {"unknown"}
