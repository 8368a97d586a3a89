"""What a daemon is once it runs: ids, groups, capabilities, descriptors, environment, limits, exactly as specified."""

from __future__ import annotations

import json
import os
import resource
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.descriptors import described
from support.interpreters import library_of, present
from support.processes import Manager, open_descriptors
from support.users import ALICE, BOB, identity, uid_of

from wsgigroups.runtime.wire.spec import Application, Identity

Script = Callable[..., Application]

REPORT = """
import json, os, resource, signal, sys, ctypes

def attempt(call, *arguments):
    try:
        call(*arguments)
    except OSError as error:
        return type(error).__name__
    return "worked"

def application(environ, start_response):
    status = dict(line.split(":\\t", 1) for line in open("/proc/self/status").read().splitlines() if ":\\t" in line)
    old = os.umask(0)
    os.umask(old)
    PyDict = ctypes.CDLL(None)
    seen = os.popen("env -0").read()
    report = {
        "uid": os.getresuid(), "gid": os.getresgid(), "groups": os.getgroups(), "umask": old, "cwd": os.getcwd(),
        "status": {key: status[key] for key in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs")},
        "environ": dict(os.environ), "environ_of_children": sorted(item for item in seen.split("\\0") if item),
        "session": os.getsid(0) == os.getpid(), "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "nofile": resource.getrlimit(resource.RLIMIT_NOFILE), "core": resource.getrlimit(resource.RLIMIT_CORE),
        "oom": open("/proc/self/oom_score_adj").read().strip(),
        "attempts": {
            "setuid": attempt(os.setuid, 0), "setgroups": attempt(os.setgroups, [0]),
            "shadow": attempt(open, "/etc/shadow"), "manager": attempt(os.kill, int(environ["PATH_INFO"][1:] or 1), 0),
            "initial environment": attempt(open, "/proc/%d/environ" % os.getppid()),
        },
        "argv": sys.argv, "path": sys.path, "main": sorted(vars(sys.modules["__main__"])),
        "ours": sorted(name for name in sys.modules if "wsgigroups" in name.lower() and "." not in name),
        "stdin": sys.stdin.read(), "flags": [sys.flags.isolated, sys.flags.no_site, sys.flags.ignore_environment],
    }
    body = json.dumps(report).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def report(manager: Manager, application: Application, **changes: Any) -> tuple[dict[str, Any], int]:
    """Start a daemon with this report application and ask it; returns the report and its pid."""
    life = manager.fork(application, **changes)
    life.ready()
    status, body = life.get(f"/{os.getpid()}")
    assert status == 200, life.log
    return json.loads(body), life.pid


@pytest.mark.root
def test_root_becomes_exactly_the_identity(managers: Callable[..., Manager], script: Script) -> None:
    manager = managers()
    manager.start(umask=0, extra_groups=[0, 4, 6])
    changes = {
        "umask": 0o027,
        "cpu_priority": -5,
        "oom_score_adj": 300,
        "home": "/tmp",
        "rlimits": {"NOFILE": (77, 99)},
    }
    told, _pid = report(manager, script(REPORT), identity=Identity(ALICE, ALICE, (ALICE, BOB)), **changes)
    assert told["uid"] == [ALICE] * 3
    assert told["gid"] == [ALICE] * 3
    assert sorted(told["groups"]) == [ALICE, BOB]
    assert {told["status"][name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert told["status"]["NoNewPrivs"] == "1"
    assert (told["umask"], told["nice"], told["oom"], told["cwd"]) == (0o027, -5, "300", "/tmp")
    assert (told["nofile"], told["core"]) == ([77, 99], [0, 0])
    assert told["session"]
    assert set(told["attempts"].values()) == {"PermissionError"}


@pytest.mark.root
def test_two_tenants_from_one_spawner(manager: Manager, workspace: Path, script: Script) -> None:
    application = script(REPORT)
    os.chmod(application.target, 0o644)
    for uid in (ALICE, BOB):
        told, _pid = report(manager, application, identity=identity(uid))
        assert told["uid"] == [uid] * 3
        assert told["groups"] == [uid]


def test_ordinary_user_stays_who_it_is(manager: Manager, script: Script) -> None:
    told, _pid = report(manager, script(REPORT))
    assert told["uid"] == [uid_of()] * 3
    assert told["status"]["CapEff"] == told["status"]["CapPrm"] == told["status"]["CapInh"] == "0" * 16
    assert told["status"]["NoNewPrivs"] == "1"
    assert told["core"] == [0, 0]
    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert told["nofile"][0] == soft  # not the spawner's own, raised one


def test_environment_is_the_specified_one_and_nothing_else(managers: Callable[..., Manager], script: Script) -> None:
    manager = managers()
    canaries = {f"CANARY_{number}": f"secret-{number}" for number in range(30)}
    canaries.update(LD_PRELOAD_="x", PYTHONPATH="/nowhere", NOTIFY_SOCKET="/x", LISTEN_FDS="3", LC_CTYPE="C.UTF-8")
    manager.start(environment={"PATH": "/usr/bin:/bin", **canaries})
    wanted = {"PATH": "/usr/bin:/bin", "HOME": "/srv", "TZ": "Asia/Kolkata", "WITH_UMLAUT": "ä", "EMPTY": ""}
    told, pid = report(manager, script(REPORT), environment=wanted)
    assert told["environ"] == wanted
    assert set(told["environ_of_children"]) - {"_=/usr/bin/env", "PWD=/"} == {f"{k}={v}" for k, v in wanted.items()}
    assert b"secret-1" in Path(f"/proc/{pid}/environ").read_bytes()  # the kernel shows the spawner's start, see below


def test_initial_environment_of_a_real_spawner_has_no_secret(manager: Manager, script: Script) -> None:
    """A manager starts a spawner with PATH and locale only, hence /proc/PID/environ of a daemon shows no more."""
    _told, pid = report(manager, script(REPORT), environment={"SECRET": "canary-4711"})
    assert b"canary-4711" not in Path(f"/proc/{pid}/environ").read_bytes()


def test_descriptors_are_exactly_the_specified_ones(managers: Callable[..., Manager], script: Script) -> None:
    manager = managers()
    extra = [os.open("/dev/zero", os.O_RDONLY) for _each in range(20)]
    manager.start(pass_fds=extra)
    for fd in extra:
        os.close(fd)
    other = manager.fork(script(REPORT, "other.wsgi"))
    other.ready()
    life = manager.fork(script(REPORT))
    life.ready()
    assert life.address is not None
    assert described(life.pid) == sorted(
        [
            "0 /dev/null", f"1 {life.log_path}", f"2 {life.log_path}", f"listener {life.address[1]}",
            "unix socket",  # its channel
            "anon_inode:[eventpoll]", *(["pipe"] * 5),  # the poller, two wake-ups, its reports
        ]
    )  # fmt: skip
    rest = {fd: path for fd, path in open_descriptors(life.pid).items() if fd > 2}
    sockets = {path for path in rest.values() if path.startswith("socket:")}
    theirs = {path for path in open_descriptors(other.pid).values() if path.startswith("socket:")}
    assert not sockets & theirs
    spawner = set(open_descriptors(manager.process.pid if manager.process else 0).values())
    assert not sockets & spawner


def test_nothing_of_the_bootstrap_is_in_the_applications_way(manager: Manager, script: Script) -> None:
    told, _pid = report(manager, script(REPORT))
    assert told["argv"] == ["wsgigroups"]
    assert told["stdin"] == ""
    assert told["flags"] == [0, 0, 0]
    assert told["main"] == ["__doc__", "__loader__", "__name__", "__package__", "__spec__"]
    assert not [entry for entry in told["path"] if "wsgigroups" in entry or "runtime" in entry]
    assert [name for name in told["ours"] if not name.startswith("_wsgigroups")] == ["wsgigroups_runtime"]


def test_process_is_named(manager: Manager, script: Script) -> None:
    _told, pid = report(manager, script(REPORT), title="(wsgi:blog)")
    assert Path(f"/proc/{pid}/comm").read_text() == "(wsgi:blog)\n"


@pytest.mark.root
@pytest.mark.parametrize("version", present())
def test_chroot(managers: Callable[..., Manager], version: str, workspace: Path) -> None:
    """A jail with nothing in it but a script: what daemons need is in memory already, wherever the interpreter lies."""
    manager = managers(version)
    manager.start()
    jail = workspace / "jail"
    jail.mkdir()
    source = """
import os
found = sorted(os.listdir("/")), os.getcwd(), os.path.exists("/../etc"), os.path.exists("/proc/1/root")
def application(environ, start_response):
    body = repr(found).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
    (jail / "app.wsgi").write_text(source)
    library = library_of(manager.interpreter)
    inside = jail / str(library)[1:]
    inside.mkdir(parents=True)
    (inside / "site.py").write_text((library / "site.py").read_text())
    life = manager.fork(Application("script", "/app.wsgi"), chroot=str(jail))
    life.ready()
    assert life.get() == (200, repr((["app.wsgi", str(library).split("/")[1]], "/", False, False)).encode())
    assert stat.S_ISDIR(os.stat(f"/proc/{life.pid}/root").st_mode)
