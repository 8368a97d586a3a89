"""Answers, as JSON, what the process that runs it is. Tests compare it with what the configuration asked for.

`/` gives the fields of `describe`; `/try` also tries what a process without privileges must not be able to do and gives
the name of the error of each attempt, or `done`; `/environ` gives the request's own environ (values as text).
"""

import ctypes
import json
import os
import resource
import sys
import threading


def describe(environ):
    """Return ids, capabilities, limits, environment, descriptors, paths, modules and threads of this process."""
    with open("/proc/self/status") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return {
        "pid": os.getpid(),
        "parent": os.getppid(),
        "session": os.getsid(0),
        "uids": os.getresuid(),
        "gids": os.getresgid(),
        "groups": sorted(os.getgroups()),
        "status": {key: status[key].split() for key in sorted(status) if key in WANTED_STATUS},
        "umask": int(status["Umask"], 8),
        "nice": os.getpriority(os.PRIO_PROCESS, 0),
        "oom_score_adj": int(read_text("/proc/self/oom_score_adj")),
        "limits": {name: resource.getrlimit(getattr(resource, "RLIMIT_" + name)) for name in WANTED_LIMITS},
        "environ": dict(os.environ),
        "descriptors": open_descriptors(),
        "cwd": os.getcwd(),
        "root": os.readlink("/proc/self/root"),
        "title": read_text("/proc/self/cmdline").replace("\0", " ").strip(),
        "comm": read_text("/proc/self/comm").strip(),
        "executable": sys.executable,
        "prefix": sys.prefix,
        "version": list(sys.version_info[:3]),
        "sys_path": sys.path,
        "modules": sorted(sys.modules),
        "threads": sorted(thread.name for thread in threading.enumerate()),
        "switch_interval_s": sys.getswitchinterval(),
        "encoding": sys.getfilesystemencoding(),
        "argv": sys.argv,
        "wsgi": {key: repr(value) for key, value in environ.items() if key.startswith("wsgi.")},
    }


WANTED_STATUS = {"Uid", "Gid", "Groups", "NoNewPrivs", "Seccomp", "Threads"}
WANTED_STATUS |= {"Cap" + name for name in ("Inh", "Prm", "Eff", "Bnd", "Amb")} | {"SigIgn", "SigBlk", "SigCgt"}
WANTED_LIMITS = ("AS", "CORE", "CPU", "DATA", "NOFILE", "NPROC", "STACK")


def read_text(path):
    """Return a file of /proc as text."""
    with open(path) as file:
        return file.read()


def open_descriptors():
    """Return descriptor → target; the one that lists the directory is left out."""
    found = {}
    for name in os.listdir("/proc/self/fd"):
        try:
            found[name] = os.readlink("/proc/self/fd/" + name)
        except FileNotFoundError:
            continue
    return found


def attempts():
    """Try what must be refused; return attempt → name of the error, or `done`."""
    libc = ctypes.CDLL(None, use_errno=True)

    def prctl_keep_capabilities():
        pr_set_keepcaps, keep = 8, 1
        if libc.prctl(pr_set_keepcaps, keep, 0, 0, 0):
            raise OSError(ctypes.get_errno(), "prctl")
        os.setuid(0)

    tried = {
        "setuid 0": lambda: os.setuid(0),
        "setgid 0": lambda: os.setgid(0),
        "setresuid 0": lambda: os.setresuid(0, 0, 0),
        "setgroups 0": lambda: os.setgroups([0]),
        "keep capabilities": prctl_keep_capabilities,
        "read /etc/shadow": lambda: open("/etc/shadow").close(),
        "signal init": lambda: os.kill(1, 0),
        "raise priority": lambda: os.setpriority(os.PRIO_PROCESS, 0, -5),
        "chroot": lambda: os.chroot("/"),
    }
    answers = {}
    for name, action in tried.items():
        try:
            action()
            answers[name] = "done"
        except OSError as error:
            answers[name] = type(error).__name__
    return answers


def application(environ, start_response):
    """Dispatch on the path."""
    path = environ.get("PATH_INFO", "/")
    if path == "/environ":
        answer = {key: value if isinstance(value, str) else repr(value) for key, value in environ.items()}
    else:
        answer = describe(environ)
        if path == "/try":
            answer["attempts"] = attempts()
    body = json.dumps(answer).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
