"""Parts of the confinement without a kernel: filter programs on both machines, and which modes paths get."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from wsgigroups.config.kernel_names import NAMESPACES, SERVING, expanded, known_system_calls, system_calls
from wsgigroups.runtime.confinement import landlock, mounts, seccomp
from wsgigroups.runtime.daemon.confining import Confining
from wsgigroups.runtime.daemon.failure import StepError
from wsgigroups.runtime.wire.spec import Application, Confinement, Filter, Serving, Spec, from_wire

MACHINES = sorted(seccomp.MACHINES)


def verdict(program: list[seccomp.Instruction], audit: int, number: int, *arguments: int) -> str:
    """What a kernel would say: a machine for classic BPF as seccomp(2) has it."""
    words = {0: number, 4: audit, **{16 + 8 * i: value & 0xFFFFFFFF for i, value in enumerate(arguments)}}
    accumulator = at = 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        if code == 0x20:
            accumulator = words.get(constant, 0)
        elif code == 0x54:
            accumulator &= constant
        elif code == 0x06:
            kind, data = constant & 0xFFFF0000, constant & 0xFFFF
            return "allowed" if kind == seccomp.ALLOW else errno.errorcode[data]
        else:
            holds = {
                0x15: accumulator == constant,
                0x35: accumulator >= constant,
                0x45: bool(accumulator & constant),
            }[code]
            at += if_true if holds else if_false


@pytest.mark.parametrize("name", MACHINES)
@pytest.mark.parametrize("allowed", [True, False])
def test_calls(name: str, allowed: bool) -> None:
    machine = seccomp.MACHINES[name]
    listed = {0, 1, 2, 5, 7, 8, 200, 451}
    program = seccomp.calls(machine, listed, allowed=allowed)
    for number in range(600):
        assert verdict(program, machine.audit, number) == ("allowed" if (number in listed) == allowed else "EPERM")
    assert verdict(program, 0x40000003, 1 if allowed else 3) == "EPERM", "i386"
    assert all(max(true, false) < 256 for _code, true, false, _constant in program)
    if machine.has_x32:
        assert verdict(program, machine.audit, 0x40000000 + (1 if allowed else 3)) == "EPERM"


@pytest.mark.parametrize("name", MACHINES)
def test_address_families(name: str) -> None:
    machine = seccomp.MACHINES[name]
    some = seccomp.address_families(machine, [1, 2], allowed=True)
    for family in range(50):
        expected = "allowed" if family in (1, 2) else "EAFNOSUPPORT"
        assert verdict(some, machine.audit, machine.socket, family) == expected
    others = seccomp.address_families(machine, [16, 17], allowed=False)
    assert verdict(others, machine.audit, machine.socket, 2) == "allowed"
    assert verdict(others, machine.audit, machine.socket, 17) == "EAFNOSUPPORT"
    calls = system_calls(name)
    for call in ("io_uring_setup", "io_uring_enter", "io_uring_register"):
        assert verdict(some, machine.audit, calls[call]) == "EPERM"
    for call in calls.keys() - {"socket", "io_uring_setup", "io_uring_enter", "io_uring_register"}:
        assert verdict(some, machine.audit, calls[call], 17) == "allowed", call
    assert verdict(some, 0x40000003, machine.socket, 1) == "EPERM"


@pytest.mark.parametrize("name", MACHINES)
def test_namespaces(name: str) -> None:
    machine, calls = seccomp.MACHINES[name], system_calls(name)
    program = seccomp.namespaces(machine, NAMESPACES["user"] | NAMESPACES["time"])

    def said(call: str, *arguments: int) -> str:
        return verdict(program, machine.audit, calls[call], *arguments)

    assert said("unshare", NAMESPACES["user"] | NAMESPACES["net"]) == "EPERM"
    assert said("unshare", NAMESPACES["time"]) == "EPERM"
    assert said("unshare", NAMESPACES["net"]) == said("unshare", 0x200) == "allowed"
    assert said("clone", NAMESPACES["user"] | 17) == "EPERM"
    assert said("clone", 0x80 | 17) == said("clone", 0x3D0F00) == "allowed", "a signal's number, a thread"
    assert said("clone3", 0, 0) == "ENOSYS"
    assert said("setns", 3, 0) == said("setns", 3, NAMESPACES["user"]) == "EPERM"
    assert said("setns", 3, NAMESPACES["net"]) == "allowed"
    for call in calls.keys() - {"unshare", "clone", "clone3", "setns"}:
        assert said(call, NAMESPACES["user"], NAMESPACES["user"]) == "allowed", call
    assert verdict(program, 0x40000003, calls["read"]) == "EPERM"


@pytest.mark.parametrize("name", MACHINES)
def test_numbers_of_the_machines_are_those_of_the_tables(name: str) -> None:
    machine, calls = seccomp.MACHINES[name], system_calls(name)
    named = ("socket", "clone", "unshare", "setns", "truncate", "openat", "open")
    assert machine[2:] == tuple(calls.get(call, -1) for call in named)
    assert expanded(SERVING.split()) <= known_system_calls()
    for call in ("read", "futex", "accept4", "mmap", "exit_group", "clone3"):
        assert calls[call] in {calls[known] for known in expanded(SERVING.split()) if known in calls}


def test_another_machine_has_no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "6.1", "", "riscv64")))
    with pytest.raises(OSError, match="riscv64"):
        seccomp.here()


# What cannot be done


def confining(confinement: Confinement, lines: list[str]) -> Confining:
    application = Application("callable", "a:b")
    spec = Spec("blog", 1, 1, "f", "t", (application,), Serving(), {}, (), confinement=confinement)
    return Confining(spec, lambda _level, text: lines.append(text))


PATHS = Confinement(read_only_paths=("/etc",), protect_home="yes")


def test_nothing_is_touched_without_an_option(monkeypatch: pytest.MonkeyPatch) -> None:
    """`required` alone asks for nothing."""
    for module, name in ((landlock, "abi"), (mounts, "enter_namespace"), (seccomp, "here")):
        monkeypatch.delattr(module, name)
    made = confining(Confinement(required=True), [])
    made.prepare()
    made.enforce()
    assert made.report == {}


def test_without_landlock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(landlock, "abi", lambda: 0)
    lines: list[str] = []
    made = confining(PATHS, lines)
    made.prepare()
    assert {name: state for name, (state, _reason) in made.report.items()} == {
        "read-only-paths": "missing",
        "protect-home": "missing",
    }
    assert all("no Landlock" in line for line in lines)
    with pytest.raises(StepError, match="cannot confine the process as required: read-only-paths") as error:
        confining(Confinement(required=True, read_only_paths=("/etc",)), []).prepare()
    assert error.value.exit_code == 220


@pytest.mark.skipif(not landlock.abi(), reason="takes Landlock")
def test_an_older_landlock_takes_a_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether that could be had is part of whether the option is in force."""
    monkeypatch.setattr(landlock, "abi", lambda: 2)
    monkeypatch.setattr(landlock.Ruleset, "enforce", landlock.Ruleset.close)
    installed: list[list[seccomp.Instruction]] = []
    monkeypatch.setattr(seccomp, "install", installed.append)
    made = confining(PATHS, [])
    made.prepare()
    made.enforce()
    assert installed == [seccomp.truncation(seccomp.here())]
    assert {state for state, _reason in made.report.values()} == {"enforced"}
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "6.1", "", "riscv64")))
    made = confining(PATHS, [])
    made.prepare()
    made.enforce()
    assert {state for state, _reason in made.report.values()} == {"partly"}
    made = confining(Confinement(required=True, read_only_paths=("/etc",)), [])
    made.prepare()
    with pytest.raises(StepError, match="truncate") as error:
        made.enforce()
    assert error.value.exit_code == 220


@pytest.mark.parametrize("name", MACHINES)
def test_truncation(name: str) -> None:
    machine, calls = seccomp.MACHINES[name], system_calls(name)
    program = seccomp.truncation(machine)

    def said(call: str, *arguments: int) -> str:
        return verdict(program, machine.audit, calls[call], *arguments)

    assert said("truncate", 0, 0) == "EPERM"
    assert said("openat2") == "ENOSYS"
    cut = os.O_TRUNC | os.O_CLOEXEC
    for call, before in (("openat", (0, 0)), ("open", (0,))):
        if call in calls:
            assert said(call, *before, cut | os.O_RDONLY) == "EPERM"
            for flags in (cut | os.O_WRONLY, cut | os.O_RDWR, os.O_RDONLY, os.O_WRONLY | os.O_CREAT):
                assert said(call, *before, flags) == "allowed"
    for call in calls.keys() - {"truncate", "openat2", "openat", "open"}:
        assert said(call, cut, cut, cut) == "allowed", call


def test_without_a_mount_namespace(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*, is_root: bool) -> None:
        raise PermissionError(errno.EPERM, "unshare")

    monkeypatch.setattr(mounts, "enter_namespace", refuse)
    made = confining(Confinement(private_tmp=True, protect_system="strict"), [])
    made.prepare()
    assert {state for state, _reason in made.report.values()} == {"missing"}
    assert set(made.report) == {"private-tmp", "protect-system"}
    with pytest.raises(StepError) as error:
        confining(Confinement(required=True, private_tmp=True), []).prepare()
    assert error.value.exit_code == 219


def test_without_filters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "host", "6.1", "", "riscv64")))
    wanted = Confinement(system_calls=Filter((1,), True), namespaces=1, address_families=Filter((1,), True))
    made = confining(wanted, [])
    made.enforce()
    assert {state for state, _reason in made.report.values()} == {"missing"}
    assert set(made.report) == {"system-call-filter", "restrict-namespaces", "restrict-address-families"}
    with pytest.raises(StepError) as error:
        confining(Confinement(required=True, namespaces=1), []).enforce()
    assert error.value.exit_code == 221


def test_a_spec_keeps_its_confinement() -> None:
    wanted = Confinement(
        required=True,
        read_only_paths=("/a", "/b"),
        protect_home="yes",
        system_calls=Filter((1, 2), False),
        namespaces=128,
    )
    spec = Spec("blog", 1, 1, "f", "t", (), Serving(), {}, (), confinement=wanted)
    data = spec.to_wire()
    assert from_wire(data).confinement == wanted
    data["confinement"]["protect_kernel"] = True
    with pytest.raises(TypeError):
        from_wire(data)
    del data["confinement"]
    assert not from_wire(data).confinement


def test_links_are_followed_by_their_owner(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "up").symlink_to("../" + tmp_path.name + "/link")
    assert mounts.resolved(str(tmp_path / "up")) == os.path.realpath(tmp_path / "real")
    (tmp_path / "loop").symlink_to("loop")
    with pytest.raises(OSError, match="symbolic link"):
        mounts.resolved(str(tmp_path / "loop"))
    with pytest.raises(FileNotFoundError):
        mounts.resolved(str(tmp_path / "gone"))
    assert mounts.resolved("/") == "/"
