"""A configuration as a haproxy.cfg: frontends for the addresses of sites, a backend for each group. Pure.

HAProxy 2.6 or later: https://docs.haproxy.org/2.6/configuration.html.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.config.diagnostics import path_text
from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.reading import HTTPS_PORT, https_port, names_at, places_of
from wsgigroups.interop.renderers.deadlines import longest, text_s
from wsgigroups.interop.renderers.fronts import (
    FORWARDING,
    FORWARDING_PREFIXES,
    note_trust,
    require_addresses,
    sites_of_front,
)
from wsgigroups.interop.renderers.unsaid import Unsaid
from wsgigroups.runtime.wire.routes import StaticRoute

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from wsgigroups.config import Configuration, Group
    from wsgigroups.interop.renderers.context import RenderContext
    from wsgigroups.interop.renderers.deadlines import RequestDeadlines
    from wsgigroups.interop.renderers.fronts import SitesOfFront
    from wsgigroups.runtime.wire.routes import ListenerRoute, SiteRoute

_HEAD = "# Made by `wsgigroups render haproxy`. Check it with haproxy -c -f FILE, start it with haproxy -W -f FILE."
_UNSAID = "Not said here, since HAProxy has nothing like it:"
_NOTHING = "_nothing"  # no group has that name: theirs begin with a letter or a digit
_CONNECTIONS = 4096
_SMALLEST_BUFFER, _REWRITE = 16384, 1024  # tune.bufsize, and what it keeps free of it (tune.maxrewrite)
_LONGEST_S = 2_000_000.0  # a time in HAProxy is a number of milliseconds of 31 bits
_PLAIN = re.compile(r"[A-Za-z0-9_./:@%+=,~-]+")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_UNSAID_OF_SITES = ("access-log", "access-log-format", "error-pages", "error-log")


def haproxy_cfg(configuration: Configuration, context: RenderContext) -> str:
    """Return the text. Raises WsgigroupsError for what HAProxy cannot be told."""
    sites = sites_of_front(configuration, context)
    require_addresses(sites, configuration, "HAProxy")
    return _Rendering(configuration, context, sites).text()


class _Rendering:
    def __init__(self, configuration: Configuration, context: RenderContext, sites: SitesOfFront) -> None:
        self._configuration = configuration
        self._context = context
        self._sites = sites
        self._routes = sites.routes
        self._unsaid = Unsaid()
        self._numbers = {name: number for number, name in enumerate(self._routes.sites)}
        self._trusted = [str(item) for item in configuration.gateway.trusted_proxies if str(item) != "unix"]
        self._key_beside = False  # whether the key of a certificate is in a file beside it

    def text(self) -> str:
        """Return all of it."""
        sections: list[tuple[str, list[str]]] = []
        for number, listener in enumerate(self._routes.listeners):
            sections.append((f"frontend listener-{number}", list(self._frontend(listener))))
        sections += [(f"backend {name}", list(self._backend(name))) for name in self._sites.groups]
        nothing = ['http-request return status 404 content-type text/plain string "404 Not Found\\n"']
        sections.append((f"backend {_NOTHING}", nothing))
        self._note()
        sections[:0] = [("global", list(self._global())), ("defaults", list(self._defaults()))]
        head = [_HEAD, *self._unsaid.comment(_UNSAID)]
        parts = [[title, *(f"    {line}" for line in lines)] for title, lines in sections]
        return "\n\n".join("\n".join(part) for part in [head, *parts]) + "\n"

    def _note(self) -> None:
        for key, table in self._configuration.to_document().get("sites", {}).items():
            if key in self._routes.sites:
                for option in _UNSAID_OF_SITES:
                    if option in table:
                        self._unsaid.add(path_text(("sites", key, option)))
        for key, site in self._routes.sites.items():
            if site.statics:
                self._unsaid.add(path_text(("sites", key, "static")), "HAProxy serves no files, and answers 404 there")
        note_trust(self._sites, "HAProxy", self._unsaid)

    def _global(self) -> Iterator[str]:
        slowest = longest(self._sites.deadlines.values())
        yield f"maxconn {_CONNECTIONS}"
        if self._context.user:
            yield f"user {_word(self._context.user)}"
        if self._context.group:
            yield f"group {_word(self._context.group)}"
        if slowest:
            yield f"hard-stop-after {_time(slowest.front_stop_s)}"
        yield f"tune.bufsize {_buffer_bytes(list(self._sites.groups.values())) + _REWRITE}"
        yield f"tune.maxrewrite {_REWRITE}"
        if self._key_beside:
            yield "ssl-load-extra-del-ext"

    def _defaults(self) -> Iterator[str]:
        yield "mode http"
        yield "option http-server-close"  # one connection a request: a kept one is tied to one process
        yield "http-reuse never"
        yield "option http-no-delay"
        yield "retries 0"  # no group is asked twice
        yield f"timeout http-request {_time(self._configuration.server.timeout)}"
        yield "timeout http-keep-alive 5s"
        slowest = longest(self._sites.deadlines.values())
        yield from _times(slowest) if slowest else ("timeout connect 5s", "timeout client 60s", "timeout server 60s")

    # A frontend

    def _frontend(self, listener: ListenerRoute) -> Iterator[str]:
        yield f"bind {self._bind(listener)}"
        networks = [item for item in listener.proxy_protocol if item != "unix"]
        if networks:
            yield f"tcp-request connection expect-proxy layer4 if {{ src {' '.join(networks)} }}"
        slowest = longest(
            self._sites.deadlines[mount.group] for name in listener.sites for mount in self._routes.sites[name].mounts
        )
        if slowest:
            yield f"timeout client {_time(slowest.client_s)}"
        yield from self._forwarding(listener)
        yield from self._choice(listener)
        for name in listener.sites:  # all of these first: HAProxy looks at them before any use_backend
            yield from self._of_site(name, listener)
        for name in listener.sites:
            if not self._redirects(name, listener):
                yield from self._backends(name)
        yield f"default_backend {_NOTHING}"

    def _bind(self, listener: ListenerRoute) -> str:
        address = parse(listener.address)
        if address.kind == "unix":
            words = [_word(f"unix@{address.path}")]
            if "unix" in listener.proxy_protocol:
                words.append("accept-proxy")
        else:
            words = [listener.address, *(["v6only"] if ":" in (address.host or "") else [])]
        if not listener.tls:
            return " ".join(words)
        words.append("ssl")
        minimum = {self._routes.sites[name].tls_minimum for name in listener.sites}
        for name in listener.sites:
            words += ["crt", _word(self._certificate(name, listener))]
        words += ["ssl-min-ver", f"TLSv{min(minimum)}"]
        words += ["alpn", "h2,http/1.1" if self._configuration.gateway.http2 else "http/1.1"]
        return " ".join(words)

    def _certificate(self, name: str, listener: ListenerRoute) -> str:
        if name not in self._sites.certificates:
            raise WsgigroupsError(
                f"cannot render site {name!r}: {listener.address} speaks TLS, and the site has no file for it",
                hint="name files that another program renews: certificate = and certificate-key =",
            )
        chain, key = self._sites.certificates[name]
        if chain == key:
            return chain
        if key == re.sub(r"\.[^./]*$", "", chain) + ".key":
            self._key_beside = True
            return chain
        raise WsgigroupsError(
            f"cannot render site {name!r}: HAProxy reads certificate and key from one file, or the key from NAME.key "
            f"beside NAME.crt, and not {key} beside {chain}",
            hint=f"put both into one file (cat {chain} {key}) and name that as certificate and as certificate-key",
        )

    def _forwarding(self, listener: ListenerRoute) -> Iterator[str]:
        unless = ""
        if self._trusted:
            yield f"acl is_trusted src {' '.join(self._trusted)}"
            unless = " if !is_trusted"
        yield from (f"http-request del-header {name}{unless}" for name in FORWARDING)
        yield from (f"http-request del-header {name} -m beg{unless}" for name in FORWARDING_PREFIXES)
        yield "http-request add-header X-Forwarded-For %[src]"
        said = (("X-Forwarded-Proto", "https" if listener.tls else "http"), ("X-Request-Start", "t=%[date(0,us)]"))
        for name, value in said:
            yield f"http-request set-header {name} {value} unless {{ req.fhdr({name}) -m found }}"

    def _choice(self, listener: ListenerRoute) -> Iterator[str]:
        """Which site: the last rule that fits counts, so names come behind wildcards, and long ones behind short."""
        yield "http-request set-var(txn.host) req.hdr(host),host_only,lower,rtrim(.)"
        yield "http-request set-var(txn.path) path,url_dec"
        first = listener.sites[0]
        yield f"http-request set-var(txn.site) int({self._numbers[first]})"
        found = names_at(listener, self._routes)
        wildcards = [(text[1:], name) for name, texts in found.items() for text in texts if text.startswith("*.")]
        for ending, name in sorted(wildcards, key=lambda item: len(item[0])):
            yield f"http-request set-var(txn.site) int({self._numbers[name]}) if {{ var(txn.host) -m end {ending} }}"
        for name, texts in found.items():
            plain = [text for text in texts if not text.startswith("*.")]
            if plain:
                condition = f"{{ var(txn.host) -m str {' '.join(plain)} }}"
                yield f"http-request set-var(txn.site) int({self._numbers[name]}) if {condition}"

    def _of_site(self, name: str, listener: ListenerRoute) -> Iterator[str]:
        site, here = self._routes.sites[name], self._here(name)
        if self._redirects(name, listener):
            yield from self._redirected(name, site, here)
        elif listener.tls and site.hsts_s:
            yield f"http-response set-header Strict-Transport-Security max-age={site.hsts_s} if {here}"

    def _here(self, name: str) -> str:
        return f"{{ var(txn.site) -m int {self._numbers[name]} }}"

    def _redirects(self, name: str, listener: ListenerRoute) -> bool:
        return self._routes.sites[name].redirect_to_https and not listener.tls

    def _backends(self, name: str) -> Iterator[str]:
        site, here = self._routes.sites[name], self._here(name)
        for prefix, route in sorted(places_of(site).items(), key=lambda item: -len(item[0])):
            backend = _NOTHING if isinstance(route, StaticRoute) else route.group
            if not prefix:
                yield f"use_backend {backend} if {here}"
                continue
            yield f"use_backend {backend} if {here} {{ var(txn.path) -m str {_word(prefix)} }}"
            yield f"use_backend {backend} if {here} {{ var(txn.path) -m beg {_word(prefix + '/')} }}"

    def _redirected(self, name: str, site: SiteRoute, here: str) -> Iterator[str]:
        """A client is sent to the name that it asked for, where that is the site's."""
        port = https_port(name, self._routes)
        after = "" if port == HTTPS_PORT else f":{port}"
        yield f"http-request set-var(txn.name) str({site.server_name.lower()}) if {here}"
        for alias in (site.server_name, *site.aliases):
            text = alias.lower()
            match = f"-m end {text[1:]}" if text.startswith("*.") else f"-m str {text}"
            yield f"http-request set-var(txn.name) var(txn.host) if {here} {{ var(txn.host) {match} }}"
        location = f"location https://%[var(txn.name)]{after}%[pathq]"
        yield f"http-request redirect {location} code 301 if {here} {{ method GET HEAD }}"
        yield f"http-request redirect {location} code 308 if {here}"

    # A backend

    def _backend(self, name: str) -> Iterator[str]:
        yield from (line for line in _times(self._sites.deadlines[name]) if not line.startswith("timeout client"))
        address = self._sites.addresses[name]
        where = f"unix@{address.path}" if address.kind == "unix" else str(address)
        most = _most_requests(self._sites.groups[name])
        yield f"server group {_word(where)}" + (f" maxconn {most}" if most else "")


def _times(deadlines: RequestDeadlines) -> Iterator[str]:
    yield f"timeout connect {_time(deadlines.connect_s)}"
    yield f"timeout queue {_time(deadlines.connect_s)}"
    yield f"timeout client {_time(deadlines.client_s)}"
    yield f"timeout server {_time(deadlines.front_s)}"


def _time(value: float) -> str:
    if value > _LONGEST_S:
        raise WsgigroupsError(
            f"cannot render a time of {value:.0f} s: HAProxy knows none above {_LONGEST_S:.0f} s",
            hint="give the groups a shorter request-timeout, queue-timeout, connect-timeout or socket-timeout",
        )
    return text_s(value)


def _most_requests(group: Group) -> int | None:
    """Return how many a group runs and keeps waiting. Further ones wait in HAProxy, for connect-timeout.

    A connection to a full backlog would be 503 at once. None: it is not known how many processes there will be.
    """
    processes = group.processes_max or group.processes  # 0 for auto
    return processes * group.threads + group.listen_backlog if processes else None


def _buffer_bytes(groups: Sequence[Group]) -> int:
    """Return how long the head of a request or an answer may be: at least as long as groups allow for one line."""
    lines = (
        max(item.limit_request_line, item.limit_request_field_size, item.header_buffer_size or 32768) for item in groups
    )
    return max([_SMALLEST_BUFFER, *lines])


def _word(text: str) -> str:
    if _PLAIN.fullmatch(text):
        return text
    if _CONTROL.search(text) or "'" in text:
        raise WsgigroupsError(f"cannot render {text!r}: HAProxy cannot be told control characters and single quotes")
    return f"'{text}'"
