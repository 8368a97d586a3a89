"""What a daemon tells its application, by modules, environ and calls, and what it does not let it do."""

from __future__ import annotations

import ast
import os
import re
import signal
from collections.abc import Callable
from pathlib import Path

from support.processes import Manager

from wsgigroups.runtime.wire import messages
from wsgigroups.runtime.wire.spec import Application

Script = Callable[..., Application]

ENVIRON = """
def application(environ, start_response):
    names = ("SERVER_", "REQUEST_SCHEME", "SCRIPT_FILENAME", "mod_wsgi.", "apache.", "wsgigroups.")
    body = repr({key: value for key, value in environ.items() if key.startswith(names)}).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
TOLD = """
import mod_wsgi, wsgigroups_daemon
@wsgigroups_daemon.subscribe_shutdown
def leaving(name, **event):
    with open({written!r}, "w") as out: out.write("%s %r %s" % (name, event, wsgigroups_daemon.shutdown_reason))
def application(environ, start_response):
    wsgigroups_daemon.request_data()["x"] = wsgigroups_daemon.group
    data = list(mod_wsgi.active_requests.values())
    body = repr([data, wsgigroups_daemon.shutdown_reason]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""
HANDLERS = """
import os, signal
def handler(number, frame): os._exit(5)
answer = signal.signal(signal.SIGTERM, handler)
def application(environ, start_response):
    child = os.fork()
    if not child:
        signal.signal(signal.SIGTERM, handler)
        os.kill(os.getpid(), signal.SIGTERM)
        os._exit(6)
    status = os.waitpid(child, 0)[1]
    body = repr([answer is handler, os.WIFEXITED(status) and os.WEXITSTATUS(status)]).encode()
    start_response("200 OK", [("Content-Length", str(len(body)))])
    return [body]
"""


def test_environ_of_an_application_written_for_mod_wsgi(manager: Manager, script: Script) -> None:
    application = script(ENVIRON)
    life = manager.fork(application)
    life.ready()
    assert life.address is not None
    host, port = life.address[:2]
    found = ast.literal_eval(life.get()[1].decode())
    assert found == {
        "SERVER_NAME": host, "SERVER_ADDR": host, "SERVER_PORT": str(port), "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_SOFTWARE": "wsgigroups", "REQUEST_SCHEME": "http", "SCRIPT_FILENAME": application.target,
        "apache.version": (2, 4, 0), "mod_wsgi.version": (5, 0, 2), "mod_wsgi.process_group": "blog",
        "mod_wsgi.application_group": "", "mod_wsgi.callable_object": "application",
        "mod_wsgi.request_handler": "wsgi-script", "mod_wsgi.handler_script": "",
        "mod_wsgi.listener_host": host, "mod_wsgi.listener_port": str(port),
        "wsgigroups.group": "blog", "wsgigroups.slot": "1",
    }  # fmt: skip


def test_the_end_is_told_with_its_reason(manager: Manager, script: Script, workspace: Path) -> None:
    written = workspace / "written"
    written.touch()
    written.chmod(0o666)
    life = manager.fork(script(TOLD.format(written=str(written))))
    life.ready()
    assert life.get() == (200, b"[[{'x': 'blog'}], '']"), life.log
    life.send(messages.Drain(life.number, "restart-interval"))
    assert manager.wait_exited(life).exit_code == 0
    assert written.read_text() == "process_stopping {'shutdown_reason': 'restart_interval'} restart-interval"


def test_a_subscriber_that_hangs_does_not_keep_the_process(manager: Manager, script: Script) -> None:
    source = "import time, mod_wsgi\nmod_wsgi.subscribe_shutdown(lambda *_, **__: time.sleep(3600))\n" + ENVIRON
    life = manager.fork(script(source), shutdown_timeout_s=0.5)
    life.ready()
    assert manager.drain(life).exit_code == 0
    assert "a subscriber of process_stopping has not returned" in life.log


def test_signals_that_are_the_applications_are_told(manager: Manager, script: Script, workspace: Path) -> None:
    os.mkfifo(workspace / "heard")
    (workspace / "heard").chmod(0o666)
    source = f"""
import mod_wsgi
@mod_wsgi.subscribe_signals
def heard(name, **event):
    with open({str(workspace / "heard")!r}, "w") as out: out.write("%s %r" % (name, event))
"""
    life = manager.fork(script(source + ENVIRON), signals="ignore")
    life.ready()
    life.signal(signal.SIGUSR2)
    assert (workspace / "heard").read_text() == "process_signal {'signame': 'SIGUSR2', 'signum': 12}"
    assert life.get()[0] == 200


def test_signals_belong_to_the_server_and_to_children(manager: Manager, script: Script) -> None:
    life = manager.fork(script(HANDLERS), signals="ignore")
    life.ready()
    assert life.get() == (200, b"[True, 5]"), life.log
    assert re.search(r"notice: signal.signal\(SIGTERM\) at \S*app.wsgi, line 4, in <module> is ignored", life.log)
    life.signal(signal.SIGTERM)
    assert isinstance(life.receive(), messages.Leaving)
    assert manager.drain(life).exit_code == 0
    refused = manager.fork(script(HANDLERS), signals="raise")
    assert "ValueError: signal.signal(SIGTERM) at" in refused.failed().message
