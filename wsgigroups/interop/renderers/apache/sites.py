"""A site as virtual hosts. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any

from wsgigroups.config.addresses import parse as parse_address
from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.renderers.apache.groups import host_lines, script_of
from wsgigroups.interop.renderers.apache.writing import WrittenOptions, line, option, section, word

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wsgigroups.interop.renderers.unsaid import Unsaid

_EVERYWHERE = ("0.0.0.0", "::")  # noqa: S104  (as addresses are written, nothing is bound)
_ANY = "*"
_GLOBAL = "application-group=%{GLOBAL}"
_HTTP, _HTTPS = 80, 443


def virtual_hosts(
    key: str, site: WrittenOptions, groups: Mapping[str, WrittenOptions], daemons: Iterable[str], unsaid: Unsaid
) -> list[str]:
    """Return the lines of a site: one virtual host for its addresses with TLS, one for those without.

    daemons: lines of groups that belong into it.
    """
    name = str(site.take("server-name", key))
    addresses = [str(text) for text in site.take("listen", [])]
    certificate, certificate_key = site.take("certificate"), site.take("certificate-key")
    if certificate == "acme":
        raise WsgigroupsError(
            f"cannot render site {key!r}: its certificate is made by the manager",
            hint="name files that another program renews: certificate = and certificate-key =",
        )
    ports = {text: parse_address(text).port for text in addresses}
    plain = [text for text in addresses if certificate is None or ports[text] == _HTTP]
    secure = [text for text in addresses if text not in plain]
    redirecting = bool(site.take("redirect-to-https"))
    own = _common(name, site, groups, unsaid)
    tls = _tls(site, certificate, certificate_key)
    inside = list(daemons)
    lines: list[str] = []
    if secure:
        lines += _host(secure, [*_names(name, site), *tls, *inside, *own])
        inside = []
    if plain:
        away = [line("Redirect", "permanent", "/", f"https://{name}/")] if redirecting else []
        lines += _host(plain, [*_names(name, site), *away, *inside, *own])
    if site.take("http-redirect"):
        lines += _redirections(name, site, [text for text in addresses if ports[text] == _HTTPS])
    site.take("aliases")
    return lines


def _host(addresses: Iterable[str], inside: list[str]) -> list[str]:
    return section("VirtualHost", " ".join(_address(text) for text in addresses), inside)


def _address(text: str) -> str:
    """An address of a virtual host: for all of the machine's there is a star, for Apache compares them one by one."""
    found = parse_address(text)
    host = found.host or ""
    if host in _EVERYWHERE:
        return f"{_ANY}:{found.port}"
    return f"[{host}]:{found.port}" if ":" in host else f"{host}:{found.port}"


def _names(name: str, site: WrittenOptions) -> list[str]:
    aliases = site.written.get("aliases") or []
    return [line("ServerName", name), *([line("ServerAlias", *aliases)] if aliases else [])]


def _redirections(name: str, site: WrittenOptions, addresses: list[str]) -> list[str]:
    """The virtual host of http-redirect: on port 80, wherever the site has port 443."""
    inside = [*_names(name, site), line("Redirect", "permanent", "/", f"https://{name}/")]
    return _host([f"{text.rpartition(':')[0]}:{_HTTP}" for text in addresses], inside) if addresses else []


def _tls(site: WrittenOptions, certificate: Any, key: Any) -> list[str]:
    if certificate is None:
        return []
    newest = site.take("tls-minimum", "1.2") == "1.3"
    lines = [
        "SSLEngine on",
        line("SSLCertificateFile", certificate),
        line("SSLCertificateKeyFile", key or certificate),
        "SSLProtocol -all +TLSv1.3" if newest else "SSLProtocol -all +TLSv1.2 +TLSv1.3",
    ]
    hsts = site.take("hsts")
    if hsts:
        lines.append(line("Header", "always", "set", "Strict-Transport-Security", f"max-age={int(hsts)}"))
    return lines


def _common(name: str, site: WrittenOptions, groups: Mapping[str, WrittenOptions], unsaid: Unsaid) -> list[str]:
    """What both virtual hosts of a site say."""
    logs = _logs(site, unsaid)
    static = [dict(item) for item in site.take("static", [])]
    files, directories = _static(site, static)
    mounts = longest_first(site.take("mounts", []))
    named = site.take("process-group")
    pages = _error_pages(site, static, unsaid)
    applications = []
    behind: dict[str, WrittenOptions] = {}
    for mount in mounts:
        group = str(mount.get("process-group") or named or "")
        if group not in groups:
            continue
        behind[group] = groups[group]
        script, words = _mount(f"mount {mount['path']} of site {name!r}", mount, group, groups[group])
        applications.append(words)
        if posixpath.dirname(script) not in directories:
            directories.append(posixpath.dirname(script))
    own = host_lines(list(behind.values()), unsaid) if behind else []
    passed = ["WSGIPassAuthorization On"] if applications else []
    allowed = [text for path in directories for text in section("Directory", word(path), ["Require all granted"])]
    return [*logs, *own, *files, *applications, *passed, *pages, *allowed]


def longest_first(mounts: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Mounts in the order in which Apache has to find them: it takes the first that fits."""
    return sorted(mounts, key=lambda mount: -len(str(mount["path"])))


def _mount(place: str, mount: Mapping[str, Any], group: str, options: WrittenOptions) -> tuple[str, str]:
    own = mount if "script" in mount or "app" in mount else {**options.written, **mount}
    script, name = script_of(place, own, options.written)
    words = [line("WSGIScriptAlias", mount["path"], script), option("process-group", group), _GLOBAL]
    if name != "application":
        words.append(option("callable-object", name))
    return script, " ".join(words)


def _logs(site: WrittenOptions, unsaid: Unsaid) -> list[str]:
    lines = []
    errors, requests = site.take("error-log"), site.take("access-log")
    if errors is not None:
        lines.append(line("ErrorLog", "syslog" if errors == "/dev/log" else errors))
    if site.table.get("access-log-format") == "combined":
        site.take("access-log-format")
    if requests == "/dev/log":
        unsaid.add(f"{site.place}.access-log", "Apache writes requests to files and programs")
    elif requests is not None:
        lines.append(line("CustomLog", requests, "combined"))
    return lines


def _static(site: WrittenOptions, static: list[dict[str, Any]]) -> tuple[list[str], list[str]]:
    """Lines for static directories, and the directories that have to be opened."""
    lines = [
        line("DocumentRoot", item["directory"])
        if item["path"] == "/"
        else line("Alias", item["path"], item["directory"])
        for item in static
    ]
    index = site.take("index")
    if index is not None:
        lines.append(line("DirectoryIndex", index))
    return lines, list(dict.fromkeys(str(item["directory"]) for item in static))


def _error_pages(site: WrittenOptions, static: list[dict[str, Any]], unsaid: Unsaid) -> list[str]:
    """Pages are URLs in Apache: those of files below a static directory."""
    lines = []
    for status, page in (site.take("error-pages") or {}).items():
        for item in static:
            start = str(item["directory"]).rstrip("/") + "/"
            if str(page).startswith(start):
                url = posixpath.join(str(item["path"]), str(page)[len(start) :])
                lines.append(line("ErrorDocument", status, url))
                break
        else:
            unsaid.add(
                f"{site.place}.error-pages.{status}", "its file is below no static directory, and Apache names URLs"
            )
    return lines
