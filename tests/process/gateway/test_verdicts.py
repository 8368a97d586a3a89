"""One verdict for each request, with a gateway in front of a daemon and without: the same reader has it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from support.gateway import gateway, routes_to
from support.serving import serving
from support.verdicts import CASES, statuses

from wsgigroups.runtime.wire.routes import Link

NEARLY_A_PACKET = 60_000  # bytes of a head that may not have room in a packet of 65,535 with what is added: 431
# Of the connection, of what a gateway says, and of framing, which it may undo.
OWN = re.compile(
    r"HTTP_(X_FORWARDED_.*|X_REQUEST_ID|CONNECTION|KEEP_ALIVE|PROXY_.*|TE|TRAILER|TRANSFER_ENCODING|UPGRADE|EXPECT)"
)
ASKED = ("REQUEST_METHOD", "REQUEST_URI", "PATH_INFO", "SCRIPT_NAME", "QUERY_STRING", "SERVER_PROTOCOL", "CONTENT_TYPE")


class Witness:
    """An application that remembers what it was asked."""

    def __init__(self) -> None:
        self.seen: list[Any] = []

    def __call__(self, environ: Any, start_response: Any) -> list[bytes]:
        named = {field.strip().upper().replace("-", "_") for field in environ.get("HTTP_CONNECTION", "").split(",")}
        fields = {
            key: value
            for key, value in environ.items()
            if key in ASKED or (key.startswith("HTTP_") and not OWN.fullmatch(key) and key[5:] not in named - {"HOST"})
        }
        try:
            self.seen.append((fields, environ["wsgi.input"].read()))
        except OSError as error:
            self.seen.append((fields, type(error)))
        start_response("200 OK", [("Content-Length", "2")])
        return [b"OK"]


def outcomes(exchange: Callable[[bytes], bytes], witness: Witness) -> list[Any]:
    """Return for each case the statuses, and what the application was asked."""
    found: list[Any] = []
    for _name, data in CASES:
        answer = exchange(data)
        found.append((statuses(answer), witness.seen))
        witness.seen = []
    return found


def test_a_gateway_and_a_daemon_have_the_verdicts_of_a_daemon_alone() -> None:
    assert len(CASES) > 400
    witness = Witness()
    with serving(witness) as daemon:
        alone = outcomes(daemon.exchange, witness)
    with (
        serving(witness, unix=True, trusted_proxies=("unix",)) as linked,
        gateway(routes_to(Link(linked.address))) as front,
    ):
        behind = outcomes(front.exchange, witness)
    different = {
        name: (data[:300], expected, found)
        for (name, data), expected, found in zip(CASES, alone, behind, strict=True)
        if expected != found and not (len(data) > NEARLY_A_PACKET and found == ([b"431"], []))
    }
    assert different == {}
