"""Apache's configuration to a draft: virtual hosts to sites, WSGIDaemonProcess to groups. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse as parse_address
from wsgigroups.interop.importers.apache.groups import put_daemon_process, put_option, put_python_path, read_value
from wsgigroups.interop.importers.apache.leftovers import say_what_is_left
from wsgigroups.interop.importers.apache.mounts import FoundMount, find_mounts
from wsgigroups.interop.importers.apache.reading import ApacheHost, ApacheReader
from wsgigroups.interop.importers.apache.sites import NAMELESS, SiteWriter, addresses_of, put_error_log
from wsgigroups.interop.importers.draft import Draft, ForeignSetting
from wsgigroups.interop.importers.values import host_name, is_on, number, numbered
from wsgigroups.interop.importers.variables import say_too_late

if TYPE_CHECKING:
    from wsgigroups.interop.importers.apache.syntax import Directive
    from wsgigroups.interop.importers.draft import Place
    from wsgigroups.interop.importers.surroundings import ImportRequest, ImportSurroundings

_OF_GROUPS = {
    "limitrequestline": "limit-request-line",
    "limitrequestfieldsize": "limit-request-field-size",
    "limitrequestfields": "limit-request-fields",
    "limitrequestbody": "limit-request-body",
}
_VARIABLES = {
    "wsgidontwritebytecode": "PYTHONDONTWRITEBYTECODE",
    "wsgipythonoptimize": "PYTHONOPTIMIZE",
    "wsgipythonhashseed": "PYTHONHASHSEED",
    "wsgipythonwarnings": "PYTHONWARNINGS",
}
_HANDLED = frozenset(
    {
        "alias", "aliasmatch", "customlog", "directoryindex", "documentroot", "errorlog", "group",
        "logformat", "passenv", "serveralias", "servername", "setenv", "sslcertificatefile",
        "sslcertificatekeyfile", "sslprotocol", "timeout", "transferlog", "unsetenv", "user", "wsgicallableobject",
        "wsgichunkedrequest", "wsgidaemonprocess", "wsgiimportscript", "wsgipythoneggs", "wsgipythonhome",
        "wsgipythonpath", "wsgirestrictsignal", "wsgiscriptalias", "wsgiscriptaliasmatch", "wsgiscriptreloading",
        "wsgiservermetrics", "wsgiswitchinterval", "wsgitrustedproxies", *_OF_GROUPS, *_VARIABLES,
    }
)  # fmt: skip
_OF_EMBEDDED = {
    "wsgipythoneggs": "python-eggs",
    "wsgiservermetrics": "server-metrics",
    "wsgiswitchinterval": "switch-interval",
}
_EMBEDDED = "embedded mode: here it has processes of its own"
_MEANT = "no WSGIProcessGroup leads to it: Apache runs this script in embedded mode; here it is used, as it was meant"
_IN_ENVIRONMENT = "a variable of the processes, which are alike for all requests: os.environ has it, environ does not"


@dataclass(slots=True)
class _Site:
    host: ApacheHost
    key: str
    name: str
    mounts: list[FoundMount]
    groups: set[str] = field(default_factory=set)  # that its mounts lead to


def import_apache(request: ImportRequest, surroundings: ImportSurroundings) -> Draft:
    """Read configuration files of Apache with mod_wsgi. Raises WsgigroupsError for files that Apache refuses, too."""
    draft = Draft()
    reader = ApacheReader(surroundings, draft, dict(request.defined))
    for path in request.files:
        reader.read(path)
    _Importer(draft, reader).run()
    return draft


class _Importer:
    def __init__(self, draft: Draft, reader: ApacheReader) -> None:
        self._draft = draft
        self._reader = reader
        self._server = reader.hosts[0]
        self._daemons: dict[str, tuple[Directive, ApacheHost]] = {}  # group as Apache has it → its line
        self._names: dict[str, str] = {}  # … → its name here
        self._sites: list[_Site] = []

    def run(self) -> None:
        for host in self._reader.hosts:
            for directive in host.all("wsgidaemonprocess"):
                if directive.word(0) in self._daemons:
                    self._draft.drop(directive.setting, "there is a group of that name already, which Apache refuses")
                elif directive.word(0):
                    self._daemons[directive.word(0)] = (directive, host)
        self._find_sites()
        for site in self._sites:
            self._put_groups(site)
        for name, (directive, _host) in self._daemons.items():
            if name not in self._names:
                self._draft.drop(directive.setting, "no request leads to it")
        for site in self._sites:
            self._put_site(site)
        self._join_addresses()
        self._put_server()
        with_site = [site.host for site in self._sites]
        scripts = {mount.script for site in self._sites for mount in site.mounts}
        say_what_is_left(
            self._draft, [self._server, *(host for host in with_site if host is not self._server)], scripts
        )

    def _find_sites(self) -> None:
        shared = find_mounts(self._server, self._server, self._reader, self._draft)
        for host in self._reader.hosts[1:]:
            own = find_mounts(host, self._server, self._reader, self._draft)
            taken = {mount.path for mount in own}
            mounts = own + [mount for mount in shared if mount.path not in taken]
            if mounts or _only_redirects(host):
                self._add_site(host, mounts)
            elif host.section is not None:
                named = host.last("servername")
                what = ForeignSetting(
                    f"{host.section.text} {named.text if named else ''}", host.section.file, host.section.line
                )
                self._draft.drop(what, "it has no Python application: leave it with Apache")
        if shared and not self._sites:
            self._add_site(self._server, shared)
        with_mounts = {site.name for site in self._sites if site.mounts}
        if with_mounts:
            self._sites = [site for site in self._sites if site.mounts or site.name in with_mounts]

    def _add_site(self, host: ApacheHost, mounts: list[FoundMount]) -> None:
        directive = host.last("servername")
        name = host_name(directive.word(0)) if directive is not None else None
        aliases = [found for item in host.all("serveralias") for word in item.words if (found := host_name(word))]
        if name is None or name.startswith("*"):
            name = next((alias for alias in aliases if not alias.startswith("*")), NAMELESS)
            if directive is not None:
                self._draft.note(("sites", name), directive.setting, f"{directive.word(0)} is no host name")
        key, taken = name, {site.key for site in self._sites}
        if key in taken:
            ports = [text.rpartition(":")[2] for text in addresses_of(Draft(), host, self._server)]
            key = f"{name}:{ports[0]}"
        number_ = 2
        while key in taken:
            key, number_ = f"{name}-{number_}", number_ + 1
        self._sites.append(_Site(host, key, name, mounts))

    def _put_groups(self, site: _Site) -> None:
        """Make the groups that the mounts of a site lead to, once each."""
        own = [name for name, (_line, host) in self._daemons.items() if host is site.host]
        wanted = {mount.group for mount in site.mounts}
        idle = [name for name in own if name not in wanted] or [
            name for name, (_line, host) in self._daemons.items() if host is self._server and self._is_idle(name)
        ]
        for mount in site.mounts:
            if mount.group in self._daemons:
                name = mount.group
            elif mount.group:
                self._draft.drop(
                    mount.delegation, f"there is no WSGIDaemonProcess {mount.group}: Apache refuses such a request"
                )
                name = ""
            elif len(idle) == 1:
                name = idle[0]
                self._draft.note(("groups", name), self._daemons[name][0].setting, _MEANT)
            else:
                name = ""
            mount.group = self._group(name, site, mount) if name else self._embedded(site, mount)
            site.groups.add(mount.group)

    def _is_idle(self, name: str) -> bool:
        return not any(mount.group == name for site in self._sites for mount in site.mounts)

    def _group(self, name: str, site: _Site, mount: FoundMount) -> str:
        if name not in self._names:
            directive, host = self._daemons[name]
            self._names[name] = self._draft.new_name(name)
            place: Place = ("groups", self._names[name])
            put_daemon_process(self._draft, place, directive)
            if self._names[name] != name:
                self._draft.note(place, directive.setting, f"the group is named {self._names[name]}")
            self._of_server(place, embedded=False)
            log = host.last("errorlog") if host.section is not None else None
            if log is not None:
                put_error_log(self._draft, self._reader, place, log)
        place = ("groups", self._names[name])
        self._of_site(place, site, mount)
        return self._names[name]

    def _embedded(self, site: _Site, mount: FoundMount) -> str:
        """One group for what a site has in embedded mode."""
        key = f" embedded {site.key}"
        if key not in self._names:
            self._names[key] = self._draft.new_name(site.name)
            place: Place = ("groups", self._names[key])
            self._draft.comments[place] = "embedded mode of mod_wsgi: a group of its own here"
            self._draft.table(place)
            self._of_server(place, embedded=True)
        place = ("groups", self._names[key])
        self._draft.note(place, mount.directive.setting, _EMBEDDED)
        self._of_site(place, site, mount)
        return self._names[key]

    def _of_server(self, place: Place, *, embedded: bool) -> None:
        """What the server says for all daemons, or for embedded mode."""
        home = self._server.last("wsgipythonhome")
        if home is not None and "python-home" not in self._draft.table(place):
            value, sentence = read_value("path", home.word(0))
            self._draft.put(place, "python-home", value, home.setting, sentence)
        for name, option in _OF_EMBEDDED.items():
            directive = self._server.last(name)
            if directive is not None and embedded:
                put_option(self._draft, place, option, directive.word(0), directive.setting)
            elif directive is not None:
                self._draft.needless(directive.setting)
        path = self._server.last("wsgipythonpath")
        if path is not None and embedded:
            put_python_path(self._draft, place, path.word(0).split(":"), path.setting)
        elif path is not None:
            self._draft.needless(path.setting)
        signals = self._server.last("wsgirestrictsignal")
        if signals is not None and not is_on(signals.word(0)):
            self._draft.put(place, "signals", "allow", signals.setting)
        elif signals is not None:
            self._draft.needless(signals.setting)
        for name, variable in _VARIABLES.items():
            directive = self._server.last(name)
            if directive is not None:
                say_too_late(self._draft, variable, directive.setting)

    def _of_site(self, place: Place, site: _Site, mount: FoundMount) -> None:
        """What the virtual host says of requests to this group."""
        for host in (self._server, site.host):
            for name, option in _OF_GROUPS.items():
                directive = host.last(name)
                size = number(directive.word(0)) if directive else None
                if directive is not None and size is not None:
                    self._draft.put(place, option, size, directive.setting)
            timeout = host.last("timeout")
            if timeout is not None and host is not self._server and number(timeout.word(0)) is not None:
                self._draft.put(place, "socket-timeout", number(timeout.word(0)), timeout.setting)
        for item in (*self._server.directives, *site.host.directives):
            if not mount.is_within(item.within):
                continue
            self._variable(place, item.directive)
            if item.directive.name == "wsgichunkedrequest" and is_on(item.directive.word(0)):
                self._draft.put(place, "chunked-bodies", "stream", item.directive.setting)
            elif item.directive.name == "wsgichunkedrequest":
                self._draft.needless(item.directive.setting)
        if mount.reloading is None or is_on(mount.reloading.word(0)):
            setting = (
                mount.reloading.setting if mount.reloading else ForeignSetting("WSGIScriptReloading On, the default")
            )
            self._draft.default(place, "script-reloading", True, setting.what)
        if mount.reloading is not None:
            self._draft.note((*place, "script-reloading"), mount.reloading.setting)

    def _variable(self, place: Place, directive: Directive) -> None:
        if directive.name == "setenv" and re.fullmatch(r"[A-Za-z_]\w*", directive.word(0)):
            variables = {directive.word(0): directive.word(1).replace("${", "$${")}
            hidden = ForeignSetting(f"SetEnv {directive.word(0)}", directive.file, directive.line)
            self._draft.put(place, "environment", variables, hidden, _IN_ENVIRONMENT)
        elif directive.name == "passenv":
            variables = {name: f"${{{name}:-}}" for name in directive.words}
            self._draft.put(place, "environment", variables, directive.setting, _IN_ENVIRONMENT)

    def _put_site(self, site: _Site) -> None:
        place: Place = ("sites", site.key)
        draft = self._draft
        table = draft.table(place)
        section = site.host.section
        draft.comments[place] = section.text if section is not None else "the main server"
        named = site.host.last("servername")
        if site.key != site.name:
            draft.put(place, "server-name", site.name, named.setting if named else ForeignSetting("no ServerName"))
        elif named is not None:
            draft.note(place, named.setting)
        else:
            draft.note(
                place,
                ForeignSetting("no ServerName", section.file if section else ""),
                "the first site of an address answers for any host",
            )
        table["listen"] = addresses_of(draft, site.host, self._server)
        listening = (*place, "listen")
        draft.comments[listening] = section.text if section is not None else "Listen"
        writer = SiteWriter(draft, self._reader, site.host, place)
        writer.put_names()
        writer.put_logs(self._server)
        writer.put_certificate(self._server)
        taken: set[str] = set()
        writer.put_static(taken)
        if site.host is not self._server:
            SiteWriter(draft, self._reader, self._server, place).put_static(taken)
        self._put_mounts(place, site, taken)
        writer.put_document_root(self._server, taken, {mount.path for mount in site.mounts})
        writer.put_rest(_HANDLED)

    def _put_mounts(self, place: Place, site: _Site, taken: set[str]) -> None:
        groups = {mount.group for mount in site.mounts}
        if len(groups) == 1:
            self._draft.table(place)["process-group"] = next(iter(groups))
        interpreters: dict[str, set[str]] = {}
        for mount in site.mounts:
            if mount.path in taken:
                self._draft.drop(
                    mount.directive.setting, f"{mount.path} is a static directory, which Apache prefers, too"
                )
                continue
            there = self._draft.append(place, "mounts", mount.directive.setting.what)
            table = self._draft.table(there)
            table["path"] = mount.path
            table["script"] = mount.script
            if mount.callable_object:
                table["callable-object"] = mount.callable_object
            if mount.naming is not None:
                self._draft.note((*there, "callable-object"), mount.naming.setting)
            if len(groups) > 1:
                table["process-group"] = mount.group
            self._draft.note(there, mount.directive.setting, mount.sentence)
            interpreters.setdefault(mount.group, set()).add(mount.interpreter or f"{site.name}|{mount.path}")
        for group, names in interpreters.items():
            if len(names) > 1:
                sentence = "its applications share one interpreter here: give each a group if they must not"
                self._draft.note(("groups", group), ForeignSetting(f"application groups of {site.key}"), sentence)

    def _join_addresses(self) -> None:
        """An address of one interface cannot be listened on beside all of them: then it is that of all."""
        tables = [(("sites", name), table) for name, table in self._draft.document.get("sites", {}).items()]
        everywhere = {text for _place, table in tables for text in table["listen"] if _is_wildcard(text)}
        for place, table in tables:
            joined = []
            for text in table["listen"]:
                wide = _widened(text)
                if wide in everywhere and text != wide:
                    setting = ForeignSetting(self._draft.comments.get(place, text))
                    self._draft.note(
                        (*place, "listen"), setting, f"{text} is {wide} here, which another site listens on"
                    )
                    text = wide  # noqa: PLW2901
                if text not in joined:
                    joined.append(text)
            table["listen"] = joined

    def _put_server(self) -> None:
        server = self._server
        place: Place = ("server",)
        for name in ("user", "group"):
            directive = server.last(name)
            if directive is not None and "${" not in directive.word(0):
                self._draft.put(place, name, numbered(directive.word(0)), directive.setting)
            elif directive is not None:
                self._draft.drop(directive.setting, "its value is not known: Apache has it from its environment")
        timeout = server.last("timeout")
        if timeout is not None and number(timeout.word(0)) is not None:
            self._draft.put(place, "timeout", number(timeout.word(0)), timeout.setting)
        log = server.last("errorlog")
        if log is not None:
            put_error_log(self._draft, self._reader, place, log)
        self._put_trusted_proxies()
        if self._sites and self._sites[0].host is not server:
            writer = SiteWriter(self._draft, self._reader, server, place)
            writer.put_rest(_HANDLED | {"errordocument", "redirect", "header"})

    def _put_trusted_proxies(self) -> None:
        """Of the server and of hosts: the gateway believes the same proxies for all sites."""
        networks: list[str] = []
        hosts = [self._server, *(site.host for site in self._sites if site.host is not self._server)]
        for host in hosts:
            for directive in host.all("wsgitrustedproxies"):
                networks += [text for word in directive.words if (text := _network(word)) and text not in networks]
                sentence = "" if host is self._server else "they are believed for all sites"
                self._draft.put(("gateway",), "trusted-proxies", list(networks), directive.setting, sentence)


def _only_redirects(host: ApacheHost) -> bool:
    """Whether a virtual host does nothing but lead to another URL."""
    names = {item.directive.name for item in host.directives}
    return bool(names & {"redirect", "redirectmatch", "rewriterule"}) and not names & {
        "proxypass", "proxypassmatch", "alias", "scriptalias", "sethandler", "addhandler",
    }  # fmt: skip


def _is_wildcard(text: str) -> bool:
    return text.startswith(("0.0.0.0:", "[::]:"))


def _widened(text: str) -> str:
    try:
        found = parse_address(text)
    except ValueError:
        return text
    return f"[::]:{found.port}" if ":" in (found.host or "") else f"0.0.0.0:{found.port}"


def _network(text: str) -> str | None:
    try:
        return str(ipaddress.ip_network(text, strict=False))
    except ValueError:
        return None
