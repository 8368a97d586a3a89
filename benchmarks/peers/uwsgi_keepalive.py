"""uWSGI with `http11-socket`: keep-alive, at the price that a connection keeps its thread as long as it lives."""

from __future__ import annotations

from benchmarks.peers.uwsgi import Uwsgi


class UwsgiKeepAlive(Uwsgi):
    """uWSGI's HTTP socket with keep-alive."""

    name = "uwsgi_keepalive"
    title = "uWSGI http11-socket"
    socket_option = "http11-socket"
    further_options: dict[str, object] = {}  # noqa: RUF012 — nobody changes it


PEER = UwsgiKeepAlive()
