"""Files for other programs, made of a configuration: a new form is one module and one line here. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.interop.renderers.alerts import alerts
from wsgigroups.interop.renderers.ansible import ansible_role
from wsgigroups.interop.renderers.ansible import covered as ansible_covered
from wsgigroups.interop.renderers.apache import apache_conf
from wsgigroups.interop.renderers.caddy import caddyfile
from wsgigroups.interop.renderers.containerfile import containerfile
from wsgigroups.interop.renderers.context import ManagerStart, RenderContext
from wsgigroups.interop.renderers.dashboard import dashboard
from wsgigroups.interop.renderers.haproxy import haproxy_cfg
from wsgigroups.interop.renderers.logrotate import logrotate
from wsgigroups.interop.renderers.nginx_conf import nginx_conf
from wsgigroups.interop.renderers.staleness import hiding
from wsgigroups.interop.renderers.systemd import service_unit
from wsgigroups.interop.renderers.systemd_socket import MARK as SOCKET_MARK
from wsgigroups.interop.renderers.systemd_socket import socket_units

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.config import Configuration

Rendering = Mapping[str, str]  # name of a file → its text; a name may have directories before it


@dataclass(frozen=True, slots=True)
class Renderer:
    """One form.

    file: the usual name of its one file; "": it has several, and `render` names them. mark: the line that each of
    several begins with, so that those which are no longer rendered are found. asks: the command whose output on
    both streams is RenderContext.program; () for none. pages: whether it needs what is in the files of error pages.
    covered: returns one of its texts without what may be a secret, for a difference that is shown.
    """

    summary: str
    file: str
    render: Callable[[Configuration, RenderContext], str | Rendering]
    asks: tuple[str, ...] = ()
    pages: bool = False
    covered: Callable[[str], str] = str
    mark: str = ""

    def files(self, configuration: Configuration, context: RenderContext) -> Rendering:
        """Return all files of the form. Raises WsgigroupsError for what the other program cannot be told."""
        found = self.render(configuration, context)
        return {self.file: found} if isinstance(found, str) else found


__all__ = ["RENDERERS", "ManagerStart", "RenderContext", "Renderer", "Rendering"]

RENDERERS: dict[str, Renderer] = {
    "nginx": Renderer("An nginx.conf that serves the sites.", "nginx.conf", nginx_conf, ("nginx", "-V"), pages=True),
    "apache": Renderer(
        "A configuration of Apache with mod_wsgi that serves the sites.",
        "wsgigroups.conf",
        apache_conf,
        covered=hiding(("SetEnv",)),
    ),
    "haproxy": Renderer("A haproxy.cfg that asks the groups.", "haproxy.cfg", haproxy_cfg),
    "caddy": Renderer("A Caddyfile that asks the groups.", "Caddyfile", caddyfile),
    "systemd": Renderer("A unit for the manager.", "wsgigroups.service", service_unit),
    "systemd-socket": Renderer("Socket units for all addresses.", "", socket_units, mark=SOCKET_MARK),
    "logrotate": Renderer("Rotation of the logs.", "wsgigroups", logrotate),
    "containerfile": Renderer("An image with the groups.", "Containerfile", containerfile),
    "ansible": Renderer(
        "A role and a playbook that roll a release out to machines.", "", ansible_role, covered=ansible_covered
    ),
    "alerts": Renderer("Rules for Prometheus.", "wsgigroups-alerts.yml", alerts),
    "dashboard": Renderer("A dashboard for Grafana.", "wsgigroups-dashboard.json", dashboard),
}
