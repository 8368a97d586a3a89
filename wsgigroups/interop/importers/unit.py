"""The configuration of NGINX Unit, in JSON: listeners and routes to sites, Python applications to groups. Pure.

Its form is that of https://unit.nginx.org/configuration/. A listener that passes everything to one application is a
`listen` of its group; anything else is a site.
"""

from __future__ import annotations

import json
import posixpath
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.interop.importers.draft import Draft, ForeignSetting, one_line
from wsgigroups.interop.importers.values import address, host_name, numbered, url_path

if TYPE_CHECKING:
    from wsgigroups.interop.importers.draft import Place
    from wsgigroups.interop.importers.surroundings import ImportRequest, ImportSurroundings

_HANDLED = frozenset(
    {
        "type", "module", "callable", "factory", "path", "home", "working_directory", "user", "group", "environment",
        "processes", "threads", "limits", "targets", "stderr", "stdout", "protocol", "prefix",
    }
)  # fmt: skip
_SENTENCES = {
    "isolation": "private-tmp, restrict-namespaces, memory-max and others confine a group: docs/confinement.md",
    "thread_stack_size": "stack-size has it",
}
_NO_COUNTERPART = "nothing here stands for it"


@dataclass(slots=True)
class _Way:
    """Where requests of a site go: one prefix, from one step of a route."""

    path: str
    group: str = ""
    target: str = ""
    directory: str = ""
    what: str = ""


@dataclass(slots=True)
class _UnitSite:
    hosts: list[str] = field(default_factory=list)
    ways: list[_Way] = field(default_factory=list)
    redirects: bool = False
    index: str = ""


def import_unit(request: ImportRequest, surroundings: ImportSurroundings) -> Draft:
    """Read a JSON file: the whole configuration, or what is below `config`. Raises WsgigroupsError."""
    draft = Draft()
    for path in request.files:
        text = surroundings.text(path)
        if text is None:
            raise WsgigroupsError(f"cannot read {path}", exit_code=ExitCode.USAGE)
        try:
            document = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise WsgigroupsError(f"cannot read {path}: {error}", exit_code=ExitCode.USAGE) from None
        if isinstance(document, dict) and isinstance(document.get("config"), dict):
            document = document["config"]
        if not isinstance(document, dict):
            raise WsgigroupsError(f"cannot read {path}: it is no configuration of Unit", exit_code=ExitCode.USAGE)
        _Unit(draft, document, path).run()
    return draft


class _Unit:
    def __init__(self, draft: Draft, document: dict[str, Any], path: str) -> None:
        self._draft = draft
        self._document = document
        self._path = path
        self._groups: dict[str, str] = {}  # application as Unit has it → group here
        self._targets: dict[str, dict[str, Any]] = {}

    def run(self) -> None:
        for name, application in _table(self._document, "applications").items():
            if isinstance(application, dict):
                self._application(name, application)
        for where, listener in _table(self._document, "listeners").items():
            if isinstance(listener, dict):
                self._listener(where, listener)
        for name in self._document:
            if name not in ("listeners", "applications", "routes", "access_log", "upstreams", "settings"):
                self._draft.drop(self._setting(name, self._document[name]), _NO_COUNTERPART)
        self._settings()
        for name, group in self._groups.items():
            if not self._is_reached(group):
                self._draft.drop(ForeignSetting(f"applications/{name}", self._path), "no listener leads to it")
                del self._draft.document["groups"][group]

    def _setting(self, name: str, value: Any) -> ForeignSetting:
        shown = "…" if "environment" in name else json.dumps(value, ensure_ascii=False)
        return ForeignSetting(one_line(f"{name}: {shown}"), self._path)

    def _application(self, name: str, application: dict[str, Any]) -> None:
        setting = ForeignSetting(f"applications/{name}", self._path)
        kind = str(application.get("type", ""))
        if not kind.startswith("python") and kind != "":
            self._draft.drop(setting, f"an application of the type {kind}: leave it with Unit")
            return
        if application.get("protocol") == "asgi":
            self._draft.drop(setting, "an ASGI application: wsgigroups serves WSGI; leave it with Unit")
            return
        self._groups[name] = self._draft.new_name(name)
        place: Place = ("groups", self._groups[name])
        self._draft.table(place)
        self._draft.comments[place] = setting.what
        targets = application.get("targets")
        if isinstance(targets, dict):
            self._targets[name] = targets
        elif "module" in application:
            self._draft.put(place, "app", _app(application), self._setting("module", application["module"]))
        directory = str(application.get("working_directory", ""))
        if directory:
            self._draft.put(place, "home", directory, self._setting("working_directory", directory))
        self._python(place, application, directory)
        for option in ("user", "group"):
            if option in application:
                value = numbered(str(application[option]))
                self._draft.put(place, option, value, self._setting(option, application[option]))
        variables = application.get("environment")
        if isinstance(variables, dict):
            table = {str(key): str(value).replace("${", "$${") for key, value in variables.items()}
            self._draft.put(place, "environment", table, self._setting("environment", table))
        self._numbers(place, application)
        for option in ("stderr", "stdout"):
            if option in application and "error-log" not in self._draft.table(place):
                self._draft.put(
                    place, "error-log", str(application[option]), self._setting(option, application[option])
                )
            elif option in application:
                self._draft.note(
                    (*place, "error-log"), self._setting(option, application[option]), "one log has both streams"
                )
        for option, value in application.items():
            if option not in _HANDLED:
                self._draft.drop(self._setting(f"{name}/{option}", value), _SENTENCES.get(option, _NO_COUNTERPART))

    def _python(self, place: Place, application: dict[str, Any], directory: str) -> None:
        paths = application.get("path", [])
        found = [
            posixpath.join(directory or "/", str(path)) for path in (paths if isinstance(paths, list) else [paths])
        ]
        if found:
            self._draft.put(place, "python-path", list(dict.fromkeys(found)), self._setting("path", paths))
        if "home" in application:
            home = posixpath.join(directory or "/", str(application["home"]))
            self._draft.put(place, "python-home", home, self._setting("home", application["home"]))
        kind = str(application.get("type", ""))
        if " " in kind and "home" not in application:
            sentence = "python-home says which Python it is; without it, it is that of wsgigroups"
            self._draft.drop(self._setting("type", kind), sentence)

    def _numbers(self, place: Place, application: dict[str, Any]) -> None:
        processes = application.get("processes")
        if isinstance(processes, dict):
            count = processes.get("max", 1)
            sentence = "the number of processes is fixed: that of max"
            self._draft.put(place, "processes", count, self._setting("processes", processes), sentence)
        elif isinstance(processes, int):
            self._draft.put(place, "processes", processes, self._setting("processes", processes))
        threads = application.get("threads")
        if isinstance(threads, int):
            self._draft.put(place, "threads", threads, self._setting("threads", threads))
        else:
            self._draft.default(place, "threads", 1, "threads, the default of Unit")
        limits = application.get("limits")
        for name, option, sentence in (
            ("timeout", "request-timeout", "a process is replaced then; Unit answers 503 and lets it run"),
            ("requests", "maximum-requests", ""),
        ):
            if isinstance(limits, dict) and name in limits:
                self._draft.put(place, option, limits[name], self._setting(f"limits/{name}", limits[name]), sentence)

    def _listener(self, where: str, listener: dict[str, Any]) -> None:
        setting = ForeignSetting(f"listeners/{where}", self._path)
        found = address(where, 80)
        if found is None:
            self._draft.drop(setting, "no address that can be listened on here")
            return
        way = str(listener.get("pass", ""))
        parts = [unquote(part) for part in way.split("/")]
        certificate = _table(listener, "tls").get("certificate")
        for option, value in listener.items():
            if option not in ("pass", "tls", "forwarded"):
                self._draft.drop(self._setting(f"{where}/{option}", value), _NO_COUNTERPART)
        whole = parts[0] == "applications" and len(parts) == 2 and not certificate
        if whole and parts[1] in self._groups and "app" in self._draft.table(("groups", self._groups[parts[1]])):
            place: Place = ("groups", self._groups[parts[1]])
            before = self._draft.table(place).get("listen", [])
            self._draft.put(place, "listen", [*before, found], setting)
            self._trusted(place, listener, where)
            return
        sites = self._sites_of(way, setting)
        for number, site in enumerate(sites):
            self._put_site(site, found, certificate, setting, number)
        self._trusted(("gateway",), listener, where)

    def _trusted(self, place: Place, listener: dict[str, Any], where: str) -> None:
        source = _table(listener, "forwarded").get("source")
        if source:
            given = source if isinstance(source, list) else [source]
            networks = [
                text if "/" in text or text == "unix" else f"{text}/{128 if ':' in text else 32}" for text in given
            ]
            before = self._draft.table(place).get("trusted-proxies", [])
            setting = self._setting(f"{where}/forwarded", listener["forwarded"])
            self._draft.put(place, "trusted-proxies", list(dict.fromkeys([*before, *networks])), setting)

    def _sites_of(self, way: str, setting: ForeignSetting) -> list[_UnitSite]:
        sites = [_UnitSite()]
        self._follow(way, "/", sites, setting, 0)
        return [site for site in sites if site.ways or site.redirects]

    def _follow(self, way: str, prefix: str, sites: list[_UnitSite], setting: ForeignSetting, depth: int) -> None:
        """Add where a `pass` leads. sites: those of this listener; the first one has no host of its own."""
        kind, *names = [unquote(part) for part in way.split("/")]
        if kind == "applications" and names and names[0] in self._groups:
            target = names[1] if len(names) > 1 else ""
            sites[0].ways.append(_Way(prefix, self._groups[names[0]], self._target(names[0], target), "", way))
        elif kind == "routes" and depth < 8:
            routes = self._document.get("routes", [])
            steps = routes.get(names[0], []) if names and isinstance(routes, dict) else routes
            for step in steps if isinstance(steps, list) else []:
                self._step(step, prefix, sites, setting, depth)
        else:
            self._draft.drop(setting, f"{way} leads to nothing that is known here")

    def _target(self, application: str, name: str) -> str:
        target = self._targets.get(application, {}).get(name)
        return _app(target) if isinstance(target, dict) else ""

    def _step(self, step: Any, prefix: str, sites: list[_UnitSite], setting: ForeignSetting, depth: int) -> None:
        match, action = _table(step, "match"), _table(step, "action")
        what = ForeignSetting(one_line(json.dumps(step, ensure_ascii=False)), self._path)
        others = set(match) - {"uri", "host"}
        if others - {"scheme"}:
            self._draft.drop(what, f"requests are told apart by host and path, not by {', '.join(sorted(others))}")
            return
        prefixes = [prefix] if "uri" not in match else []
        for pattern in _listed(match.get("uri")):
            path = _prefix(pattern)
            if path is None:
                self._draft.drop(what, f"{pattern} is no prefix of a path")
            elif path not in prefixes:
                prefixes.append(path)
        hosts = [name for text in _listed(match.get("host")) if (name := host_name(text))]
        target = sites
        if hosts:
            known = next((site for site in sites[1:] if site.hosts == hosts), None)
            if known is None:
                known = _UnitSite(hosts)
                sites.append(known)
            target = [known]
        if "return" in action and str(action.get("location", "")).startswith("https://"):
            target[0].redirects = True
            self._draft.note(("sites",), what, "every request over HTTP leads to https")
            return
        for path in prefixes:
            self._action(action, path, target, what, depth)

    def _action(
        self, action: dict[str, Any], path: str, target: list[_UnitSite], what: ForeignSetting, depth: int
    ) -> None:
        if "share" in action:
            shares = _listed(action["share"])
            directory = _shared(shares[0], path) if shares else None
            if directory is None:
                self._draft.drop(
                    what, "a static directory is a path and a directory, and names of files follow the path"
                )
            else:
                sentence = "a file that is not there is 404, and nothing else is asked" if "fallback" in action else ""
                if path != "/":
                    target[0].ways.append(_Way(path, "", "", directory, what.what))
                    self._draft.note(("sites",), what, sentence)
                elif "fallback" in action:
                    self._draft.drop(what, "files at / would hide the application: give them a path")
                else:
                    target[0].ways.append(_Way(path, "", "", directory, what.what))
                    self._draft.note(("sites",), what)
                target[0].index = str(action.get("index", target[0].index))
            fallback = _table(action, "fallback")
            if fallback:
                self._action(fallback, "/" if path != "/" else path, target, what, depth)
        elif "pass" in action:
            self._follow(str(action["pass"]), path, target, what, depth + 1)
        else:
            self._draft.drop(what, _NO_COUNTERPART)

    def _put_site(self, site: _UnitSite, found: str, certificate: Any, setting: ForeignSetting, number: int) -> None:
        name = next((host for host in site.hosts if not host.startswith("*")), "localhost")
        key, taken = name, self._draft.document.get("sites", {})
        if key in taken:
            key = f"{name}:{found.rpartition(':')[2]}-{number}" if f"{name}:{found.rpartition(':')[2]}" in taken else (
                f"{name}:{found.rpartition(':')[2]}"
            )  # fmt: skip
        place: Place = ("sites", key)
        table = self._draft.table(place)
        self._draft.comments[place] = setting.what
        if key != name:
            table["server-name"] = name
        aliases = [host for host in site.hosts if host != name]
        if aliases:
            table["aliases"] = list(dict.fromkeys(aliases))
        self._draft.put(place, "listen", [found], setting)
        if certificate:
            what = self._setting("certificate", certificate)
            sentence = "Unit keeps the certificate itself: write its chain and key to these files"
            named = str(certificate[0] if isinstance(certificate, list) else certificate)
            self._draft.put(place, "certificate", f"/etc/ssl/{named}.crt", what, sentence)
            self._draft.put(place, "certificate-key", f"/etc/ssl/{named}.key", what, sentence)
        if site.redirects:
            table["redirect-to-https"] = True
        access = self._document.get("access_log")
        if access:
            path = str(access.get("path", "")) if isinstance(access, dict) else str(access)
            self._draft.put(place, "access-log", path, self._setting("access_log", access))
        taken_paths: set[str] = set()
        for way in site.ways:
            if way.path in taken_paths:
                self._draft.drop(ForeignSetting(way.what, self._path), f"{way.path} is taken by a step before it")
                continue
            taken_paths.add(way.path)
            self._put_way(place, way)
        if site.index and table.get("static"):
            table["index"] = site.index

    def _put_way(self, place: Place, way: _Way) -> None:
        there = self._draft.append(place, "static" if way.directory else "mounts", way.what)
        inner = self._draft.table(there)
        inner["path"] = way.path
        if way.directory:
            inner["directory"] = way.directory
            return
        if way.target:
            inner["app"] = way.target
        inner["process-group"] = way.group
        if way.path != "/":
            sentence = "SCRIPT_NAME is the path of the mount, and PATH_INFO what follows; Unit has all in PATH_INFO"
            self._draft.note(there, ForeignSetting(way.what, self._path), sentence)

    def _settings(self) -> None:
        http = _table(_table(self._document, "settings"), "http")
        for name, value in http.items():
            setting = self._setting(f"settings/http/{name}", value)
            for group in self._groups.values():
                if name == "max_body_size":
                    self._draft.put(("groups", group), "limit-request-body", value, setting)
                elif name in ("body_read_timeout", "header_read_timeout"):
                    self._draft.put(("groups", group), "socket-timeout", value, setting)
                elif name == "idle_timeout":
                    self._draft.put(("groups", group), "keep-alive-timeout", value, setting)
            if name not in ("max_body_size", "body_read_timeout", "header_read_timeout", "idle_timeout"):
                self._draft.drop(setting, _NO_COUNTERPART)

    def _is_reached(self, group: str) -> bool:
        if "listen" in self._draft.table(("groups", group)):
            return True
        sites = self._draft.document.get("sites", {}).values()
        return any(mount.get("process-group") == group for site in sites for mount in site.get("mounts", []))


def _app(table: dict[str, Any]) -> str:
    name = str(table.get("callable", "application"))
    return f"{table.get('module', '')}:{name}{'()' if table.get('factory') else ''}"


def _table(value: Any, name: str) -> dict[str, Any]:
    inner = value.get(name) if isinstance(value, dict) else None
    return inner if isinstance(inner, dict) else {}


def _listed(value: Any) -> list[str]:
    if value is None:
        return []
    return [str(item) for item in value] if isinstance(value, list) else [str(value)]


def _prefix(pattern: str) -> str | None:
    """A pattern that is a prefix: `/static/*`, `/api`; None for others."""
    if pattern.startswith(("!", "~")):
        return None
    return url_path(pattern.removesuffix("*")) if "*" not in pattern.removesuffix("*") else None


def _shared(share: str, path: str) -> str | None:
    """The directory that a prefix leads to: `/srv/www$uri` for /static is /srv/www/static."""
    if not share.endswith("$uri"):
        return share.rstrip("/") or None if "$" not in share and path == "/" else None
    base = share.removesuffix("$uri")
    return None if "$" in base else posixpath.normpath(base + ("" if path == "/" else path))
