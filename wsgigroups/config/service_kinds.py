"""What services outside are named by that the manager tells of what runs: the kinds of these values. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from wsgigroups.config.kinds import Kind, read_address, refuse, shown, text_of


def read_datagram_socket(value: Any) -> str:
    """The path of a UNIX socket, as `unix:/path`."""
    address = read_address(value)
    if not address.startswith("unix:"):
        raise refuse("WG0306", f"{shown(value)} is no UNIX socket", '"unix:/run/mod_wsgi-telemetry.sock"')
    return address


DatagramSocket = Annotated[str, BeforeValidator(read_datagram_socket), Kind("datagram-socket")]


def read_udp_address(value: Any) -> str:
    """HOST:PORT, by number."""
    address = read_address(value)
    if address.startswith("unix:"):
        raise refuse("WG0306", f"{shown(value)} is a UNIX socket", '"127.0.0.1:8125"')
    return address


def read_service_url(value: Any) -> str:
    """A URL with http or https."""
    url = text_of(value, "a URL")
    if not re.fullmatch(r"https?://[^/\s@]+/\S*", url):
        raise refuse("WG0323", f"{shown(url)} is no URL with http or https", "http://127.0.0.1:4318/v1/metrics")
    return url


UdpAddress = Annotated[str, BeforeValidator(read_udp_address), Kind("udp-address")]
ServiceUrl = Annotated[str, BeforeValidator(read_service_url), Kind("service-url")]
