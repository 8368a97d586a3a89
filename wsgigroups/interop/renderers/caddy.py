"""A configuration as a Caddyfile: a site block for each site at each kind of address. Pure.

Caddy 2.6 or later: https://caddyserver.com/docs/caddyfile.
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
    from collections.abc import Iterator

    from wsgigroups.config import Configuration
    from wsgigroups.interop.renderers.context import RenderContext
    from wsgigroups.interop.renderers.fronts import SitesOfFront
    from wsgigroups.runtime.wire.routes import ListenerRoute, SiteRoute

_HEAD = "# Made by `wsgigroups render caddy`. Check it with caddy validate --adapter caddyfile --config FILE."
_UNSAID = "Not said here, or otherwise, since Caddy has nothing like it:"
_PLAIN = re.compile(r"[A-Za-z0-9_./:*@%+=,~|-]+")
_UNTELLABLE = re.compile(r"[\x00-\x1f\x7f`{}]")
_NO_INDEX = ".none"  # file_server wants a name; no file with a dot is served


def caddyfile(configuration: Configuration, context: RenderContext) -> str:
    """Return the text. Raises WsgigroupsError for what Caddy cannot be told."""
    sites = sites_of_front(configuration, context)
    require_addresses(sites, configuration, "Caddy")
    return _Rendering(configuration, sites, str(context.run_dir)).text()


class _Rendering:
    def __init__(self, configuration: Configuration, sites: SitesOfFront, run_dir: str) -> None:
        self._configuration = configuration
        self._sites = sites
        self._routes = sites.routes
        self._run_dir = run_dir
        self._unsaid = Unsaid()
        self._trusted = [str(item) for item in configuration.gateway.trusted_proxies if str(item) != "unix"]

    def text(self) -> str:
        """Return all of it."""
        blocks = [("", list(self._global()))]
        blocks += [(f"(group-{name})", list(self._group(name))) for name in self._sites.groups]
        for listener in self._routes.listeners:
            names = names_at(listener, self._routes)
            for name in listener.sites:
                title = ", ".join(self._addresses(listener, name, names[name]))
                if title:
                    blocks.append((title, list(self._site(name, listener))))
        self._note()
        head = [_HEAD, *self._unsaid.comment(_UNSAID)]
        parts = [[f"{title} {{".lstrip(), *(f"\t{line}" for line in lines), "}"] for title, lines in blocks]
        parts[0] = [*head, *parts[0]]  # without an empty line between, as caddy fmt has it
        return "\n\n".join("\n".join(part) for part in parts) + "\n"

    def _note(self) -> None:
        for key, table in self._configuration.to_document().get("sites", {}).items():
            if key not in self._routes.sites:
                continue
            site = self._routes.sites[key]
            if "error-log" in table:
                self._unsaid.add(path_text(("sites", key, "error-log")))
            if "access-log" in table:
                self._unsaid.add(path_text(("sites", key, "access-log")), "its lines are Caddy's JSON")
            if site.statics:
                self._unsaid.add(path_text(("sites", key, "static")), "Caddy follows links in the directory")
            if any(alias.startswith("*.") for alias in site.aliases):
                self._unsaid.add(path_text(("sites", key, "aliases")), "a * of Caddy stands for one label of a name")
        self._unsaid.add("socket-timeout", "Caddy waits that long for an answer to begin, and without end for its rest")
        note_trust(self._sites, "Caddy", self._unsaid)

    def _global(self) -> Iterator[str]:
        slowest = longest(self._sites.deadlines.values())
        yield "auto_https off"
        # any account of the machine could give orders at the usual one, a port of the loopback interface
        yield f"admin {_word(f'unix/{self._run_dir}/caddy/admin.sock')}"
        if slowest:
            yield f"grace_period {text_s(slowest.front_stop_s)}"
        yield "servers {"
        yield "\ttimeouts {"
        yield f"\t\tread_header {text_s(self._configuration.server.timeout)}"
        yield "\t}"
        if not self._configuration.gateway.http2:
            yield "\tprotocols h1"
        yield "}"

    def _group(self, name: str) -> Iterator[str]:
        address, deadlines = self._sites.addresses[name], self._sites.deadlines[name]
        size = self._sites.groups[name].header_buffer_size or 32768
        where = f"unix/{address.path}" if address.kind == "unix" else str(address)
        yield f"reverse_proxy {_word(where)} {{"
        if self._trusted:
            yield f"\ttrusted_proxies {' '.join(self._trusted)}"
        yield "\theader_up X-Request-Start t={time.now.unix_ms}"
        yield "\tflush_interval -1"
        yield f"\tlb_try_duration {text_s(deadlines.connect_s)}"
        yield "\tlb_try_interval 125ms"
        yield "\tlb_retry_match {"
        yield "\t\tmethod NEVER"  # no group is asked twice, and who could not be connected to is tried again anyway
        yield "\t}"
        yield "\ttransport http {"
        yield f"\t\tdial_timeout {text_s(deadlines.connect_s)}"
        yield f"\t\tresponse_header_timeout {text_s(deadlines.front_s)}"
        yield f"\t\tmax_response_header {size}"
        yield "\t\tkeepalive off"  # one connection a request: a kept one is tied to one process
        yield "\t\tcompression off"
        yield "\t}"
        yield "}"

    def _addresses(self, listener: ListenerRoute, name: str, names: list[str]) -> list[str]:
        address = parse(listener.address)
        if address.kind == "unix":
            raise WsgigroupsError(
                f"cannot render site {name!r}: Caddy is told of sites by ports, and {listener.address} has none",
                hint='listen = ["127.0.0.1:8080"]',
            )
        if listener.proxy_protocol:
            raise WsgigroupsError(
                f"cannot render site {name!r}: Caddy 2.6 does not read what proxy-protocol has peers say",
                hint="leave proxy-protocol out, or render nginx or haproxy",
            )
        scheme = "https" if listener.tls else "http"
        everybody = [""] if name == listener.sites[0] else []  # the first one answers for unknown names
        return [f"{scheme}://{host}:{address.port}" for host in (*names, *everybody)]

    def _site(self, name: str, listener: ListenerRoute) -> Iterator[str]:
        site, address = self._routes.sites[name], parse(listener.address)
        yield f"bind {address.host}"
        if listener.tls:
            yield from self._certificate(name, site, listener)
            if site.hsts_s:
                yield f"header Strict-Transport-Security max-age={site.hsts_s}"
        if site.access_log >= 0:
            yield from self._log(self._sites.routing.access_logs[site.access_log])
        yield from self._pages(name)
        yield "route {"
        if site.redirect_to_https and not listener.tls:
            port = https_port(name, self._routes)
            location = "https://{host}" + ("" if port == HTTPS_PORT else f":{port}") + "{uri}"
            yield "\t@read method GET HEAD"
            yield f"\tredir @read {location} 301"
            yield f"\tredir {location} 308"
        else:
            yield from (f"\t{line}" for line in self._answers(site))
        yield "}"

    def _certificate(self, name: str, site: SiteRoute, listener: ListenerRoute) -> Iterator[str]:
        if name not in self._sites.certificates:
            raise WsgigroupsError(
                f"cannot render site {name!r}: {listener.address} speaks TLS, and the site has no file for it",
                hint="name files that another program renews: certificate = and certificate-key =",
            )
        chain, key = self._sites.certificates[name]
        yield f"tls {_word(chain)} {_word(key)} {{"
        yield f"\tprotocols tls{site.tls_minimum}" + (" tls1.3" if site.tls_minimum != "1.3" else "")
        yield "}"

    def _log(self, path: str) -> Iterator[str]:
        if path == "/dev/log":
            raise WsgigroupsError(
                'cannot render access-log = "/dev/log": Caddy writes to files and streams',
                hint='access-log = "/dev/stdout"',
            )
        streams = {"/dev/stdout": "stdout", "/dev/stderr": "stderr"}
        yield "log {"
        yield f"\toutput {streams.get(path) or 'file ' + _word(path)}"
        yield "}"

    def _pages(self, name: str) -> Iterator[str]:
        pages = self._configuration.sites[name].error_pages
        if not pages:
            return
        yield "handle_errors {"
        for status, path in pages.items():
            directory, _slash, file = str(path).rpartition("/")
            yield f"\t@page-{status} expression `{{http.error.status_code}} == {status}`"
            yield f"\thandle @page-{status} {{"
            yield f"\t\trewrite * {_word('/' + file)}"
            yield "\t\tfile_server {"
            yield f"\t\t\troot {_word(directory or '/')}"
            yield "\t\t}"
            yield "\t}"
        yield "}"

    def _answers(self, site: SiteRoute) -> Iterator[str]:
        yield from self._forwarding()
        for number, (prefix, route) in enumerate(sorted(places_of(site).items(), key=lambda item: -len(item[0]))):
            matcher = ""
            if prefix:
                matcher = f"@place-{number} "
                yield f"{matcher}path_regexp {_word('^' + _expression(prefix) + '(/|$)')}"
            yield f"handle {matcher}{{"
            if isinstance(route, StaticRoute):
                yield from (f"\t{line}" for line in self._files(prefix, route))
            else:
                yield f"\timport group-{route.group}"
            yield "}"
        yield "error 404"

    def _forwarding(self) -> Iterator[str]:
        """Only a trusted proxy may say what a group believes of Caddy, which sets X-Forwarded-For and so on itself."""
        fields = [*FORWARDING, *(f"{name}*" for name in FORWARDING_PREFIXES)]
        matcher = ""
        if self._trusted:
            matcher = "@stranger "
            yield f"{matcher}not remote_ip {' '.join(self._trusted)}"
        yield from (f"request_header {matcher}-{name}" for name in fields)

    def _files(self, prefix: str, route: StaticRoute) -> Iterator[str]:
        if prefix:
            yield f"uri strip_prefix {_word(prefix)}"
        yield "file_server {"
        yield f"\troot {_word(self._sites.routing.directories[route.directory].path)}"
        yield "\thide .*"
        yield f"\tindex {_word(route.index or _NO_INDEX)}"
        yield "}"


def _expression(text: str) -> str:
    return re.sub(r"[\\.+*?()|\[\]^$]", r"\\\g<0>", text)


def _word(text: str) -> str:
    if _UNTELLABLE.search(text):
        raise WsgigroupsError(f"cannot render {text!r}: Caddy cannot be told control characters, backticks and braces")
    return text if _PLAIN.fullmatch(text) else f"`{text}`"
