"""Command lines of mod_wsgi-express. Pure.

Its options are those of `mod_wsgi-express start-server --help`; many have the names of WSGIDaemonProcess.
"""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from wsgigroups.config.shape import OPTIONS
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.apache.groups import put_python_path, read_value
from wsgigroups.interop.importers.command_lines import commands_in, commands_of, flags
from wsgigroups.interop.importers.draft import Draft, ForeignSetting, one_line
from wsgigroups.interop.importers.started import Started, put_start, started
from wsgigroups.interop.importers.values import (
    address,
    host_name,
    number,
    resolved,
    url_path,
    variables_in,
    with_defaults,
)

if TYPE_CHECKING:
    from wsgigroups.interop.importers.draft import Place
    from wsgigroups.interop.importers.surroundings import ImportRequest, ImportSurroundings

_SWITCHES = frozenset(
    {
        "https-only", "ssl-environment", "allow-localhost", "enable-sendfile", "disable-reloading", "reload-on-changes",
        "map-head-to-get", "directory-listing", "error-override", "compress-responses", "server-metrics",
        "server-status",
        "rotate-logs", "log-to-terminal", "access-log", "startup-log", "debug-mode", "enable-debugger",
        "enable-coverage",
        "enable-profiler", "enable-recorder", "enable-gdb", "setup-only", "isatty", "no-keep-alive", "http2",

        "embedded-mode", "debugger-startup", "with-newrelic", "with-newrelic-agent", "with-newrelic-platform",
        "with-php5",
        "destroy-interpreter", "enable-access-log", "parent-domain", "help", "verbose-debugging", "trust-all-proxies",
    }
)  # fmt: skip
_PAIRS = (
    "url-alias", "setenv", "error-document", "proxy-mount-point", "proxy-virtual-host", "service-script",
    "service-user", "service-group", "service-log-file", "add-handler",
)  # fmt: skip
# its own defaults, where they are not those of a group
_DEFAULTS = {
    "threads": 5, "graceful-timeout": 15, "request-timeout": 60, "queue-timeout": 45, "startup-timeout": 15,
    "deadlock-timeout": 60, "limit-request-body": 10485760, "script-reloading": True,
}  # fmt: skip
_OTHER_NAMES = {"daemon-backlog": "listen-backlog", "python-eggs": "python-eggs", "process-name": "display-name"}
_NEEDLESS = frozenset(
    {
        "server-root", "pid-file", "apachectl-executable", "httpd-executable", "modules-directory", "shell-executable",
        "server-backlog", "max-clients", "initial-workers", "minimum-spare-workers", "maximum-spare-workers", "isatty",
        "enable-sendfile", "map-head-to-get", "allow-localhost", "log-level", "setup-only", "rotate-logs",
        "max-log-size",
        "rotatelogs-executable", "startup-log", "debug-mode", "http2", "disable-reloading", "reload-on-changes",
        "application-type",
        "entry-point", "callable-object", "host", "port", "https-port", "ssl-port", "server-name", "server-alias",
        "url-alias",
        "document-root", "directory-index", "mount-point", "setenv", "passenv", "python-path", "working-directory",
        "log-to-terminal", "log-directory", "error-log-name", "access-log", "access-log-name", "https-only",
        "hsts-policy",
        "ssl-certificate-file", "ssl-certificate", "ssl-certificate-key-file", "user", "group", "ssl-environment",
        "help",
        "locale", "error-log-format", "access-log-format", "trust-proxy",
    }
)  # fmt: skip
_SENTENCES = {
    "auth": "access is NOT limited here: let the application ask for passwords, or a proxy before it",
    "host-access-script": "access is NOT limited here: let the application decide, or a proxy before it",
    "ssl-verify-client": "certificates of clients are not asked for: keep a proxy before it that does",
    "ssl-ca": "certificates of clients are not asked for: keep a proxy before it that does",
    "ssl-certificate-chain-file": "certificate is one file with the whole chain: put these certificates behind it",
    "proxy-": "the gateway passes requests to groups only",
    "include-file": "`wsgigroups import apache` reads such a file",
    "service-": "no other programs are started here: systemd or supervisor does that",
    "error-": "error-pages of a site are files, for errors of the gateway's own",
    "compress-responses": 'compression is for sites, with engine = "nginx" of [gateway]',
    "directory-listing": "directories are never listed",
    "trust-proxy": "trusted proxies are believed the fields in docs/sites.md",
    "enable-": "such tools are the application's to start",
    "with-": "such tools are the application's to start",
}


def import_express(request: ImportRequest, surroundings: ImportSurroundings) -> Draft:
    """Read command lines: one that was given, or those in scripts and Dockerfiles. Raises WsgigroupsError."""
    draft = Draft()
    for command in commands_of(request.command):
        if command.program == "mod_wsgi-express":
            put_express_start(draft, started(command, "", request.directory, request.app), surroundings)
    for path in request.files:
        text = surroundings.text(path)
        if text is None:
            raise WsgigroupsError(f"cannot read {path}", exit_code=ExitCode.USAGE)
        for command in commands_in(text, "mod_wsgi-express"):
            put_express_start(draft, started(command, path, posixpath.dirname(path), request.app), surroundings)
    if not any(draft.groups()) and not draft.gaps:
        raise WsgigroupsError("cannot find a command line of mod_wsgi-express", exit_code=ExitCode.USAGE)
    return draft


def put_express_start(draft: Draft, begun: Started, _surroundings: ImportSurroundings) -> Place | None:
    """Put the group of one start; None where no application is named."""
    words = list(begun.command.words)
    if words[:1] in (["start-server"], ["setup-server"]):
        words.pop(0)
    else:
        draft.drop(begun.setting, "it starts no server")
        return None
    return _Express(draft, begun, words).run()


class _Express:
    def __init__(self, draft: Draft, begun: Started, words: list[str]) -> None:
        self._draft = draft
        self._begun = begun
        read = flags(words, {}, _SWITCHES, _PAIRS)
        self._others = read.others
        self._options: dict[str, list[tuple[str, ForeignSetting]]] = {}
        for name, value in read.options:
            text = f"--{name} {value.split(' ')[0] if name == 'setenv' else value}".strip()
            setting = ForeignSetting(one_line(text), begun.setting.file, begun.setting.line)
            self._options.setdefault(name, []).append((value, setting))
        for word in read.unknown:
            draft.drop(
                ForeignSetting(word, begun.setting.file, begun.setting.line), "mod_wsgi-express has no such option"
            )
        self._place: Place = ()

    def run(self) -> Place | None:
        found = self._application()
        if found is None:
            self._draft.drop(self._begun.setting, "which application it serves is not said")
            return None
        option, value = found
        stem = (
            posixpath.splitext(posixpath.basename(value))[0]
            if option == "script"
            else value.split(":")[0].split(".")[0]
        )
        self._place = ("groups", self._draft.new_name(self._begun.name or stem))
        self._draft.comments[self._place] = self._begun.setting.what
        self._draft.put(self._place, option, value, self._begun.setting)
        name = self._last("callable-object")
        if name is not None and option == "script":
            self._draft.put(self._place, "callable-object", name[0], name[1])
        self._same()
        self._surrounding()
        self._logs()
        self._listen()
        self._rest()
        return self._place

    def _last(self, name: str) -> tuple[str, ForeignSetting] | None:
        return self._options[name][-1] if name in self._options else None

    def _application(self) -> tuple[str, str] | None:
        kind = self._last("application-type")
        target = self._others[0] if self._others else (self._last("entry-point") or ("",))[0]
        if not target:
            return ("app", self._begun.app) if self._begun.app else None
        if kind is not None and kind[0] == "module":
            name = self._last("callable-object")
            return "app", target if ":" in target else f"{target}:{name[0] if name else 'application'}"
        if kind is not None and kind[0] != "script":
            return None
        return "script", self._begun.path(target)

    def _same(self) -> None:
        for name, given in self._options.items():
            option = OPTIONS.get(_OTHER_NAMES.get(name, name))
            if option is None or name in _NEEDLESS - {"user", "group", "locale"}:
                continue
            text, setting = given[-1]
            value, sentence = read_value(option.kind, resolved(text) if text else "on")
            if value is None:
                self._draft.drop(setting, sentence)
            else:
                self._draft.put(self._place, option.name, value, setting, sentence)
        for name, value in _DEFAULTS.items():
            if name != "script-reloading":
                self._draft.default(self._place, name, value, f"{name}, the default of mod_wsgi-express")
            elif "disable-reloading" not in self._options and "script" in self._draft.table(self._place):
                self._draft.default(self._place, name, value, "the default of mod_wsgi-express")

    def _surrounding(self) -> None:
        paths = [path for text, _setting in self._options.get("python-path", []) for path in text.split(":")]
        if paths:
            put_python_path(
                self._draft,
                self._place,
                [self._begun.path(path) for path in paths],
                self._options["python-path"][-1][1],
            )
        for text, setting in self._options.get("setenv", []):
            name, _, value = text.partition(" ")
            value = with_defaults(value, "") if variables_in(value) else value
            self._draft.put(self._place, "environment", {name: value}, setting)
        for text, setting in self._options.get("passenv", []):
            self._draft.put(self._place, "environment", {text: f"${{{text}:-}}"}, setting)
        changes = self._last("reload-on-changes")
        if changes is not None:
            pattern = self._begun.path("**/*.py")
            self._draft.put(self._place, "reload", [pattern], changes[1], "files below the working directory")
        directory = self._last("working-directory")
        put_start(self._draft, self._place, self._begun, directory[0] if directory is not None else None)

    def _logs(self) -> None:
        terminal, directory = self._last("log-to-terminal"), self._last("log-directory")
        if terminal is not None:
            self._draft.put(self._place, "error-log", "/dev/stderr", terminal[1])
        elif directory is not None:
            name = self._last("error-log-name")
            path = posixpath.join(self._begun.path(directory[0]), name[0] if name is not None else "error_log")
            self._draft.put(self._place, "error-log", path, directory[1])
        access = self._last("access-log")
        if access is not None:
            self._draft.put(self._place, "access-log", "combined", access[1], "its lines are in the group's log")

    def _port(self, name: str, default: int | None) -> str | None:
        found = self._last(name)
        host = self._last("host")
        if found is None and default is None:
            return None
        port = found[0] if found is not None else str(default)
        return address(f"{host[0] if host is not None else ''}:{port}", default or 443)

    def _listen(self) -> None:
        port = self._last("port")
        setting = port[1] if port is not None else ForeignSetting("--port, 8000 by default", self._begun.setting.file)
        plain = self._port("port", 8000)
        secure = self._port("https-port", None) or self._port("ssl-port", None)
        for_sites = ("url-alias", "document-root", "mount-point", "https-port", "ssl-port", "https-only")
        if not any(name in self._options for name in for_sites):
            self._draft.put(self._place, "listen", [plain] if plain else [], setting)
            self._proxies(self._place)
            return
        if plain:
            self._site(plain, setting, secure=False)
        if secure:
            self._site(secure, (self._last("https-port") or self._last("ssl-port") or ("", setting))[1], secure=True)
        self._proxies(("gateway",))

    def _site(self, where: str, setting: ForeignSetting, *, secure: bool) -> None:
        """One site for each port: one speaks TLS, the other does not."""
        named = self._last("server-name")
        name = (host_name(named[0]) if named is not None else None) or "localhost"
        site: Place = ("sites", f"{name}:{where.rpartition(':')[2]}" if secure else name)
        if secure:
            self._draft.put(site, "server-name", name, named[1] if named is not None else setting)
        aliases = [found for text, _setting in self._options.get("server-alias", []) if (found := host_name(text))]
        if aliases:
            self._draft.put(site, "aliases", list(dict.fromkeys(aliases)), self._options["server-alias"][-1][1])
        self._draft.put(site, "listen", [where], setting)
        only = self._last("https-only")
        if secure:
            self._tls(site)
        elif only is not None:
            self._draft.put(site, "redirect-to-https", True, only[1])
        self._draft.table(site)["process-group"] = self._place[1]
        for text, given in self._options.get("mount-point", []) or [("/", setting)]:
            there = self._draft.append(site, "mounts", given.what)
            self._draft.table(there)["path"] = url_path(text) or "/"
        self._files(site)

    def _tls(self, site: Place) -> None:
        certificate, base = self._last("ssl-certificate-file"), self._last("ssl-certificate")
        key = self._last("ssl-certificate-key-file")
        if base is not None:
            self._draft.put(site, "certificate", f"{self._begun.path(base[0])}.crt", base[1])
            self._draft.put(site, "certificate-key", f"{self._begun.path(base[0])}.key", base[1])
        elif certificate is not None:
            self._draft.put(site, "certificate", self._begun.path(certificate[0]), certificate[1])
            named = key or certificate
            self._draft.put(site, "certificate-key", self._begun.path(named[0]), named[1])
        hsts = self._last("hsts-policy")
        if hsts is not None and "max-age=" in hsts[0]:
            age = number(hsts[0].partition("max-age=")[2].split(";")[0])
            self._draft.put(site, "hsts", age, hsts[1], "subdomains are not named" if ";" in hsts[0] else "")

    def _files(self, site: Place) -> None:
        taken = {str(table["path"]) for table in self._draft.table(site).get("mounts", [])}
        for text, setting in self._options.get("url-alias", []):
            url, _, directory = text.partition(" ")
            path = url_path(url)
            if path is None or path in taken or posixpath.splitext(directory)[1]:
                self._draft.drop(setting, "a path and a directory are wanted, each path once")
                continue
            taken.add(path)
            there = self._draft.append(site, "static", setting.what)
            self._draft.table(there).update({"path": path, "directory": self._begun.path(directory)})
            self._draft.note(there, setting)
        root = self._last("document-root")
        if root is not None and "/" not in taken:
            there = self._draft.append(site, "static", root[1].what)
            self._draft.table(there).update({"path": "/", "directory": self._begun.path(root[0])})
            self._draft.note(there, root[1])
        elif root is not None:
            self._draft.drop(
                root[1], "files win over the application there; here / is the application: give files a path"
            )
        index = self._last("directory-index")
        if index is not None:
            self._draft.put(site, "index", index[0], index[1])

    def _proxies(self, place: Place) -> None:
        given = [text for text, _setting in self._options.get("trust-proxy", [])]
        networks = [text if "/" in text else f"{text}/{128 if ':' in text else 32}" for text in given]
        if networks:
            self._draft.put(
                place, "trusted-proxies", list(dict.fromkeys(networks)), self._options["trust-proxy"][-1][1]
            )

    def _rest(self) -> None:
        done = {gap.setting for gap in self._draft.gaps}
        for name, given in self._options.items():
            fitting = [key for key in _SENTENCES if name.startswith(key)]
            for _text, setting in given:
                if setting in done:
                    continue
                if name in _NEEDLESS:
                    self._draft.needless(setting)
                else:
                    sentence = _SENTENCES[max(fitting, key=len)] if fitting else "nothing here stands for it"
                    self._draft.drop(setting, sentence)
