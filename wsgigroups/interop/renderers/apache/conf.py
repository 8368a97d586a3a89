"""A configuration as a file that Apache's own configuration includes. Pure.

Each group is a WSGIDaemonProcess, each site one or two virtual hosts. Modules, Listen for ports 80 and 443, and what
else the server itself is told are not in it: they are in the configuration that includes it.
"""

from __future__ import annotations

import ipaddress
import math
from typing import TYPE_CHECKING, Any

from wsgigroups.config.addresses import parse as parse_address
from wsgigroups.config.diagnostics import path_text
from wsgigroups.interop.renderers.apache.groups import daemon_process
from wsgigroups.interop.renderers.apache.sites import longest_first, virtual_hosts
from wsgigroups.interop.renderers.apache.writing import WrittenOptions, line
from wsgigroups.interop.renderers.unsaid import Unsaid

if TYPE_CHECKING:
    from collections.abc import Container

    from wsgigroups.config import Configuration
    from wsgigroups.interop.renderers.context import RenderContext

_HEAD = (
    "# Made by `wsgigroups render apache`: Apache with mod_wsgi serves what wsgigroups served.",
    "# It is included by the server's own configuration, which loads the modules and listens on ports 80 and 443.",
)
_UNSAID = "Not said here, since mod_wsgi or Apache has nothing like it, or has it elsewhere:"
_COMBINED = '"%h %l %u %t \\"%r\\" %>s %b \\"%{Referer}i\\" \\"%{User-Agent}i\\"" combined'
_USUAL_PORTS = (80, 443)
_FIELDS = ("X-Forwarded-For", "X-Forwarded-Proto", "X-Forwarded-Host")  # what the gateway believes of trusted proxies
_OF_HOSTS = (
    "limit-request-line", "limit-request-field-size", "limit-request-fields", "limit-request-body", "chunked-bodies",
    "script-reloading", "environment", "app", "script", "callable-object", "load", "kubernetes",
)  # fmt: skip


def apache_conf(configuration: Configuration, context: RenderContext) -> str:  # noqa: ARG001
    """Return the text. Raises WsgigroupsError for what Apache cannot be told."""
    return _Conf(configuration.to_document()).text()


class _Conf:
    def __init__(self, document: dict[str, Any]) -> None:
        self._unsaid = Unsaid()
        self._sites = {
            key: WrittenOptions(path_text(("sites", key)), table) for key, table in document.get("sites", {}).items()
        }
        self._groups: dict[str, WrittenOptions] = {}
        for name, table in document.get("groups", {}).items():
            self._groups[name] = WrittenOptions(path_text(("groups", name)), table)
        for key, site in self._sites.items():
            for name, table in site.take("groups", {}).items():
                self._groups[name] = WrittenOptions(path_text(("sites", key, "groups", name)), table)
        self._server = WrittenOptions("server", document.get("server", {}))
        self._gateway = WrittenOptions("gateway", document.get("gateway", {}))

    def text(self) -> str:
        users = self._users()
        lines = self._of_server(users)
        if any(site.written.get("access-log") for site in self._sites.values()):
            lines.append(f"LogFormat {_COMBINED}")
        lines += self._listen()
        inside: dict[str, list[str]] = {key: [] for key in self._sites}
        shared: list[str] = []
        for name, keys in users.items():
            home = self._home(self._groups[name], keys)
            daemon = daemon_process(name, self._groups[name], self._unsaid)
            (inside[home] if home else shared).append(daemon)
        lines += [*shared, ""] if shared else [""]
        for key, site in self._sites.items():
            lines += [*virtual_hosts(key, site, self._groups, inside[key], self._unsaid), ""]
        self._note_rest(users)
        return "\n".join([*_HEAD, *self._unsaid.comment(_UNSAID), "", *lines]).strip() + "\n"

    def _users(self) -> dict[str, list[str]]:
        """Group → the sites whose mounts lead to it, in the order in which the file has them; others are not in it."""
        users: dict[str, list[str]] = {}
        for key, site in self._sites.items():
            for mount in longest_first(site.written.get("mounts", [])):
                name = mount.get("process-group") or site.written.get("process-group")
                if name in self._groups and key not in users.setdefault(name, []):
                    users[name].append(key)
        return users

    def _home(self, group: WrittenOptions, users: list[str]) -> str:
        """The site whose virtual host has the line of a group: then it has its error log. "": outside of them."""
        log = group.written.get("error-log")
        if log is None:
            return ""
        names = {self._sites[key].written.get("server-name", key) for key in users}
        for key in users:
            if self._sites[key].written.get("error-log") == log and len(names) == 1:
                group.take("error-log")
                return key
        return ""

    def _of_server(self, users: Container[str]) -> list[str]:
        """What the main server says. users: the groups that some site leads to."""
        lines = []
        for option, name in (("user", "User"), ("group", "Group"), ("error-log", "ErrorLog")):
            value = self._server.take(option)
            if value is not None:
                lines.append(line(name, "syslog" if value == "/dev/log" else value))
        timeout = self._server.take("timeout")
        if timeout is not None:
            lines.append(line("Timeout", math.ceil(timeout)))
        proxies = [text for text in self._gateway.take("trusted-proxies", []) if _is_network(text)]
        if proxies:
            lines += [line("WSGITrustedProxies", *proxies), line("WSGITrustedProxyHeaders", *_FIELDS)]
        signals = {name: group.take("signals", "ignore") for name, group in self._groups.items() if name in users}
        if "allow" in signals.values():
            lines.append("WSGIRestrictSignal Off")
            for name, value in signals.items():
                if value != "allow":
                    self._unsaid.add(f"{self._groups[name].place}.signals", "Apache has one value for all groups")
        return lines

    def _listen(self) -> list[str]:
        addresses = [text for site in self._sites.values() for text in site.written.get("listen", [])]
        others = [text for text in dict.fromkeys(addresses) if parse_address(text).port not in _USUAL_PORTS]
        return [line("Listen", text) for text in others]

    def _note_rest(self, users: dict[str, list[str]]) -> None:
        for name, group in self._groups.items():
            if name not in users:
                self._unsaid.add(group.place, "no site leads to it")
                continue
            for option in _OF_HOSTS:
                group.take(option)
            for place in group.rest():
                self._unsaid.add(place)
        for options in (self._server, self._gateway, *self._sites.values()):
            for place in options.rest():
                self._unsaid.add(place)


def _is_network(text: object) -> bool:
    try:
        ipaddress.ip_network(str(text), strict=False)
    except ValueError:
        return False
    return True
