"""Loading: what an application may do to a daemon that imports it, and how the failure is told."""

from __future__ import annotations

import os
import re
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from support.processes import HUNG_S, Manager
from support.users import ALICE, BOB

from wsgigroups.runtime.wire import exits, messages
from wsgigroups.runtime.wire.board import REASON, STATE
from wsgigroups.runtime.wire.spec import Application

Script = Callable[..., Application]

STAMP = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
ANSWER = """
def answer(text):
    def application(environ, start_response):
        body = text(environ) if callable(text) else text
        start_response("200 OK", [("Content-Length", str(len(body)))])
        return [body.encode()]
    return application
"""
HELLO = ANSWER + "application = answer('hello')\n"


@pytest.mark.parametrize(
    ("source", "message", "trace"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero", 'app.wsgi", line 1, in <module>'),
        ("import absent_module", "ModuleNotFoundError: No module named 'absent_module'", "line 1, in <module>"),
        ("def broken(:", "SyntaxError: invalid syntax", 'app.wsgi", line 1'),
        ("import sys; sys.exit(3)", "it called exit(3)", "SystemExit: 3"),
        ("raise KeyboardInterrupt", "KeyboardInterrupt", "KeyboardInterrupt"),
        ("class E(Exception):\n  __str__ = None\nraise E", "(its text cannot be shown)", ""),
        ("app = print", "cannot find 'application' in", ""),
        ("application = 5", "it is a int, not a callable", ""),
        ("\0", "source code", ""),
    ],
)
def test_failure_names_place_and_reason(
    manager: Manager, script: Script, source: str, message: str, trace: str
) -> None:
    life = manager.fork(script(source))
    failed = life.failed()
    assert failed.step == "import"
    assert failed.message.startswith("cannot ")
    assert message in failed.message
    assert trace in failed.traceback
    raised = not source.startswith("app")  # else nothing was raised: what was found is not what was asked for
    assert failed.traceback.startswith("Traceback (most recent call last):\n") == raised
    assert "/runtime/" not in failed.traceback
    assert manager.wait_exited(life).exit_code == exits.STEPS["import"]
    assert failed.message.splitlines()[0] in life.log


def test_exit_at_import_without_a_word(manager: Manager, script: Script) -> None:
    life = manager.fork(script("import os; os._exit(0)"))
    with pytest.raises(EOFError):
        life.receive()
    assert manager.wait_exited(life).exit_code == 0


def test_crash_at_import_leaves_its_stack_in_the_log(manager: Manager, script: Script) -> None:
    life = manager.fork(script("import ctypes\nctypes.string_at(0)"))
    with pytest.raises(EOFError):
        life.receive()
    assert manager.wait_exited(life).signal == signal.SIGSEGV
    assert "Segmentation fault" in life.log
    assert 'app.wsgi", line 2' in life.log


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_hang_at_import_can_be_ended(manager: Manager, script: Script, workspace: Path, number: int) -> None:
    os.mkfifo(workspace / "begun")
    (workspace / "begun").chmod(0o666)
    source = f"import threading; open({str(workspace / 'begun')!r}, 'w').close(); threading.Event().wait()"
    life = manager.fork(script(source))
    with open(workspace / "begun") as begun:
        begun.read()
    assert life.snapshot()["state"] == STATE["starting"]
    life.signal(number)
    assert manager.wait_exited(life).signal == number


def test_stacks_of_a_hanging_import(manager: Manager, script: Script, workspace: Path) -> None:
    """SIGQUIT is answered by C code: no GIL and no main thread is needed."""
    os.mkfifo(workspace / "begun")
    (workspace / "begun").chmod(0o666)
    life = manager.fork(script(f"open({str(workspace / 'begun')!r}, 'w').close()\nwhile True: pass"))
    with open(workspace / "begun") as begun:
        begun.read()
    life.signal(signal.SIGQUIT)
    life.wait_log('app.wsgi", line ')


def test_what_an_import_prints_is_in_the_log_at_once(manager: Manager, script: Script) -> None:
    life = manager.fork(script("print('printed'); import os; os._exit(1)"))
    manager.wait_exited(life)
    assert re.fullmatch(STAMP + rf" blog/1 life=1 pid={life.pid} stdout: printed\n", life.log)


def test_what_is_printed_is_a_record_and_does_not_run_into_the_next(manager: Manager, script: Script) -> None:
    source = r"""
import sys
print("no end", end="", flush=True)
print("a\nb\x1b[2J")
print("to stderr", file=sys.stderr)
sys.stdout.buffer.write(b"\xff bytes\n")
sys.stdout.flush()
print("x" * 100_000)
"""
    life = manager.fork(script(source + HELLO))
    life.ready()
    assert manager.drain(life).exit_code == 0
    who = rf"{STAMP} blog/1 life=1 pid={life.pid}"
    texts = ["stdout: no end", "stdout: a", r"stdout: b\x1b[2J", "stderr: to stderr", r"stdout: \xff bytes"]
    lines = life.log.splitlines()
    for text, line in zip([*texts, "stdout: " + "x" * 100_000], lines, strict=False):
        assert re.fullmatch(f"{who} {re.escape(text)}", line), line[:200]
    assert len(lines) > len(texts)


PACKAGE = (
    ANSWER
    + """
class Site:
    application = staticmethod(answer("attribute"))

def create_app(word="default", *, times=1):
    return answer(word * times)

def broken():
    raise LookupError("no settings")
"""
)


@pytest.mark.parametrize(
    ("target", "body"),
    [
        ("shop.wsgi:Site.application", b"attribute"),
        ("shop.wsgi:create_app()", b"default"),
        ("shop.wsgi:create_app('word', times=2)", b"wordword"),
    ],
)
def test_callables(manager: Manager, workspace: Path, target: str, body: bytes) -> None:
    _package(workspace)
    life = manager.fork(Application("callable", target), python_path=(str(workspace),))
    life.ready()
    assert life.get() == (200, body)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("shop.absent:application", "No module named 'shop.absent'"),
        ("shop.wsgi", "/shop/wsgi.py): it has Site, answer, broken, create_app"),
        ("shop.wsgi:create_ap", "Did you mean 'create_app'?"),
        ("shop.wsgi:Site.absent", "cannot find 'absent' in shop.wsgi"),
        ("shop.wsgi:broken()", "cannot call broken of shop.wsgi: LookupError: no settings"),
        ("shop.wsgi:create_app(open('/'))", "a call with literals"),
        ("shop.wsgi:__import__('os').system('x')", "a call with literals"),
    ],
)
def test_callables_that_are_not_there(manager: Manager, workspace: Path, target: str, message: str) -> None:
    _package(workspace)
    life = manager.fork(Application("callable", target), python_path=(str(workspace),))
    assert message in life.failed().message
    assert manager.wait_exited(life).exit_code == exits.STEPS["import"]


def _package(directory: Path) -> None:
    (directory / "shop").mkdir()
    (directory / "shop" / "__init__.py").touch()
    (directory / "shop" / "wsgi.py").write_text(PACKAGE)


def test_venv_is_activated(manager: Manager, script: Script, workspace: Path) -> None:
    venv = workspace / "venv"
    subprocess.run([manager.interpreter, "-m", "venv", "--without-pip", venv], check=True, timeout=HUNG_S)
    (packages,) = venv.glob("lib/python*/site-packages")
    (packages / "only_in_venv.py").write_text("value = 'from the venv'")
    (packages / "at_start.pth").write_text("import os, sys; sys.started_as = os.geteuid()")
    source = """
import sys, only_in_venv, json, site, sysconfig
told = json.dumps([only_in_venv.value, sys.prefix, sys.exec_prefix, sys.executable, sys.started_as,
                   sys.base_prefix != sys.prefix, sysconfig.get_path("purelib")])
"""
    life = manager.fork(script(source + ANSWER + "application = answer(told)"), python_home=str(venv))
    life.ready()
    told = life.get()[1].decode()
    uid = ALICE if os.geteuid() == 0 else os.geteuid()
    wanted = ["from the venv", str(venv), str(venv), str(venv / "bin" / "python"), uid, True, str(packages)]
    assert told == str(wanted).replace("'", '"').replace("True", "true")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"python_home": "/absent"}, "No such file or directory"),
        ({"python_home": "{workspace}"}, "it is no venv"),
        ({"python_home": "{workspace}/other"}, "it was made for another version"),
        ({"python_path": ("{workspace}/absent",)}, "cannot use python-path"),
        ({"python_path": ("{workspace}/app.wsgi",)}, "it is not a directory"),
        ({"python_eggs": "{workspace}/absent"}, "cannot use python-eggs"),
    ],
)
def test_wrong_interpreter(
    manager: Manager, script: Script, workspace: Path, changes: dict[str, object], message: str
) -> None:
    (workspace / "other" / "bin").mkdir(parents=True)
    (workspace / "other" / "bin" / "python").symlink_to(manager.interpreter)
    (workspace / "other" / "pyvenv.cfg").write_text(f"home = {manager.interpreter.parent}\n")
    filled = {
        key: value.format(workspace=workspace)
        if isinstance(value, str)
        else tuple(item.format(workspace=workspace) for item in value)  # type: ignore[attr-defined]
        for key, value in changes.items()
    }
    life = manager.fork(script(HELLO), **filled)
    failed = life.failed()
    assert message in failed.message
    assert manager.wait_exited(life).exit_code == exits.STEPS["interpreter"]


@pytest.mark.root
def test_eggs_directory_of_somebody_else(manager: Manager, script: Script, workspace: Path) -> None:
    life = manager.fork(script(HELLO), python_eggs=str(workspace))
    assert "it is not writable" in life.failed().message
    assert manager.wait_exited(life).exit_code == exits.STEPS["interpreter"]


def test_order_of_the_path(manager: Manager, script: Script, workspace: Path) -> None:
    for name in ("one", "two", "three", "home"):
        (workspace / name).mkdir()
    (workspace / "one" / "more.pth").write_text(str(workspace / "three"))
    source = "import sys; told = ' '.join(sys.path[:4])\n" + ANSWER + "application = answer(told)"
    life = manager.fork(
        script(source),
        python_path=(str(workspace / "one"), str(workspace / "two")),
        home=str(workspace / "home"),
        home_on_path=True,
    )
    life.ready()
    wanted = " ".join(str(workspace / name) for name in ("home", "one", "three", "two"))
    assert life.get() == (200, wanted.encode())


def test_several_mounts(manager: Manager, script: Script) -> None:
    show = ANSWER + "application = answer(lambda e: NAME + '|' + e['SCRIPT_NAME'] + '|' + e['PATH_INFO'])\n"
    life = manager.fork(
        script("NAME='api'\n" + show, "api.wsgi", "/api"), script("NAME='deep'\n" + show, "deep.wsgi", "/api/deep")
    )
    life.ready()
    assert life.get("/api") == (200, b"api|/api|")
    assert life.get("/api/x") == (200, b"api|/api|/x")
    assert life.get("/api/deep/y") == (200, b"deep|/api/deep|/y")
    assert life.get("/apix")[0] == 404


def test_lazy_loading_tries_again(manager: Manager, script: Script, workspace: Path) -> None:
    application = script("import absent_module")
    life = manager.fork(application, load="lazy")
    life.ready()
    assert life.get()[0] == 500
    assert "ModuleNotFoundError: No module named 'absent_module'" in life.log
    script(HELLO)
    assert life.get() == (200, b"hello")


@pytest.mark.root
def test_script_user_and_group(manager: Manager, script: Script, workspace: Path) -> None:
    application = script(HELLO.replace("hello", "owned"))
    path = Path(application.target)
    os.chown(workspace, ALICE, BOB)
    os.chown(path, ALICE, BOB)
    (workspace / "mark").touch()
    by_user = manager.fork(application, script_user=ALICE)
    by_group = manager.fork(application, script_group=BOB)
    for life in (by_user, by_group):
        life.ready()
        assert life.get() == (200, b"owned")
    path.chmod(0o664)
    assert by_user.get()[0] == 403
    assert "is writable by others than its owner" in by_user.log
    assert by_group.get()[0] == 200
    path.chmod(0o666)
    assert by_group.get()[0] == 403
    path.chmod(0o644)
    os.chown(path, BOB, ALICE)
    assert by_user.get()[0] == by_group.get()[0] == 403
    assert f"belongs to uid {BOB}, script-user is {ALICE}" in by_user.log
    by_user.send(messages.Tune(by_user.number, spec={"script_user": None}))
    by_user.send(messages.DumpStacks(by_user.number))  # done after it, hence a fact to wait for
    by_user.wait_log("stacks of all threads")
    assert by_user.get()[0] == 200


@pytest.mark.root
def test_script_of_somebody_else_never_runs(manager: Manager, script: Script, workspace: Path) -> None:
    os.chown(workspace, ALICE, ALICE)
    application = script("import sys; print('RAN', flush=True)\n" + HELLO)
    os.chown(application.target, BOB, BOB)
    os.chmod(application.target, 0o644)
    life = manager.fork(application, script_user=ALICE)
    life.ready()
    assert life.get()[0] == 403
    assert "RAN" not in life.log
    os.chown(application.target, ALICE, ALICE)
    assert life.get() == (200, b"hello")
    assert "RAN" in life.log


def test_script_reloading_asks_for_a_successor_and_serves_on(manager: Manager, script: Script) -> None:
    application = script(HELLO)
    life = manager.fork(application, script_reloading=True)
    life.ready()
    os.utime(application.target, (1, 1))
    assert life.get() == (200, b"hello")
    message = life.receive()
    assert isinstance(message, messages.Leaving)
    assert message.reason == "script-reloading"
    assert life.snapshot()["reason"] == REASON["script-reloading"]
    assert life.get() == (200, b"hello")


def test_script_that_is_a_fifo(manager: Manager, workspace: Path) -> None:
    os.mkfifo(workspace / "app.wsgi")
    (workspace / "app.wsgi").chmod(0o644)
    life = manager.fork(Application("script", str(workspace / "app.wsgi")))
    assert "it is not a regular file" in life.failed().message


def test_multiprocessing_from_an_application(manager: Manager, workspace: Path) -> None:
    """Its children are forked, or start a plain interpreter: neither our bootstrap nor our -I -S is repeated there."""
    (workspace / "work.py").write_text(
        "import multiprocessing\n"
        "def double(number): return number * 2\n"
        "def application(environ, start_response):\n"
        "    found = []\n"
        "    for method in ('spawn', 'forkserver', 'fork'):\n"
        "        with multiprocessing.get_context(method).Pool(1) as pool:\n"
        "            found += pool.map(double, [21])\n"
        "    body = str(found).encode()\n"
        "    start_response('200 OK', [('Content-Length', str(len(body)))])\n"
        "    return [body]\n"
    )
    life = manager.fork(Application("callable", "work:application"), python_path=(str(workspace),), signals="ignore")
    life.ready()
    assert life.get() == (200, b"[42, 42, 42]"), life.log
    assert manager.drain(life).exit_code == 0
