"""Options of uWSGI to a group, and a site where it serves files. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from wsgigroups.interop.importers.draft import ForeignSetting
from wsgigroups.interop.importers.started import put_start
from wsgigroups.interop.importers.uwsgi.words import NAMES, NEEDLESS, SAME, sentence_for
from wsgigroups.interop.importers.values import (
    SINGLE_FILE,
    address,
    is_on,
    is_single_file,
    joined,
    leading_number,
    number,
    numbered,
    octal,
    url_path,
    variables_in,
    with_defaults,
)

if TYPE_CHECKING:
    from wsgigroups.interop.importers.draft import Draft, Place
    from wsgigroups.interop.importers.started import Started
    from wsgigroups.interop.importers.uwsgi.reading import UwsgiOption

_MEBIBYTE = 1024 * 1024
_THREADS_FOR_GREENLETS = 40
_HANDLED = frozenset(
    {
        *SAME, "module", "wsgi-file", "callable", "chdir", "chdir2", "pythonpath", "home", "processes", "threads",
        "gevent", "async", "asyncio", "ugreen", "socket", "http", "http-socket", "https", "harakiri",
        "reload-on-rss", "limit-as", "uid", "gid", "env", "logto", "daemonize", "req-logger", "disable-logging",
        "procname", "procname-prefix",
        "procname-prefix-spaced", "auto-procname", "touch-reload", "py-auto-reload", "static-map", "mount", "umask",
        "chroot",
        "chown-socket", "add-gid", "ignored", "stack-size", "threads-stacksize", "for-readline", "shared-socket",
        "http-to", "log-maxsize",
    }
)  # fmt: skip


def put_uwsgi(draft: Draft, options: list[UwsgiOption], begun: Started, path: str) -> Place | None:
    """Put a group, and return its place; None for what cannot be served here, which is said."""
    return _Writer(draft, options, begun, path).run()


class _Writer:
    def __init__(self, draft: Draft, options: list[UwsgiOption], begun: Started, path: str) -> None:
        self._draft = draft
        self._options = options
        self._begun = begun
        self._path = path
        self._by_name: dict[str, list[UwsgiOption]] = {}
        for option in options:
            self._by_name.setdefault(NAMES.get(option.name, option.name), []).append(option)
        self._place: Place = ()
        start = posixpath.dirname(path) if path else begun.directory
        self._directory = begun.directory or start
        for option in self._by_name.get("chdir", []):
            self._directory = self._path_of(option.value)

    def run(self) -> Place | None:
        target = self._application()
        mounts = self._by_name.get("mount", [])
        if target is None and not mounts:
            setting = ForeignSetting(self._begun.setting.what, self._path or self._begun.setting.file)
            self._draft.drop(setting, "which application it serves is not said: --app package.module:callable says it")
            return None
        stem = posixpath.splitext(posixpath.basename(self._path))[0]
        generic = ("uwsgi", "wsgi", "app", "config", "")
        named = ""
        if target is not None:
            is_app = target[0] == "app"
            named = re.split(r"[:.]", target[1])[0] if is_app else posixpath.splitext(posixpath.basename(target[1]))[0]
        wanted = self._begun.name or (stem if stem not in generic else named or posixpath.basename(self._directory))
        self._place = ("groups", self._draft.new_name(wanted))
        self._draft.table(self._place)
        self._draft.comments[self._place] = self._path or self._begun.setting.what
        if target is not None:
            self._draft.put(self._place, target[0], target[1], target[2])
            self._callable(target[0])
        self._processes()
        self._numbers()
        self._code()
        self._identity()
        self._logs()
        self._listen()
        put_start(self._draft, self._place, self._begun, self._directory)
        self._site(mounts)
        for name, options in self._by_name.items():
            for option in options:
                if name in NEEDLESS or (option.value == "false" and name not in _HANDLED):
                    self._draft.needless(option.setting)
                elif name not in _HANDLED and not self._is_placeholder(option):
                    self._draft.drop(option.setting, sentence_for(name))
        return self._place

    def _is_placeholder(self, option: UwsgiOption) -> bool:
        """Whether it is no option of uWSGI but a name that a value uses: base, project, domain."""
        return sentence_for(option.name) == sentence_for("") and bool(re.fullmatch(r"[a-zA-Z_]\w*", option.name))

    def _last(self, name: str) -> UwsgiOption | None:
        return next(reversed(self._by_name.get(name, [])), None)

    def _path_of(self, text: str) -> str:
        return joined(self._directory, text)

    def _application(self) -> tuple[str, str, ForeignSetting] | None:
        """Return app or script, its value, and the option that says it."""
        module, file = self._last("module"), self._last("wsgi-file")
        if module is not None and module.value.endswith((".py", ".wsgi")) and "/" in module.value:
            module, file = None, module
        if module is not None and module.value != "true":
            text = module.value.removesuffix(".py")
            made = text.endswith(")") and not text.endswith("()")
            if made:
                self._draft.drop(
                    module.setting, "made with arguments: write a function without any, and name it with --app"
                )
                return ("app", self._begun.app, module.setting) if self._begun.app else None
            name = self._last("callable")
            default = name.value if name is not None else "application"
            return "app", text if ":" in text else f"{text}:{default}", module.setting
        if file is not None:
            return "script", self._path_of(file.value), file.setting
        if self._begun.app:
            return "app", self._begun.app, self._begun.setting
        return None

    def _callable(self, kind: str) -> None:
        name = self._last("callable")
        if name is None:
            return
        if kind == "script":
            self._draft.put(self._place, "callable-object", name.value.removesuffix("()"), name.setting)
        else:
            self._draft.note((*self._place, "app"), name.setting)

    def _processes(self) -> None:
        found = self._last("processes")
        if found is not None:
            count = number(found.value.removeprefix("%k*") or "")
            if found.value in ("%k", "auto") or (count is None and "%k" in found.value):
                self._draft.put(self._place, "processes", "auto", found.setting)
            elif count is None:
                self._draft.drop(found.setting, 'its value is not known here: write processes = N, or "auto"')
            elif count > 0:
                self._draft.put(self._place, "processes", count, found.setting)
        greenlets = next(
            (item for name in ("gevent", "asyncio", "ugreen", "async") if (item := self._last(name))), None
        )
        threads = self._last("threads")
        if greenlets is not None:
            count = min(number(greenlets.value) or _THREADS_FOR_GREENLETS, _THREADS_FOR_GREENLETS)
            sentence = f"greenlets are threads here: {count} requests at once in each process"
            self._draft.put(self._place, "threads", count, greenlets.setting, sentence)
        elif threads is not None and number(threads.value):
            self._draft.put(self._place, "threads", number(threads.value), threads.setting)
        else:
            self._draft.default(self._place, "threads", 1, "threads, the default of uWSGI")

    def _numbers(self) -> None:
        for name, option in SAME.items():
            found = self._last(name)
            value = leading_number(found.value) if found is not None else None
            if found is not None and value is not None:
                sentence = "spread by up to 10 %" if f"{name}-delta" in self._by_name else ""
                self._draft.put(self._place, option, value, found.setting, sentence)
        harakiri = self._last("harakiri")
        if harakiri is not None and number(harakiri.value) is not None:
            sentence = "a process with threads serves its other requests on until its successor is ready"
            several = self._draft.table(self._place).get("threads") != 1
            self._draft.put(
                self._place, "request-timeout", number(harakiri.value), harakiri.setting, sentence if several else ""
            )
            if several:
                self._draft.put(self._place, "request-timeout-mode", "each", harakiri.setting)
        for name, option in (("reload-on-rss", "memory-soft-limit"), ("limit-as", "virtual-memory-limit")):
            found = self._last(name)
            size = leading_number(found.value) if found is not None else None
            if found is not None and size is not None:
                self._draft.put(self._place, option, size * _MEBIBYTE if size < _MEBIBYTE else size, found.setting)
        stack = self._last("threads-stacksize")
        if stack is not None and number(stack.value):
            self._draft.put(self._place, "stack-size", (number(stack.value) or 0) * 1024, stack.setting)

    def _code(self) -> None:
        paths: list[str] = []
        for option in self._by_name.get("pythonpath", []):
            path = self._path_of(option.value)
            if path not in paths:
                paths.append(path)
            self._draft.put(self._place, "python-path", list(paths), option.setting)
        home = self._last("home")
        if home is not None:
            self._draft.put(self._place, "python-home", self._path_of(home.value), home.setting)
        watched = [self._path_of(item.value.partition(" ")[0]) for item in self._by_name.get("touch-reload", [])]
        for option in self._by_name.get("touch-reload", []):
            self._draft.put(self._place, "reload", list(dict.fromkeys(watched)), option.setting)
        automatic = self._last("py-auto-reload")
        if automatic is not None and automatic.value not in ("0", "false"):
            patterns = list(dict.fromkeys([*watched, posixpath.join(self._directory, "**/*.py")]))
            self._draft.put(self._place, "reload", patterns, automatic.setting, "files below the working directory")
        for option in self._by_name.get("env", []):
            name, equals, value = option.value.partition("=")
            hidden = ForeignSetting(f"env {name}", option.setting.file, option.setting.line)
            if equals:
                text = with_defaults(value, "") if variables_in(value) else value
                self._draft.put(self._place, "environment", {name.strip(): text.strip()}, hidden)

    def _identity(self) -> None:
        for name, option in (("uid", "user"), ("gid", "group")):
            found = self._last(name)
            if found is not None:
                self._draft.put(self._place, option, numbered(found.value), found.setting)
        groups = [numbered(item.value) for item in self._by_name.get("add-gid", [])]
        for item in self._by_name.get("add-gid", []):
            self._draft.put(self._place, "supplementary-groups", groups, item.setting)
        umask = self._last("umask")
        if umask is not None:
            digits = octal(umask.value)
            if digits:
                self._draft.put(self._place, "umask", digits, umask.setting)
            else:
                self._draft.drop(umask.setting, f"{umask.value} is no umask")
        jail = self._last("chroot")
        if jail is not None:
            self._draft.put(self._place, "chroot", jail.value, jail.setting)
        owner = self._last("chown-socket")
        if owner is not None:
            user = owner.value.partition(":")[0]
            self._draft.put(self._place, "socket-user", numbered(user), owner.setting, "sockets have mode 0600")
        title = self._last("procname") or self._last("procname-prefix") or self._last("procname-prefix-spaced")
        if title is not None:
            self._draft.put(self._place, "display-name", title.value, title.setting)
        automatic = self._last("auto-procname")
        if automatic is not None:
            self._draft.needless(automatic.setting)

    def _logs(self) -> None:
        for name in ("daemonize", "logto"):
            found = self._last(name)
            if found is None:
                continue
            target = found.value.removeprefix("file:").removeprefix("file=")
            if target.startswith("/dev/") or target == "stdio":
                target = "/dev/stderr"
            if ":" in target and not target.startswith("/"):
                stream = "/dev/log" if target.startswith(("syslog", "rsyslog")) else ""
                if stream:
                    self._draft.put(
                        self._place, "error-log", stream, found.setting, "facility and tag are those of wsgigroups"
                    )
                else:
                    self._draft.drop(found.setting, "logs go to files, the manager's streams or /dev/log")
            else:
                path = target if target.startswith("/dev/") else self._path_of(target)
                self._draft.put(self._place, "error-log", path, found.setting)
        largest = self._last("log-maxsize")
        if largest is not None and number(largest.value):
            sentence = "files of logs of all groups are renamed when they are that large"
            self._draft.put(("server",), "log-rotate-size", number(largest.value), largest.setting, sentence)
        requests, off = self._last("req-logger"), self._last("disable-logging")
        if off is not None and is_on(off.value):
            self._draft.note((*self._place, "access-log"), off.setting)
            return
        if requests is not None:
            sentence = "its lines are in the group's log: wsgigroups logs GROUP"
            self._draft.put(self._place, "access-log", "combined", requests.setting, sentence)
        else:
            self._draft.default(
                self._place, "access-log", "combined", "uWSGI logs requests unless disable-logging is set"
            )

    def _listen(self) -> None:
        listen: list[str] = []
        for name in ("socket", "http-socket", "http"):
            for option in self._by_name.get(name, []):
                text = option.value
                if name == "socket" and "/" in text and not text.startswith("/"):
                    text = self._path_of(text)
                if text.startswith("@"):
                    self._draft.drop(option.setting, "abstract sockets have no owner: name a file")
                    continue
                found = address(text, 8000) if text.startswith("/") or ":" in text or "." in text else None
                if found is None and re.fullmatch(r"[\w.-]+\.sock(?:et)?", text):
                    found = f"unix:{self._path_of(text)}"
                if found is None:
                    self._draft.drop(
                        option.setting, "no address that can be listened on here: a number and a port, or a path"
                    )
                    continue
                if found not in listen:
                    listen.append(found)
                sentence = ""
                if name == "socket" and not found.startswith("unix:"):
                    sentence = "TCP addresses speak HTTP here, not uwsgi: let nginx proxy_pass, or take a UNIX socket"
                self._draft.put(self._place, "listen", list(listen), option.setting, sentence)
        for option in self._by_name.get("https", []):
            self._https(option)
        if any(text.startswith("unix:") for text in listen):
            self._draft.default(self._place, "trusted-proxies", ["unix"], "who may connect to the socket is a proxy")
        if not listen and "https" not in self._by_name:
            self._draft.default(self._place, "listen", ["127.0.0.1:8000"], "uWSGI was given its socket by the Emperor")

    def _https(self, option: UwsgiOption) -> None:
        where, *files = option.value.split(",")
        found = address(where, 443)
        if found is None or len(files) < 2:
            self._draft.drop(option.setting, "an address, a certificate and a key are wanted")
            return
        site: Place = ("sites", "localhost")
        self._draft.put(site, "listen", [found], option.setting, "the gateway speaks TLS, and asks the group")
        self._draft.put(site, "certificate", self._path_of(files[0]), option.setting)
        self._draft.put(site, "certificate-key", self._path_of(files[1]), option.setting)
        self._draft.table(site)["process-group"] = self._place[1]
        self._draft.table(site).setdefault("mounts", [{"path": "/"}])

    def _site(self, mounts: list[UwsgiOption]) -> None:
        """Several applications, and files, are for sites: the group's addresses that speak HTTP go there."""
        files = self._by_name.get("static-map", [])
        group = self._draft.table(self._place)
        listen = [text for text in group.get("listen", []) if not text.startswith("unix:")]
        if not files and not mounts:
            return
        if not listen:
            for option in files:
                self._draft.drop(
                    option.setting, "files are the web server's in front, or a site's with an address of its own"
                )
            if not mounts:
                return
        key = "localhost" if "localhost" not in self._draft.document.get("sites", {}) else f"{self._place[1]}.localhost"
        site: Place = ("sites", key)
        table = self._draft.table(site)
        if listen:
            table["listen"] = listen
            rest = [text for text in group["listen"] if text not in listen]
            group["listen"] = rest
            if not rest:
                del group["listen"]
        elif "listen" not in table:
            table["listen"] = ["127.0.0.1:8000"]
        table["process-group"] = self._place[1]
        table["mounts"] = []
        for option in mounts:
            self._mount(site, option)
        if ("app" in group or "script" in group) and not any(mount["path"] == "/" for mount in table["mounts"]):
            table["mounts"].append({"path": "/"})
        taken: set[str] = set()
        for option in files if listen else []:
            prefix, equals, directory = option.value.partition("=")
            path = url_path(prefix)
            if not equals or path is None or path in taken:
                self._draft.drop(option.setting, "a path and a directory are wanted, each path once")
                continue
            if is_single_file(path, directory):
                self._draft.drop(option.setting, SINGLE_FILE)
                continue
            taken.add(path)
            place = self._draft.append(site, "static", option.setting.what)
            self._draft.table(place).update({"path": path, "directory": self._path_of(directory)})
            self._draft.note(place, option.setting, "the gateway serves files, at an address of a site")

    def _mount(self, site: Place, option: UwsgiOption) -> None:
        prefix, equals, target = option.value.partition("=")
        path = url_path(prefix)
        if not equals or path is None:
            self._draft.drop(option.setting, "a mount has a path and an application")
            return
        place = self._draft.append(site, "mounts", option.setting.what)
        table = self._draft.table(place)
        table["path"] = path
        if target.endswith((".py", ".wsgi")):
            table["script"] = self._path_of(target)
            name = self._last("callable")
            if name is not None:
                table["callable-object"] = name.value
        else:
            table["app"] = target if ":" in target else f"{target}:application"
        self._draft.note(place, option.setting)
