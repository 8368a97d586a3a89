"""Fields of clients that a gateway passes on as they came, behind a mark: nothing only gateways may say is believed."""

from __future__ import annotations

import pytest

from wsgigroups.runtime.gateway.packets import packet
from wsgigroups.runtime.protocol import uwsgi
from wsgigroups.runtime.protocol.limits import DEFAULT

REQUEST = [("REQUEST_METHOD", "GET"), ("REQUEST_URI", "/"), ("SERVER_PROTOCOL", "HTTP/1.1")]
BEFORE = [("HTTP_X_FORWARDED_FOR", "192.0.2.1"), ("HTTP_X_REQUEST_ID", "built")]
MARK = [("WSGIGROUPS_CLIENT_FIELDS", "client")]
BEHIND = [
    ("HTTP_HOST", "a"),
    ("HTTP_X_SSL_CLIENT_VERIFY", "forged"),
    ("HTTP_X_MINE", "1"),
    ("HTTP_FORWARDED", "forged"),
]


@pytest.mark.parametrize(
    ("mark", "trusted", "names"),
    [
        (MARK, True, {"X_FORWARDED_FOR", "X_REQUEST_ID", "HOST", "X_MINE"}),
        ([], True, {"X_FORWARDED_FOR", "X_REQUEST_ID", "HOST", "X_MINE", "X_SSL_CLIENT_VERIFY", "FORWARDED"}),
        (MARK, False, {"X_REQUEST_ID", "HOST", "X_MINE"}),
        ([], False, {"X_REQUEST_ID", "HOST", "X_MINE"}),
    ],
)
def test_what_comes_behind_the_mark(mark: list[tuple[str, str]], trusted: bool, names: set[str]) -> None:
    data = packet([*REQUEST, *BEFORE, *mark, *BEHIND])
    environ = uwsgi.parse(data, {}, trusted=trusted, limits=DEFAULT).environ
    assert {name[5:] for name in environ if name.startswith("HTTP_")} == names
    assert "WSGIGROUPS_CLIENT_FIELDS" not in environ
