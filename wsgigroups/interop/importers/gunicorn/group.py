"""Settings of gunicorn to a group. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wsgigroups.interop.importers.draft import ForeignSetting, one_line
from wsgigroups.interop.importers.gunicorn.reading import texts, truth
from wsgigroups.interop.importers.gunicorn.words import HOOKS, MAPPED, NEEDLESS, OTHERWISE, SAME, SENTENCES
from wsgigroups.interop.importers.started import put_start
from wsgigroups.interop.importers.values import (
    address,
    number,
    numbered,
    octal,
    resolved,
    variables_in,
    with_defaults,
)

if TYPE_CHECKING:
    from wsgigroups.interop.importers.draft import Draft, Place
    from wsgigroups.interop.importers.gunicorn.reading import Settings
    from wsgigroups.interop.importers.started import Started

_ASGI = re.compile(r"uvicorn|asgi|hypercorn|daphne|aiohttp", re.IGNORECASE)
_GREENLETS = re.compile(r"gevent|eventlet|tornado|meinheld", re.IGNORECASE)
_APP = re.compile(r"(?P<module>[A-Za-z_][\w.]*)(?::(?P<object>[A-Za-z_][\w.]*)(?P<call>\(.*\))?)?")
_THREADS_FOR_GREENLETS = 40
_TOO_MANY_REQUESTS = 10_000
_LONGEST_LINE = 2**20
_NO_VALUE = "its value is in a variable that is not known here"
_DEFAULT = "the default of gunicorn"
_UNLIMITED = {"limit_request_line": _LONGEST_LINE, "limit_request_field_size": _LONGEST_LINE}


def put_gunicorn(draft: Draft, settings: Settings, begun: Started, app: str) -> Place | None:
    """Put a group, and return its place; None for what cannot be served here, which is said."""
    target = app or begun.app or str(settings.get("wsgi_app", ("", begun.setting))[0] or "")
    worker = str(settings.get("worker_class", ("sync", begun.setting))[0] or "sync")
    if _ASGI.search(worker):
        what = settings["worker_class"][1]
        draft.drop(what, "an ASGI application: wsgigroups serves WSGI; leave it with gunicorn")
        return None
    found = _APP.fullmatch(target.strip())
    if not target or "paste" in settings:
        draft.drop(begun.setting, "which application it serves is not said: --app package.module:callable says it")
        return None
    if found is None or (found["call"] or "()").replace(" ", "") != "()":
        sentence = "an application that is made with arguments: write a function without any, and name it with --app"
        draft.drop(replace(begun.setting, what=one_line(target)), sentence)
        return None
    wanted = begun.name or str(settings.get("proc_name", ("", None))[0] or "") or found["module"].split(".")[0]
    place: Place = ("groups", draft.new_name(wanted))
    draft.comments[place] = begun.setting.what
    app_text = f"{found['module']}:{found['object'] or 'application'}{'()' if found['call'] else ''}"
    draft.put(place, "app", app_text, replace(begun.setting, what=one_line(target)))
    _Writer(draft, settings, begun, place, worker).run()
    return place


class _Writer:
    def __init__(self, draft: Draft, settings: Settings, begun: Started, place: Place, worker: str) -> None:
        self._draft = draft
        self._settings = settings
        self._begun = begun
        self._place = place
        self._threads = self._number("threads") or 1
        self._greenlets = bool(_GREENLETS.search(worker))
        self._threaded = self._threads > 1 or "thread" in worker or self._greenlets

    def run(self) -> None:
        self._workers()
        self._stuck()
        for name, option in SAME.items():
            self._same(name, option)
        self._draft.default(self._place, "shutdown-timeout", 30, f"graceful_timeout, {_DEFAULT}")
        self._draft.default(self._place, "keep-alive-timeout", 2, f"keepalive, {_DEFAULT}")
        for name in ("limit_request_line", "limit_request_field_size"):
            self._limit(name)
        self._preload()
        self._code()
        self._identity()
        self._logs()
        listen = self._listen()
        self._trusted(listen)
        self._tls(listen)
        chdir = self._settings.get("chdir")
        put_start(self._draft, self._place, self._begun, str(chdir[0]) if chdir and chdir[0] else None)
        if chdir:
            self._draft.note((*self._place, "home"), chdir[1])
        self._rest()

    def _get(self, name: str) -> tuple[Any, ForeignSetting] | None:
        found = self._settings.get(name)
        return found if found is not None and found[0] not in (None, "") else None

    def _number(self, name: str) -> int | None:
        found = self._get(name)
        return number(resolved(str(found[0]))) if found is not None else None

    def _same(self, name: str, option: str) -> None:
        found, value = self._get(name), self._number(name)
        if found is None:
            return
        if value is None or value < 0:
            self._draft.drop(found[1], _NO_VALUE if variables_in(str(found[0])) else f"{found[0]} is no number")
        else:
            sentence = "the default is written: a variable may say otherwise" if variables_in(str(found[0])) else ""
            self._draft.put(self._place, option, value, found[1], sentence)

    def _workers(self) -> None:
        found, count = self._get("workers"), self._number("workers")
        if found is None and "WEB_CONCURRENCY" in self._begun.variables:
            count = number(self._begun.variables["WEB_CONCURRENCY"])
            found = (count, replace(self._begun.setting, what=f"WEB_CONCURRENCY={count}"))
        if found is not None and count is None:
            self._draft.drop(found[1], f'{_NO_VALUE}: write processes = N, or "auto" for one for each processor')
        elif found is not None and count == 1:
            # with one worker gunicorn says that wsgi.multiprocess is false, as a group without `processes` does
            self._draft.needless(found[1])
        elif found is not None:
            sentence = "the default is written: a variable may say otherwise" if variables_in(str(found[0])) else ""
            self._draft.put(self._place, "processes", count, found[1], sentence)
        threads = self._get("threads")
        if self._greenlets:
            what = self._settings["worker_class"][1]
            sentence = f"greenlets are threads here: {_THREADS_FOR_GREENLETS} requests at once in each process"
            self._draft.put(self._place, "threads", _THREADS_FOR_GREENLETS, what, sentence)
        elif threads is not None:
            sentence = "" if number(threads[0]) else "the default is written: a variable may say otherwise"
            self._draft.put(self._place, "threads", self._threads, threads[1], sentence)
        else:
            self._draft.default(self._place, "threads", 1, f"threads, {_DEFAULT}")
        if "worker_class" in self._settings and not self._greenlets:
            self._draft.note((*self._place, "threads"), self._settings["worker_class"][1])

    def _stuck(self) -> None:
        """timeout: of the request where a worker has one at a time, else of a worker that does not get on."""
        found, value = self._get("timeout"), self._number("timeout")
        option = "deadlock-timeout" if self._threaded else "request-timeout"
        if found is None:
            self._draft.default(self._place, option, 30, f"timeout, {_DEFAULT}")
        elif value is None or value < 0:
            self._draft.drop(found[1], _NO_VALUE)
        else:
            sentence = "for a process that does not get on; request-timeout is for requests that take long"
            self._draft.put(self._place, option, value, found[1], sentence if self._threaded else "")

    def _limit(self, name: str) -> None:
        found, value = self._get(name), self._number(name)
        if found is None or value is None:
            return
        sentence = "" if value else "there is a largest value, which is written"
        self._draft.put(self._place, name.replace("_", "-"), value or _UNLIMITED[name], found[1], sentence)

    def _preload(self) -> None:
        found = self._get("preload_app")
        if found is None or not truth(found[0]):
            return
        if self._greenlets:
            self._draft.drop(found[1], "an application with greenlets is loaded by each process for itself")
        elif "processes" not in self._draft.table(self._place):
            self._draft.drop(found[1], "there is one process, which would share what it has loaded with nobody")
        else:
            sentence = "a start fails where threads, sockets or event loops are there after the import: docs/preload.md"
            self._draft.put(self._place, "preload", "app", found[1], sentence)

    def _code(self) -> None:
        paths = self._get("pythonpath")
        if paths is not None:
            found = [self._begun.path(part) for part in texts(paths[0])]
            self._draft.put(self._place, "python-path", list(dict.fromkeys(found)), paths[1])
        patterns: list[str] = []
        reload = self._get("reload")
        if reload is not None and truth(reload[0]):
            patterns.append(self._begun.path("**/*.py"))
            sentence = "files below the working directory are looked at once a second"
            self._draft.put(self._place, "reload", list(patterns), reload[1], sentence)
        extra = self._get("reload_extra_files")
        if extra is not None and texts(extra[0]):
            patterns += [self._begun.path(part) for part in texts(extra[0])]
            self._draft.put(self._place, "reload", list(dict.fromkeys(patterns)), extra[1])
        variables = self._get("raw_env")
        if variables is not None:
            pairs = [text.partition("=") for text in texts_of_environment(variables[0])]
            table = {key.strip(): with_defaults(value, "") if variables_in(value) else value for key, _, value in pairs}
            hidden = replace(variables[1], what=one_line(f"raw_env: {', '.join(table)}"))
            self._draft.put(self._place, "environment", table, hidden)

    def _identity(self) -> None:
        for name in ("user", "group"):
            found = self._get(name)
            if found is not None:
                self._draft.put(self._place, name, numbered(str(found[0])), found[1])
        umask = self._get("umask")
        if umask is not None:
            value = umask[0]
            digits = f"{value:04o}" if isinstance(value, int) else octal(value)
            if isinstance(value, str) and not value.startswith("0"):
                digits = f"{int(value):04o}" if value.isdigit() else None  # gunicorn reads int(value, 0)
            if digits:
                self._draft.put(self._place, "umask", digits, umask[1])
            else:
                self._draft.drop(umask[1], f"{value} is no umask")
        title = self._get("proc_name")
        if title is not None:
            self._draft.put(self._place, "display-name", str(title[0]), title[1])

    def _logs(self) -> None:
        error, access, syslog = self._get("errorlog"), self._get("accesslog"), self._get("syslog")
        if syslog is not None and truth(syslog[0]):
            self._draft.put(self._place, "error-log", "/dev/log", syslog[1], "facility and tag are those of wsgigroups")
        elif error is not None:
            target = "/dev/stderr" if error[0] == "-" else self._begun.path(str(error[0]))
            self._draft.put(self._place, "error-log", target, error[1])
        if access is not None and str(access[0]) not in ("None", "/dev/null"):
            sentence = "" if access[0] == "-" else "its lines are in the group's log: wsgigroups logs GROUP"
            self._draft.put(self._place, "access-log", "combined", access[1], sentence)
        layout = self._get("access_log_format")
        if layout is not None:
            json = str(layout[0]).lstrip().startswith("{")
            if json and access is not None:
                self._draft.put(
                    self._place, "access-log", "json", layout[1], "JSON with names of its own: docs/logs.md"
                )
            else:
                sentence = "lines have the combined format; json has the times that a request took, too"
                self._draft.note((*self._place, "access-log"), layout[1], sentence)
        statsd = self._get("statsd_host")
        if statsd is not None:
            self._draft.put(("server",), "statsd-service", str(statsd[0]), statsd[1], "names of metrics are others")

    def _listen(self) -> list[str]:
        found = self._get("bind")
        if found is None:
            port = self._begun.variables.get("PORT", "${PORT:-8000}" if self._begun.port else "")
            fallback = f"0.0.0.0:{port}" if port else "127.0.0.1:8000"
            self._draft.default(self._place, "listen", [fallback], f"bind, {_DEFAULT}")
            return [fallback]
        listen = []
        for text in texts(found[0]):
            there = address(f"unix:{self._begun.path(text[5:])}" if text.startswith("unix:") else text, 8000)
            if there is None:
                what = replace(found[1], what=f"bind {text}")
                self._draft.drop(what, "no address that can be listened on here: a number and a port, or a path")
            elif there not in listen:
                listen.append(there)
        if listen:
            named = variables_in("".join(texts(found[0])))
            sentence = f"with the value of {named[0]} where the file is read, and else the default" if named else ""
            self._draft.put(self._place, "listen", listen, found[1], sentence)
        else:
            self._draft.default(self._place, "listen", ["127.0.0.1:8000"], f"bind, {_DEFAULT}")
        return listen or ["127.0.0.1:8000"]

    def _trusted(self, listen: list[str]) -> None:
        """gunicorn believes proxies on the same machine, unless it is told otherwise."""
        found = self._get("forwarded_allow_ips")
        local = [text for text in listen if text.startswith(("127.", "[::1]", "unix:"))]
        if found is None:
            networks = ["unix"] if any(text.startswith("unix:") for text in local) else []
            networks += ["127.0.0.1/32"] if any(text.startswith("127.") for text in local) else []
            if networks:
                self._draft.default(self._place, "trusted-proxies", networks, f"forwarded_allow_ips, {_DEFAULT}")
            return
        given = texts(found[0])
        if "*" in given:
            networks = ["0.0.0.0/0", "::/0", *(["unix"] if any(text.startswith("unix:") for text in local) else [])]
            sentence = "whoever reaches the address is believed: name the proxy's network instead"
            self._draft.put(self._place, "trusted-proxies", networks, found[1], sentence)
            return
        networks = [text for word in given if (text := _network(word))]
        networks += ["unix"] if any(text.startswith("unix:") for text in local) else []
        if networks:
            self._draft.put(self._place, "trusted-proxies", list(dict.fromkeys(networks)), found[1])
        else:
            self._draft.drop(found[1], _NO_VALUE)

    def _tls(self, listen: list[str]) -> None:
        """A certificate is for sites: then the gateway listens, and the group is behind it."""
        certificate, key = self._get("certfile"), self._get("keyfile")
        if certificate is None:
            return
        site: Place = ("sites", "localhost")
        group = self._draft.table(self._place)
        sentence = "the gateway speaks TLS, and asks the group"
        self._draft.put(site, "listen", listen, certificate[1], sentence)
        self._draft.put(site, "certificate", self._begun.path(str(certificate[0])), certificate[1], sentence)
        named = key or certificate
        self._draft.put(site, "certificate-key", self._begun.path(str(named[0])), named[1], sentence)
        self._draft.table(site).update({"process-group": self._place[1], "mounts": [{"path": "/"}]})
        for option in ("listen", "trusted-proxies"):
            group.pop(option, None)

    def _rest(self) -> None:
        for name, (value, setting) in self._settings.items():
            if name == "max_requests_jitter":
                self._draft.note((*self._place, "maximum-requests"), setting, "processes are spread by up to 10 %")
            elif name in NEEDLESS or (value in (False, None, [], {}, "") and name not in HOOKS):
                self._draft.needless(setting)
            elif name not in MAPPED:
                self._draft.drop(setting, HOOKS.get(name) or SENTENCES.get(name) or OTHERWISE)


def texts_of_environment(value: Any) -> list[str]:
    """raw_env: a list, or on a command line one text; commas belong to the values."""
    return [value] if isinstance(value, str) else [str(item) for item in value or () if "=" in str(item)]


def _network(text: str) -> str | None:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return None
