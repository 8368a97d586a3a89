"""How scripts are loaded, whose they may be, and what a new version does to requests on their way."""

from __future__ import annotations

import os

from support.conformance.asking import HUNG_S, Asked
from support.conformance.case import Case, Facts, better, on_purpose
from support.conformance.cases.answers import NO_FRONT
from support.looking import wait

_VERSION = "BODY = b'old'\n"
_ANSWERS = """
inner = application
def application(environ, start_response):
    if environ["PATH_INFO"] == "/version":
        start_response("200 OK", [("Content-Length", "3")])
        return [BODY]
    return inner(environ, start_response)
"""
NOTES_ITS_PROCESS = """
open(os.environ["GATE_DIRECTORY"] + "/../notes/loaded-%d" % os.getpid(), "w").close()
"""
_SETS_A_HANDLER = """
import signal
signal.signal(signal.SIGUSR2, lambda number, frame: None)
"""
_FAILS_IN_ONE_PROCESS = """
first = os.environ["GATE_DIRECTORY"] + "/../notes/first"
if not os.path.exists(first) or open(first).read() == str(os.getpid()):
    with open(first, "w") as file:
        file.write(str(os.getpid()))
    raise RuntimeError("on purpose, in one process")
"""


_HANGS_IN_ONE_PROCESS = """
import time
first = os.environ["GATE_DIRECTORY"] + "/../notes/first"
if not os.path.exists(first):
    with open(first, "w") as file:
        file.write(str(os.getpid()))
    time.sleep(600)
"""


def _reloaded(asked: Asked) -> Facts:
    """A new version of the script while a POST is in the process: when is it served, and what becomes of the POST."""
    assert asked.get("/version").body == b"old"
    held, pid = asked.held("/held-in-the-old", method="POST", body=bytes(1 << 20))
    text = asked.script.read_text()
    asked.script.write_text(text.replace("b'old'", "b'new'"))
    os.utime(asked.script, (2_000_000_000, 2_000_000_000))
    first = asked.later("/version")
    early = first.within(asked.patience_s)
    if asked.ours:
        asked.followed(pid)
        asked.comes("/version", b"new")
        early = asked.get("/version")
    asked.gate.release()
    post = held.answer()
    return {
        "the POST in the old process": f"{post.outcome}, {post.fields.get('X-Read')} bytes read",
        "the first request after the change": first.answer().body.decode(),
        "new code while the POST runs": "yes" if early and early.body == b"new" else "no",
    }


def _reloaded_four(asked: Asked) -> Facts:
    """The same with four processes, until none of them is left."""
    before = asked.loaded(4)
    held, _pid = asked.held("/held-in-the-old", method="POST", body=bytes(1 << 20))
    asked.script.write_text(asked.script.read_text().replace("b'old'", "b'new'"))
    os.utime(asked.script, (2_000_000_000, 2_000_000_000))
    asked.get("/version")
    asked.gate.release()
    post = held.answer()

    def none_is_left() -> bool:
        for late in [asked.later("/version") for _ in range(8)]:
            late.answer()
        return not any(asked.lives(pid) for pid in before)

    wait(none_is_left, lambda: f"of {before} some are left", HUNG_S)
    return {
        "the POST in the old process": f"{post.outcome}, {post.fields.get('X-Read')} bytes read",
        "each of the four is replaced": "yes",
        "a request then": asked.get("/version").body.decode(),
    }


def _waited(asked: Asked) -> Facts:
    assert asked.get("/version").body == b"old"
    asked.script.write_text(asked.script.read_text().replace("b'old'", "b'new'"))
    os.utime(asked.script, (2_000_000_000, 2_000_000_000))
    return {"the first request after the change": asked.get("/version").body.decode()}


def _modules(asked: Asked) -> Facts:
    """What applications import that were written for mod_wsgi."""
    found = asked.json("/modules")
    names = {f"`{module}.{name}`": "there" for module in ("mod_wsgi", "apache") for name in found[f"names of {module}"]}
    values = {f"value of `{name}`": value for name, value in found.items() if name.startswith("mod_wsgi.")}
    return {**names, **values, "signal.signal in a script is ignored": found["handler"]}


def _healed(asked: Asked) -> Facts:
    first = asked.get("/pid").outcome
    pid = int((asked.notes / "first").read_text())
    return {"while the script raises": first, "the process is replaced": asked.followed(pid)}


def _hung(asked: Asked) -> Facts:
    first = asked.get("/pid").outcome
    pid = int((asked.notes / "first").read_text())
    return {"the request that loads it": first, "the process is replaced": asked.left(pid)}


def _refused(asked: Asked) -> Facts:
    return {"a request": asked.get("/pid").outcome}


def _writable(asked: Asked) -> Facts:
    before = asked.get("/pid").outcome
    asked.script.chmod(0o664)
    writable = asked.get("/pid").outcome
    asked.script.chmod(0o644)
    asked.directory.chmod(0o775)
    return {
        "owner and modes right": before,
        "the group may write to it": writable,
        "the group may write to its directory": asked.get("/pid").outcome,
    }


CASES = (
    Case("reloaded", "A changed script while a POST is on its way", _reloaded, lines=_VERSION + _ANSWERS,
         options={"threads": 3, "shutdown-timeout": 60}, here={"script-reloading": True},
         apart={
             **on_purpose("The old code answers until the new one has been loaded and is ready: a file that does not "
                          "load, or was written by halves, is never served.", "the first request after the change"),
             **better("A successor with the new code serves while what is on its way comes to its end; Apache has "
                      "everybody wait for that.", "new code while the POST runs"),
         }),
    Case("reloaded-four", "The same with four processes", _reloaded_four,
         lines=NOTES_ITS_PROCESS + _VERSION + _ANSWERS,
         options={"processes": 4, "threads": 2, "shutdown-timeout": 60}, here={"script-reloading": True}),
    Case("waited", "A changed script, and requests that wait for it", _waited, lines=_VERSION + _ANSWERS,
         here={"script-reloading": "wait"}),
    Case("modules", "The modules of mod_wsgi", _modules, lines=_SETS_A_HANDLER, options={"processes": 1, "threads": 2},
         apart=better("It is of mod_wsgi 6, and there for applications that were written for that.",
                      "`mod_wsgi.RequestTimeout`", "`mod_wsgi.signal_callbacks`", "`mod_wsgi.start_recording_metrics`",
                      "`mod_wsgi.subscribe_signals`")),
    Case("healed", "startup-timeout, a script that raises", _healed, lines=_FAILS_IN_ONE_PROCESS, lazy=True,
         options={"startup-timeout": 1}),
    Case("hung", "startup-timeout, a script that hangs", _hung, lines=_HANGS_IN_ONE_PROCESS, lazy=True,
         options={"startup-timeout": 1, "shutdown-timeout": 1},
         apart=on_purpose(NO_FRONT, "the request that loads it")),
    Case("owner", "script-user, the file of another", _refused, options={"script-user": "www-data"}),
    Case("writable", "script-user", _writable, options={"script-user": "root"}),
)  # fmt: skip
