"""Files for other programs, made of a configuration: a new form is one module and one line here. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from wsgigroups.interop.renderers.alerts import alerts
from wsgigroups.interop.renderers.ansible import ansible_role
from wsgigroups.interop.renderers.apache import apache_conf
from wsgigroups.interop.renderers.context import RenderContext
from wsgigroups.interop.renderers.dashboard import dashboard
from wsgigroups.interop.renderers.nginx_conf import nginx_conf

if TYPE_CHECKING:
    from collections.abc import Callable

    from wsgigroups.config import Configuration


Rendering = Mapping[str, str]  # name of a file → its text; a name may have directories before it


@dataclass(frozen=True, slots=True)
class Renderer:
    """One form. asks: the command whose output on both streams is RenderContext.program; () for none.

    pages: whether it needs what is in the files of error pages.
    """

    summary: str
    asks: tuple[str, ...]
    render: Callable[[Configuration, RenderContext], str | Rendering]
    pages: bool = False


__all__ = ["RENDERERS", "RenderContext", "Renderer"]

RENDERERS: dict[str, Renderer] = {
    "nginx": Renderer("An nginx.conf that serves the sites.", ("nginx", "-V"), nginx_conf, pages=True),
    "apache": Renderer("A configuration of Apache with mod_wsgi that serves the sites.", (), apache_conf),
    "ansible": Renderer("A role and a playbook that roll a release out to machines.", (), ansible_role),
    "alerts": Renderer("Rules for Prometheus.", (), alerts),
    "dashboard": Renderer("A dashboard for Grafana.", (), dashboard),
}
