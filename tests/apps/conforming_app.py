"""Asked of two servers side by side (`support.conformance`): what a request and its process are, and what ends them.

`/environ` and `/process` answer as JSON, `/pid` the process id. `/held…` waits at the gate (`gated_app`), then answers
the process id; `/held-for-good` and `/held-gil` never do, the latter while it holds the GIL. `/offence/NAME` is
`misbehaving_app`. The rest is by the names of the functions.
"""

import ctypes
import hashlib
import inspect
import json
import locale
import os
import resource
import signal
import sys
import threading
import time

import misbehaving_app
from gated_app import wait_at_gate

TEXT = ("Content-Type", "text/plain")
MEBIBYTE = 1 << 20


def answer(start_response, body, status="200 OK", more=()):
    """Send a body with its length."""
    start_response(status, [TEXT, ("Content-Length", str(len(body))), *more])
    return [body]


def described():
    """Return what options decide of a process."""
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    with open("/proc/self/cmdline") as file:
        title = file.read().replace("\0", " ").strip()
    return {
        "pid": os.getpid(),
        "uids": os.getresuid(),
        "gids": os.getresgid(),
        "groups": sorted(os.getgroups()),
        "umask": status["Umask"],
        "cwd": os.getcwd(),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "limits": {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in ("DATA", "AS", "CPU")},
        "title": title,
        "environ": dict(os.environ),
        "locale": locale.setlocale(locale.LC_ALL),
        "encoding": sys.getfilesystemencoding(),
        "path": sys.path,
        "argv": sys.argv,
        "stack": threading.stack_size(),
        "threads": threading.active_count(),
        "main": threading.current_thread() is threading.main_thread(),
        "module": application.__module__,
        "recursion": sys.getrecursionlimit(),
    }


METHODS = {
    "wsgi.input": ("read", "readline", "readlines", "__iter__", "close"),
    "wsgi.errors": ("write", "writelines", "flush", "close"),
}


def environ_of(environ):
    """Return type and text of each value; of an object, which of METHODS it has."""
    found = {}
    for key, value in environ.items():
        if isinstance(value, (str, int, tuple)):
            found[key] = [type(value).__name__, str(value)]
        else:
            found[key] = ["object", " ".join(name for name in METHODS.get(key, ("__call__",)) if hasattr(value, name))]
    return found


def unread(environ, start_response):
    """Answer 10 MiB without a look at the body of the request."""
    start_response("200 OK", [TEXT, ("Content-Length", str(10 * MEBIBYTE))])
    return [b"x" * MEBIBYTE] * 10


def uploaded(environ, start_response):
    """Read all of the body."""
    body = environ["wsgi.input"].read()
    return answer(start_response, f"{len(body)} {hashlib.sha256(body).hexdigest()}".encode())


def past_the_end(environ, start_response):
    """Read the body, and read on."""
    stream = environ["wsgi.input"]
    read = [stream.read(3), stream.read(100), stream.read(), stream.read(5), stream.readline()]
    return answer(start_response, repr(read).encode())


def endless(environ, start_response):
    """Send until the client has gone; close() is noted in a file."""
    start_response("200 OK", [TEXT])
    return Endless()


class Endless:
    """Blocks without end."""

    def __iter__(self):
        return self

    def __next__(self):
        return b"y" * 65536

    def close(self):
        """Note it."""
        note("closed")


def note(name):
    """Make a file beside the script."""
    with open(os.path.join(os.environ["GATE_DIRECTORY"], "..", "notes", name), "a"):
        pass


def killed(environ, start_response):
    """End the process."""
    os.kill(os.getpid(), signal.SIGKILL)
    return []


def held_for_good(environ, start_response):
    """Announce itself, and never come back."""
    wait_at_gate("for good")
    while True:
        time.sleep(60)


def held_gil(environ, start_response):
    """Announce itself, and hold the GIL from then on."""
    wait_at_gate("gil")
    ctypes.PyDLL(None).sleep(600)


def burned(environ, start_response):
    """Use two seconds of processor time."""
    until = time.process_time() + 2
    while time.process_time() < until:
        sum(range(10000))
    return answer(start_response, str(os.getpid()).encode())


def large_field(environ, start_response):
    """Send a response header of as many bytes as the query says."""
    return answer(start_response, b"fine", more=[("X-Large", "x" * int(environ["QUERY_STRING"]))])


def twice(environ, start_response):
    """Send two headers of one name, and two cookies."""
    names = ("X-Twice", "Set-Cookie")
    return answer(start_response, b"fine", more=[(name, value) for name in names for value in ("a=1", "b=2")])


def elsewhere(environ, start_response):
    """Send a path in Location with status 200."""
    return answer(start_response, b"here", more=[("Location", environ["SCRIPT_NAME"] + "/pid")])


def no_length(environ, start_response):
    """Send one block without a length."""
    start_response("200 OK", [TEXT])
    return [b"one block"]


def no_content(environ, start_response):
    """Send a body where none is allowed."""
    start_response("204 No Content", [])
    return [b"a body"]


def tuple_of_headers(environ, start_response):
    """Pass the headers as a tuple."""
    start_response("200 OK", (TEXT,))
    return [b"fine"]


def replaced_start(environ, start_response):
    """Call start_response a second time, without exc_info, before anything was sent."""
    start_response("200 OK", [TEXT])
    start_response("203 Second", [TEXT])
    return [b"fine"]


def modules(environ, start_response):
    """Say what mod_wsgi's modules have, and what is left of a handler that was set while the script was loaded."""
    import apache
    import mod_wsgi

    found = {
        "mod_wsgi." + name: repr(getattr(mod_wsgi, name, "none"))
        for name in ("process_group", "application_group", "maximum_processes", "threads_per_process")
    }
    for module in (mod_wsgi, apache):
        names = {name for name in (*dir(module), "active_requests") if not name.startswith("_")}
        # but for modules that it imports: an installed package mod_wsgi may have some
        there = {name for name in names if hasattr(module, name) and not inspect.ismodule(getattr(module, name))}
        found["names of " + module.__name__] = sorted(there)
    found["handler"] = repr(getattr(signal.getsignal(signal.SIGUSR2), "__name__", "") != "<lambda>")
    return answer(start_response, json.dumps(found).encode())


def printed(environ, start_response):
    """Write to every stream."""
    print("printed")
    print("to stderr", file=sys.stderr)
    environ["wsgi.errors"].write("to wsgi.errors\n")
    return answer(start_response, b"fine")


NAMED = {
    "/" + function.__name__.replace("_", "-"): function
    for function in (
        unread, uploaded, past_the_end, endless, killed, held_for_good, held_gil, burned, large_field, twice, elsewhere,
        no_length, no_content, tuple_of_headers, replaced_start, modules, printed,
    )
}  # fmt: skip


def application(environ, start_response):
    """Dispatch on the path."""
    path = environ["PATH_INFO"]
    if path in NAMED:
        return NAMED[path](environ, start_response)
    if path.startswith("/offence/"):
        return misbehaving_app.application(dict(environ, PATH_INFO=path[len("/offence") :]), start_response)
    if path == "/environ":
        return answer(start_response, json.dumps(environ_of(environ)).encode())
    if path == "/process":
        return answer(start_response, json.dumps(described()).encode())
    body = environ["wsgi.input"].read() if environ["REQUEST_METHOD"] == "POST" else b""
    if path.startswith("/held"):
        wait_at_gate(path)
    return answer(start_response, b"%d" % os.getpid(), more=[("X-Read", str(len(body)))])
