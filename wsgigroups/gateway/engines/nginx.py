"""nginx as the gateway: from routes to one nginx.conf. Pure.

It asks groups by the uwsgi protocol on their UNIX sockets, one connection a request, and asks none twice. What daemons
are told is built here; a client's own fields follow behind WSGIGROUPS_CLIENT_FIELDS, where daemons believe none that
only a gateway may say. Needs nginx 1.18 or later with its standard modules.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.gateway.engines.nginx_frame import TALLIED, error_pages, frame, parting, trust, usual_pages
from wsgigroups.gateway.engines.nginx_text import (
    RenderError,
    expression,
    host_name,
    literal,
    page_words,
    plain_word,
    seconds,
    word,
)
from wsgigroups.gateway.reading import HTTPS_PORT, https_port, names_at, places_of
from wsgigroups.runtime.wire.routes import WELL_KNOWN, StaticRoute

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsgigroups.runtime.wire.routes import Link, ListenerRoute, MountRoute, Routes, SiteRoute

_FOR_STATIC = "^(?:GET|HEAD)$"


@dataclass(frozen=True, slots=True)
class NginxHost:
    """What the names and numbers in routes are on the host, and what else nginx is told. Paths are absolute."""

    temporary: str  # directory of its pid file and of bodies that do not fit into memory
    sockets: Mapping[str, str]  # by group
    directories: tuple[str, ...] = ()
    access_logs: tuple[str, ...] = ()
    certificates: Mapping[str, tuple[str, str]] = field(default_factory=dict)  # name → chain and key
    error_log: str = "stderr"
    user: str = ""  # of its processes, where it is started by root
    group: str = ""
    processes: int = 1
    connections: int = 4096  # of one process
    shutdown_timeout_s: float = 30.0
    trusted_proxies: tuple[str, ...] = ()
    http2: str = ""  # "parameter": of listen, before nginx 1.25.1; "directive"; "": not spoken
    body_bytes: Mapping[str, int] = field(default_factory=dict)  # of a body, at most, by group; 0 or none: no limit
    line_bytes: int = 8190  # of a request line or a field, at most
    compression: bool = True
    kept: bool = False  # by a manager: it has its listeners from that, which also counts its answers and ends it


def render(routes: Routes, host: NginxHost) -> str:
    """Return the nginx.conf. Raises RenderError for what nginx cannot be told."""
    return _Rendering(routes, host).text()


class _Rendering:
    """One run of `render`: what several sites have is written once, by numbers in the order of its first use."""

    def __init__(self, routes: Routes, host: NginxHost) -> None:
        self._routes = routes
        self._host = host
        self._prefixes: dict[str, int] = {}
        self._pages: dict[tuple[tuple[int, str], ...], int] = {}
        self._groups = {name: number for number, name in enumerate(sorted(routes.links))}
        self._sites = {name: number for number, name in enumerate(routes.sites)}

    def text(self) -> str:
        """Return all of it."""
        servers = list(self._servers())  # first: what they use is collected on the way
        return "\n".join(
            [
                *frame(self._host, len(servers), self._names()),
                *self._indented(self._upstreams()),
                *self._indented(self._maps()),
                *self._indented(servers),
                "}",
                "",
            ]
        )

    def _indented(self, lines: Iterator[str] | list[str]) -> list[str]:
        return [f"    {line}" for line in lines]

    def _names(self) -> int:
        return sum(1 + len(site.aliases) for site in self._routes.sites.values())

    # What servers refer to

    def _upstreams(self) -> Iterator[str]:
        for name, number in self._groups.items():
            socket = word(f"unix:{self._host.sockets[name]}", f"the socket of group {name}")
            yield f"upstream wsgigroups_link_{number} {{ server {socket} max_fails=0; }}"

    def _maps(self) -> Iterator[str]:
        for prefix, number in self._prefixes.items():
            shape = word(f"(?s)^{expression(prefix)}(?<wsgigroups_rest_{number}>/.*)?$", "the path")
            shape = f'"~{shape[1:]}'
            yield f"map $uri $wsgigroups_info_{number} {{ {shape} $wsgigroups_rest_{number}; default $uri; }}"
        for pages, number in self._pages.items():
            entries = []
            for status, text in pages:
                words = page_words(text)
                names = [f"wsgigroups_text_{number}_{status}_{place}" for place in range(len(words))]
                for name, item in zip(names, words, strict=True):
                    yield f"geo ${name} {{ default {item}; }}"
                entries.append(f'{status} "{"".join(f"${{{name}}}" for name in names)}";')
            yield f"map $status $wsgigroups_pages_{number} {{ {' '.join(entries)} }}"
        for name, site in self._routes.sites.items():
            if site.redirect_to_https:
                yield from self._own_names(self._sites[name], site)

    def _own_names(self, number: int, site: SiteRoute) -> Iterator[str]:
        """Which host a redirection names: the one that was asked for, if it is the site's."""
        first = host_name(site.server_name.lower())
        names = dict.fromkeys([first, *(host_name(alias.lower()) for alias in site.aliases)])
        yield f"map $host $wsgigroups_host_{number} {{"
        yield f"    hostnames; default {first};"
        yield from (f"    {name} $host;" for name in names)
        yield "}"

    # Servers

    def _servers(self) -> Iterator[str]:
        for place, listener in enumerate(self._routes.listeners):
            names = names_at(listener, self._routes)
            for name in listener.sites:
                site = self._routes.sites[name]
                yield from self._server(listener, place, name, site, names[name], first=name == listener.sites[0])

    def _server(
        self, listener: ListenerRoute, place: int, name: str, site: SiteRoute, names: list[str], *, first: bool
    ) -> Iterator[str]:
        yield "server {"
        yield f"    # {place}: {_comment(name)}"
        yield f"    listen {self._listen(listener, first=first)};"
        if names:
            yield f"    server_name {' '.join(host_name(item) for item in names)};"
        elif not first:
            yield '    server_name "_";'  # others have its names
        for line in self._about(listener, name, site):
            yield f"    {line}"
        for line in self._challenges():
            yield f"    {line}"
        for line in parting() if self._host.kept else ():
            yield f"    {line}"
        redirected = site.redirect_to_https and not listener.tls
        for line in self._redirected(name) if redirected else self._locations(site, listener):
            yield f"    {line}"
        yield "}"

    def _listen(self, listener: ListenerRoute, *, first: bool) -> str:
        parts = [word(listener.address, "the address")]
        if first:
            parts.append("default_server")
            if self._host.kept:
                parts.append("bind")  # it is a socket of its own, though there is one for all addresses of its port
        if listener.tls:
            parts.append("ssl")
            if self._host.http2 == "parameter":
                parts.append("http2")
        if listener.proxy_protocol:
            parts.append("proxy_protocol")
        return " ".join(parts)

    def _about(self, listener: ListenerRoute, name: str, site: SiteRoute) -> Iterator[str]:
        host = self._host
        if listener.tls:
            yield from self._certificate(listener, name, site)
            yield f"ssl_protocols {'TLSv1.3' if site.tls_minimum == '1.3' else 'TLSv1.2 TLSv1.3'};"
            if host.http2 == "directive":
                yield "http2 on;"
            if site.hsts_s:
                yield _hsts(site)
        if listener.proxy_protocol:
            yield "real_ip_header proxy_protocol;"
            yield from trust(listener.proxy_protocol)
        if site.access_log >= 0:
            path = literal(host.access_logs[site.access_log], "the access log")
            yield f"access_log {path} {'wsgigroups_json' if site.access_format == 'json' else 'combined'};"
            if host.kept:
                yield TALLIED
        yield 'set $wsgigroups_group "";'
        yield f"set $wsgigroups_server_name {literal(site.server_name, 'the name')};"
        yield from error_pages(site.error_pages)
        headers = [_hsts(site)] if listener.tls and site.hsts_s else []
        yield from usual_pages(headers)
        if site.error_pages:
            number = self._pages.setdefault(tuple(sorted(site.error_pages.items())), len(self._pages))
            yield from usual_pages(headers, f"$wsgigroups_pages_{number}", "html")

    def _certificate(self, listener: ListenerRoute, name: str, site: SiteRoute) -> Iterator[str]:
        if site.certificate:
            chain, key = self._host.certificates[site.certificate]
            yield f"ssl_certificate {plain_word(chain, 'the certificate')};"
            yield f"ssl_certificate_key {plain_word(key, 'the key')};"
        elif self._host.kept:  # an authority has not made it yet
            yield "ssl_reject_handshake on;"
        else:
            raise RenderError(f"cannot render site {name!r}: {listener.address} speaks TLS, it has no certificate")

    def _challenges(self) -> Iterator[str]:
        """What a certificate authority looks for is at the same paths of every host."""
        for token, text in self._routes.challenges.texts.items():
            body = ["default_type application/octet-stream;", f"return 200 {literal(text, 'a challenge')};"]
            yield from _location(f"= {word(WELL_KNOWN + token, 'a challenge')}", body)

    def _redirected(self, name: str) -> Iterator[str]:
        number, port = self._sites[name], https_port(name, self._routes)
        authority = f"$wsgigroups_host_{number}" + (f":{port}" if port != HTTPS_PORT else "")
        yield "location / {"
        yield f'    if ($request_method !~ "{_FOR_STATIC}") {{ return 308 "https://{authority}$request_uri"; }}'
        yield f'    return 301 "https://{authority}$request_uri";'
        yield "}"

    def _locations(self, site: SiteRoute, listener: ListenerRoute) -> Iterator[str]:
        found = places_of(site)
        for prefix, route in found.items():
            if not prefix.startswith("/") and prefix:
                raise RenderError(f"cannot render the path {prefix!r}: it does not begin with a slash")
            if isinstance(route, StaticRoute):
                yield from self._static(prefix, route, site)
            else:
                body = list(self._asking(prefix, route))
                if prefix:
                    yield from _location(f"= {word(prefix, 'the path')}", body)
                yield from _location(word(f"{prefix}/", "the path"), body)
        if "" not in found:
            yield "location / { return 404; }"

    def _asking(self, prefix: str, route: MountRoute) -> Iterator[str]:
        """A group answers."""
        number = self._prefixes.setdefault(prefix, len(self._prefixes))
        link = self._routes.links[route.group]
        yield f"set $wsgigroups_script_name {literal(prefix, 'the path')};"
        yield f"set $wsgigroups_path_info $wsgigroups_info_{number};"
        yield f"set $wsgigroups_application {literal(route.application, 'the application')};"
        yield f"set $wsgigroups_group {literal(route.group, 'the group')};"
        yield f"client_max_body_size {self._host.body_bytes.get(route.group, 0)};"  # before it is kept on a disk
        yield from _limits(link)
        yield f"uwsgi_pass wsgigroups_link_{self._groups[route.group]};"

    def _static(self, prefix: str, route: StaticRoute, site: SiteRoute) -> Iterator[str]:
        """Files answer: regular ones, no links, no names that begin with a dot."""
        directory = self._host.directories[route.directory].rstrip("/")
        hidden = word(f"(?s)^{expression(prefix)}/(?:.*/)?\\.", "the path")
        methods = f'if ($request_method !~ "{_FOR_STATIC}") {{ return 405; }}'
        body = [
            methods,
            f"if ($uri ~ {hidden}) {{ return 404; }}",
            f"alias {literal(directory + '/', 'the directory')};",
            "disable_symlinks on from=$document_root;",
            "gzip_static on;",
            *error_pages(site.error_pages, hidden=True),
        ]
        if route.index:
            body.append(f"index {literal(route.index, 'the index')};")
        else:
            body.append("try_files $uri =404;")
        if prefix:
            beside = (
                f'return 301 "{literal(prefix + "/", "the path")[1:-1]}$is_args$args";'
                if route.index
                else "return 404;"
            )
            yield from _location(f"= {word(prefix, 'the path')}", [methods, beside])
        yield from _location(word(f"{prefix}/", "the path"), body)


def _limits(link: Link) -> Iterator[str]:
    size = link.header_buffer_size_bytes
    yield f"uwsgi_connect_timeout {seconds(min(link.connect_timeout_s or 75, 75))};"
    yield f"uwsgi_read_timeout {seconds(link.socket_timeout_s)};"
    yield f"uwsgi_send_timeout {seconds(link.socket_timeout_s)};"
    yield f"send_timeout {seconds(link.response_socket_timeout_s or link.socket_timeout_s)};"
    yield f"uwsgi_buffer_size {size}; uwsgi_buffers 8 {size}; uwsgi_busy_buffers_size {2 * size};"


def _location(where: str, body: list[str]) -> Iterator[str]:
    yield f"location {where} {{"
    yield from (f"    {line}" for line in body)
    yield "}"


def _hsts(site: SiteRoute) -> str:
    return f'add_header Strict-Transport-Security "max-age={site.hsts_s}" always;'


def _comment(text: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in text)
