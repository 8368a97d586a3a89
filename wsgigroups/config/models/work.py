"""Options of a group that say what it runs and how much of it. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from wsgigroups.config.counted_kinds import ProcessCount
from wsgigroups.config.effects import Effect, When
from wsgigroups.config.kinds import (
    Addresses,
    AnyPath,
    Callable,
    Duration,
    Environment,
    Identifier,
    Integer,
    Kind,
    Locale,
    Paths,
    Reloading,
    Text,
)
from wsgigroups.config.models.base import OptionModel, option

_STARTS = "read when a process starts"
_LOADS = "applications are loaded when a process starts"


class ApplicationOptions(OptionModel):
    """What runs."""

    app: Callable | None = option(
        None,
        "The WSGI application as package.module:callable. With () behind it, it is a factory: called once in each "
        "process, without arguments, and what it returns is the application.",
        default_text="none; a group has app or script, or applications come from the mounts of a site",
        effect=Effect.REPLACE,
        reason=_LOADS,
        example="blog.wsgi:application",
        related=("script", "callable-object", "python-path", "load"),
        extension=True,
    )
    script: AnyPath | None = option(
        None,
        "A WSGI script file. It is loaded once per process, whatever its suffix; its callable is callable-object.",
        default_text="none",
        effect=Effect.REPLACE,
        reason=_LOADS,
        example="/srv/blog/blog.wsgi",
        related=("app", "callable-object", "script-reloading", "script-user"),
        extension=True,
    )
    callable_object: Identifier = option(
        "application",
        "The name of the WSGI callable in the script file.",
        effect=Effect.REPLACE,
        reason=_LOADS,
        example="app",
        related=("script",),
        extension=True,
    )
    load: Annotated[Literal["eager", "lazy"], Kind("choice")] = option(
        "eager",
        "eager: the application is loaded before the process is called ready, so that a broken one never takes over. "
        "lazy: at the first request, as mod_wsgi does without WSGIImportScript.",
        effect=Effect.REPLACE,
        reason=_LOADS,
        example="lazy",
        choices=("eager", "lazy"),
        related=("startup-timeout",),
        extension=True,
    )
    preload: Annotated[Literal["off", "app"], Kind("choice")] = option(
        "off",
        "app: the first process of the group leaves a mold behind when it has loaded the application: a process that "
        "serves nothing and forks the next ones. They share the memory of what was loaded, and start within a moment. "
        "Other code, other options and a restart make another mold. A start is refused where the application has "
        "threads, sockets, event loops or processes of its own when it is loaded, which a fork would lose or share; it "
        "may make them at the first request, or in os.register_at_fork(after_in_child=…).",
        effect=Effect.REPLACE,
        reason=_LOADS,
        example="app",
        choices=("off", "app"),
        related=("load", "processes"),
        extension=True,
    )
    script_reloading: Reloading = option(
        False,
        "Watch the script file: when it changes, or a function reload_required(path) in it returns true, the processes "
        "of the group are replaced one by one, successor first. If the new file does not load, the processes in place "
        "go on serving. true: requests look once a second, and are answered by the processes in place until the "
        'successors are ready. "wait": it is looked at before a connection is accepted, which on TCP is when its '
        "first bytes have come, and one that is accepted after a change waits for a successor with the new code, for "
        "connect-timeout at most, as users of mod_wsgi know it; connections are not kept open then. What that does not "
        "reach is in docs/applications.md.",
        effect=Effect.REPLACE,
        reason=_STARTS,
        example=True,
        related=("script", "reload", "connect-timeout"),
        extension=True,
    )
    reload: Paths = option(
        (),
        "Patterns of files, for development: when one that matches is changed, added or removed, the processes of the "
        "group are replaced one by one, successor first, as with script-reloading. * and ? stand for characters of a "
        "name, ** for any directories. Each process looks once a second, as its user.",
        default_text="none",
        effect=Effect.LIVE,
        reason="told to running processes, which look for changes from then on",
        example=["/srv/blog/src/**/*.py"],
        related=("script-reloading", "watch"),
        extension=True,
    )
    signals: Annotated[Literal["ignore", "raise", "allow"], Kind("choice")] = option(
        "ignore",
        "What signal.signal does in the application, whose process leaves by signals. ignore: nothing, and a line in "
        "the log says where it was called, as with mod_wsgi. raise: ValueError, as outside of the main thread. allow: "
        "what Python does; a handler set when the application is imported holds for signals that the process does not "
        "need itself. Processes that the application forks may always set handlers.",
        effect=Effect.REPLACE,
        reason=_STARTS,
        example="raise",
        choices=("ignore", "raise", "allow"),
        related=("load",),
        extension=True,
    )
    release: Text | None = option(
        None,
        "The identity of the code, for people who ship releases: a version, a tag, a commit. `plan` shows the old and "
        "the new one, and another one replaces the processes. With it no file is looked at.",
        default_text="none: the code itself is compared, see watch",
        effect=Effect.REPLACE,
        reason="other code is loaded when a process starts",
        example="2026-11-23.1",
        related=("watch",),
        extension=True,
    )
    watch: Paths = option(
        (),
        "Files and directories that are the code of the group. When their content has changed since the processes "
        "started, `plan` names the files and `apply` replaces the processes. Without it these are compared: the "
        "package of app, and Python code and templates in home (where it is set) and in python-path. The script, the "
        "interpreter and the installed distributions always are. Nothing is replaced before somebody applies.",
        default_text="the package of app, and code in home and python-path",
        effect=Effect.REPLACE,
        reason="what was compared before cannot be compared any more",
        example=["/srv/blog"],
        related=("release", "script-reloading", "app"),
        extension=True,
    )
    listen: Addresses = option(
        (),
        "Addresses on which the daemons of this group answer HTTP themselves: HOST:PORT, [IPv6]:PORT or unix:/path. "
        "Without any, the group is reached through the mounts of sites only.",
        default_text="none",
        effect=Effect.REBIND,
        reason="listening sockets are handed to a process when it starts",
        example=["127.0.0.1:8000"],
        related=("listen-backlog", "socket-user", "trusted-proxies"),
        extension=True,
    )
    environment: Environment = option(
        None,
        "Environment variables of the daemons. Their environment is built from nothing: HOME, USER, LOGNAME, PATH and "
        "the locale, then environment-files, then these. Nothing of the manager's own environment arrives.",
        default_text="none",
        effect=Effect.REPLACE,
        reason="a process gets its environment when it starts",
        example={"DJANGO_SETTINGS_MODULE": "blog.settings"},
        related=("environment-files", "lang", "locale"),
        factory=dict,
        extension=True,
    )
    environment_files: Paths = option(
        (),
        "Files of NAME=VALUE lines, read when the configuration is applied; later files win, environment wins over "
        "all of them. A place for secrets that do not belong into this file.",
        default_text="none",
        effect=Effect.REPLACE,
        reason="a process gets its environment when it starts",
        example=["/etc/blog.env"],
        related=("environment",),
        extension=True,
    )


class ProcessOptions(OptionModel):
    """How many processes and threads, and what they are called."""

    processes: ProcessCount = option(
        1,
        "Number of daemon processes, or auto: one for each processor, and no more than there is memory for, by the "
        "cgroup of the manager; `plan` has the arithmetic. Written, even as 1, it makes wsgi.multiprocess true; left "
        "out there is one process and wsgi.multiprocess is false, as interactive debuggers need it.",
        default_text="1, and wsgi.multiprocess false",
        effect=Effect.LIVE,
        otherwise={When.WRITTEN: Effect.REPLACE},
        reason="processes are added or drained; wsgi.multiprocess is part of the environ of those that run",
        example=2,
        minimum=1,
        maximum=4096,
        related=("threads",),
    )
    threads: Integer = option(
        15,
        "Requests that one process runs at the same time, each in a thread of its own. With 1, wsgi.multithread is "
        "false. More threads help when requests wait (databases, other services); for CPU-bound work use 3 to 5 "
        "threads and more processes. With 4 or more, one is kept free of requests that are known to wait long while "
        "most requests are brief.",
        effect=Effect.REPLACE,
        reason=_STARTS,
        example=25,
        minimum=1,
        maximum=1024,
        related=("processes", "request-timeout", "stack-size"),
    )
    display_name: Text | None = option(
        None,
        "What ps shows for the daemons. Exactly %{GROUP} becomes (wsgi:NAME); any other text is shown as it is.",
        default_text="wsgigroups: NAME/SLOT",
        effect=Effect.LIVE,
        reason="the title of a running process is set anew",
        example="%{GROUP}",
    )


class PythonOptions(OptionModel):
    """Which Python, and what it finds."""

    python_home: AnyPath | None = option(
        None,
        "The Python environment: the directory that sys.prefix names there. A venv, a conda environment or a prefix "
        "with bin/python3, of any CPython from 3.8 on; groups may use different versions.",
        default_text="the interpreter and environment that wsgigroups itself runs in",
        effect=Effect.REPLACE,
        reason="the interpreter is chosen when a process starts",
        example="/srv/blog/.venv",
        related=("python-path",),
    )
    python_path: Paths = option(
        (),
        "Directories for sys.path, each added with site.addsitedir (so that .pth files in them work) and then moved to "
        "the front in this order. A list, or text with colons. A directory that is not there is an error.",
        default_text="none",
        effect=Effect.REPLACE,
        reason="sys.path is set when a process starts",
        example=["/srv/blog"],
        related=("python-home", "home"),
    )
    python_eggs: AnyPath | None = option(
        None,
        "Directory for extracted eggs (PYTHON_EGG_CACHE). It must exist and the group's user must be able to write "
        "to it.",
        default_text="none",
        effect=Effect.REPLACE,
        reason="a process gets its environment when it starts",
        example="/var/cache/blog-eggs",
    )
    lang: Locale | None = option(
        None,
        "The LANG environment variable of the daemons, decided before their interpreter starts.",
        default_text="inherited from the manager",
        effect=Effect.REPLACE,
        reason="an interpreter reads it when it starts",
        example="en_US.UTF-8",
        related=("locale",),
    )
    locale: Locale | None = option(
        None,
        "The locale of the daemons: LC_ALL, and setlocale is called. It decides the encoding of file names before "
        "the interpreter starts.",
        default_text="inherited from the manager",
        effect=Effect.REPLACE,
        reason="an interpreter reads it when it starts",
        example="C.UTF-8",
        related=("lang",),
    )
    switch_interval: Duration = option(
        0.0,
        "How long a thread keeps the interpreter before another may have it (sys.setswitchinterval). 0 leaves "
        "Python's own 5 ms.",
        default_text="Python's own: 5ms",
        effect=Effect.REPLACE,
        reason=_STARTS,
        example="1ms",
        extension=True,
    )
