"""The same runtime on every Python of this machine: `runtime/` alone, copied away, started with -I -S."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.interpreters import Accessible, present
from support.processes import HUNG_S, Manager
from support.users import uid_of

from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.board import REASON
from wsgigroups.runtime.wire.spec import Application

Script = Callable[..., Application]

VALIDATED = """
from wsgiref.validate import validator
import atexit, json, os, sys
import wsgigroups_daemon
from mod_wsgi import process_group, process_metrics
atexit.register(print, "exit function ran")

def simple(environ, start_response):
    body = json.dumps({
        "version": "%d.%d" % sys.version_info[:2], "uid": os.getuid(), "prefix": sys.prefix,
        "flags": [sys.flags.isolated, sys.flags.no_site, sys.flags.no_user_site, sys.flags[12]],
        "ours": sorted(name for name in sys.modules if name.split(".")[0] == "wsgigroups"),
        "path": sys.path, "threads": wsgigroups_daemon.threads,
        "known": [wsgigroups_daemon.group == process_group, process_metrics()["pid"] == os.getpid()],
    }).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]

application = validator(simple)
"""


@pytest.fixture(params=present())
def version(request: pytest.FixtureRequest) -> str:
    """Return one of the Python versions of this machine."""
    return str(request.param)


@pytest.fixture
def foreign(managers: Callable[..., Manager], version: str) -> Manager:
    """A manager of a spawner that runs on that version."""
    manager = managers(version)
    manager.start()
    return manager


def test_serves_and_leaves(foreign: Manager, script: Script, version: str) -> None:
    life = foreign.fork(script(VALIDATED))
    assert life.ready().python.startswith(version + ".")
    status, body = life.get()
    told = json.loads(body)
    assert (status, told["version"], told["uid"]) == (200, version, uid_of())
    assert told["flags"] == [0, 0, 0, 0]
    assert told["ours"] == []
    assert (told["known"], told["threads"]) == ([True, True], 3)
    assert not [entry for entry in told["path"] if "wsgigroups-runtime" in entry]
    status_file = Path(f"/proc/{life.pid}/status").read_text()
    assert "NoNewPrivs:\t1\n" in status_file
    assert "CapEff:\t0000000000000000\n" in status_file
    life.signal(signal.SIGTERM)
    assert isinstance(life.receive(), messages.Leaving)
    exited = foreign.drain(life)
    assert (exited.exit_code, exited.reason) == (0, REASON["terminated"])
    assert "exit function ran\n" in life.log
    assert "Warning" not in life.log + foreign.spawner_log


def test_venv_of_that_version(foreign: Manager, script: Script, workspace: Path, interpreters: Accessible) -> None:
    venv = workspace / "venv"
    subprocess.run([foreign.interpreter, "-m", "venv", "--without-pip", venv], check=True, timeout=HUNG_S)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "only_here.py").write_text("")
    (packages / "path.pth").write_text("import sys; sys.seen_pth = True")
    source = "import only_here, sys, site; assert sys.seen_pth, sys.path\n" + VALIDATED
    life = foreign.fork(script(source), python_home=str(venv))
    life.ready()
    told = json.loads(life.get()[1])
    assert told["prefix"] == str(venv)
    assert not [entry for entry in told["path"] if "site-packages" in entry and not entry.startswith(str(venv))]
    assert "Warning" not in life.log


def test_venv_with_the_systems_packages(foreign: Manager, script: Script, workspace: Path) -> None:
    venv = workspace / "venv"
    command = [foreign.interpreter, "-m", "venv", "--without-pip", "--system-site-packages", venv]
    subprocess.run(command, check=True, timeout=HUNG_S)
    code = "import sys; print('\\n'.join(sys.path[1:]))"
    clean = {"PATH": "/usr/bin:/bin", "PYTHONNOUSERSITE": "1"}
    plain = subprocess.run([venv / "bin/python", "-c", code], env=clean, capture_output=True, text=True, check=True)
    life = foreign.fork(script(VALIDATED), python_home=str(venv))
    life.ready()
    assert json.loads(life.get()[1])["path"] == plain.stdout.split()


def test_own_prefix_as_python_home(foreign: Manager, script: Script) -> None:
    prefix = foreign.interpreter.parent.parent
    life = foreign.fork(script(VALIDATED), python_home=str(prefix))
    life.ready()
    assert json.loads(life.get()[1])["prefix"] == str(prefix)


def test_failing_import_is_told(foreign: Manager, script: Script) -> None:
    life = foreign.fork(script("import absent_module"))
    failed = life.failed()
    assert "No module named 'absent_module'" in failed.message
    assert foreign.wait_exited(life).exit_code == 216


def test_kill_of_the_spawner(foreign: Manager, script: Script) -> None:
    """pidfds and the channel do not depend on the spawner, on no version."""
    life = foreign.fork(script(VALIDATED))
    life.ready()
    assert foreign.process is not None
    foreign.process.kill()
    foreign.process.wait(HUNG_S)
    assert life.get()[0] == 200


@pytest.mark.root
def test_interpreter_that_the_tenant_cannot_read(foreign: Manager, script: Script, workspace: Path) -> None:
    """The library is looked at with the tenant's eyes, and the message says what to do."""
    jail = workspace / "empty"
    jail.mkdir()
    (jail / "app.wsgi").write_text("")
    life = foreign.fork(Application("script", "/app.wsgi"), chroot=str(jail))
    failed = life.failed()
    assert failed.step == "interpreter"
    assert "is not readable for it" in failed.message
    assert foreign.wait_exited(life).exit_code == 215
