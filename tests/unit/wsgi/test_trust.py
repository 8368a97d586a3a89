"""Who is believed about the client, at real sockets, in both protocols, and while the list of proxies changes."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest
import reporting_app
from support import corpus
from support.serving import Running, serving

from wsgigroups.runtime.protocol.names import FORWARDING

CLAIMS = (
    b"X-Forwarded-For: 6.6.6.6, 1.2.3.4, 127.0.0.9\r\nX-Forwarded-Proto: http, https\r\n"
    b"X-Forwarded-Host: evil.example, real.example:8443\r\nX-Real-IP: 6.6.6.6\r\n"
)
CLAIMED = {"REMOTE_ADDR": "1.2.3.4", "REMOTE_PORT": "0", "HTTP_HOST": "real.example:8443"}


def ask(running: Running, fields: bytes = CLAIMS) -> dict[str, Any]:
    """Return the environ of a request over HTTP."""
    answer = running.exchange(b"GET / HTTP/1.1\r\nHost: a.example\r\nConnection: close\r\n" + fields + b"\r\n")
    assert answer.startswith(b"HTTP/1.1 200 "), answer
    return dict(json.loads(answer.partition(b"\r\n\r\n")[2]))


def application(environ: Any, start_response: Any) -> Any:
    """Report the environ, its scheme too."""
    environ["scheme"] = environ["wsgi.url_scheme"]
    return reporting_app.application(environ, start_response)


@pytest.mark.parametrize(("uids", "believed"), [((os.geteuid(),), True), ((os.geteuid() + 1,), False), ((), True)])
def test_a_peer_on_a_unix_socket_is_believed_as_the_user_it_is(uids: tuple[int, ...], believed: bool) -> None:
    with serving(application, unix=True, trusted_proxies=["unix", "127.0.0.9"], trusted_uids=uids) as running:
        assert ask(running)["REMOTE_ADDR"] == ("1.2.3.4" if believed else "")


@pytest.mark.parametrize(
    ("unix", "proxies", "trusted"),
    [
        (False, ["127.0.0.0/8"], True),
        (False, ["10.0.0.0/8", "127.0.0.1", "127.0.0.9"], True),
        (False, ["10.0.0.0/8", "::1"], False),
        (False, ["unix"], False),
        (False, [], False),
        (True, ["unix", "127.0.0.9"], True),
        (True, ["127.0.0.0/8"], False),
        (True, [], False),
    ],
)
def test_fields_of_a_proxy(unix: bool, proxies: list[str], trusted: bool) -> None:
    with serving(application, unix=unix, trusted_proxies=proxies) as running:
        found = ask(running)
    if trusted:
        assert {key: found[key] for key in CLAIMED} == CLAIMED
        assert found["scheme"] == "https"
        assert found["HTTP_X_REAL_IP"] == "6.6.6.6"
        if unix:
            assert (found["SERVER_NAME"], found["SERVER_PORT"]) == ("real.example", "8443")
    else:
        assert found["REMOTE_ADDR"] == ("" if unix else "127.0.0.1")
        assert (found["HTTP_HOST"], found["scheme"]) == ("a.example", "http")
        assert not any(key.startswith("HTTP_X_") for key in found)


def spellings(key: str) -> list[bytes]:
    """Return ways to write the name of a field that gives this key, or could be taken for it."""
    name = key.removeprefix("HTTP_").replace("_", "-").title().encode()
    return [name, name.lower(), name.swapcase(), name.replace(b"-", b"_"), name.replace(b"-", b"_", 1), b"X_" + name]


@pytest.mark.parametrize(
    "key", [*sorted(FORWARDING), "HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_ANYTHING", "HTTP_PROXY"]
)
def test_nothing_of_it_arrives_from_a_stranger(key: str) -> None:
    fields = b"".join(b"%b: 6.6.6.6\r\n" % name for name in spellings(key))
    named = b"Connection: close, " + b", ".join(spellings(key)) + b"\r\n"
    with serving(application, trusted_proxies=["10.0.0.0/8"]) as running:
        for claims in (fields, fields + fields, fields + named):
            found = ask(running, claims)
            assert not [name for name, value in found.items() if "6.6.6.6" in str(value)]
            assert found["REMOTE_ADDR"] == "127.0.0.1"


@pytest.mark.parametrize("trusted", [False, True])
def test_variables_of_a_gateway(trusted: bool) -> None:
    claims = {
        "REMOTE_ADDR": "1.2.3.4",
        "REMOTE_USER": "joe",
        "HTTPS": "on",
        "SERVER_NAME": "real.example",
        "SSL_CLIENT_VERIFY": "SUCCESS",
        "HTTP_X_FORWARDED_FOR": "6.6.6.6",
        "HTTP_X_FORWARDED_PROTO": "http",
    }
    with serving(application, trusted_proxies=["127.0.0.1"] if trusted else []) as running:
        found = json.loads(running.exchange(corpus.uwsgi(*claims.items())).partition(b"\r\n\r\n")[2])
    if trusted:
        assert (found["REMOTE_ADDR"], found["REMOTE_USER"], found["scheme"]) == ("1.2.3.4", "joe", "https")
        assert (found["SERVER_NAME"], found["SSL_CLIENT_VERIFY"]) == ("real.example", "SUCCESS")
    else:
        assert (found["REMOTE_ADDR"], found["scheme"]) == ("127.0.0.1", "http")
        assert not claims.keys() & found.keys() - {"REMOTE_ADDR", "SERVER_NAME"}
        assert found["SERVER_NAME"] == "127.0.0.1"


@pytest.mark.parametrize("trusted", [False, True])
@pytest.mark.parametrize("name", ["X-Request-Start", "X-Queue-Start", "uwsgi"])
def test_the_time_in_a_gateways_queue_counts(name: str, trusted: bool) -> None:
    with serving(application, trusted_proxies=["127.0.0.1"] if trusted else [], queue_timeout_s=60.0) as running:
        for waited_s, status in ((10, b"200"), (100, b"504" if trusted else b"200")):
            start = f"t={time.time() - waited_s:.3f}"
            if name == "uwsgi":
                request = corpus.uwsgi(("WSGIGROUPS_QUEUE_START", start))
            else:
                request = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n%b: %b\r\n\r\n" % (
                    name.encode(),
                    start.encode(),
                )
            assert running.exchange(request)[9:12] == status
        running.wait_word("queue_timeouts", 1 if trusted else 0)
        running.wait_word("requests_total", 1 if trusted else 2)


def test_the_list_changes_while_it_runs() -> None:
    with serving(application, trusted_proxies=[]) as running:
        for proxies, address in (
            (["127.0.0.1", "127.0.0.9"], "1.2.3.4"),
            (["127.0.0.0/8", "1.2.3.4"], "6.6.6.6"),
            (["unix"], "127.0.0.1"),
            ([], "127.0.0.1"),
        ):
            running.server.tune({"trusted_proxies": proxies})
            for _ in range(4):  # what is remembered of a head from a trusted peer is not for a stranger's
                found = ask(running)
                assert found["REMOTE_ADDR"] == address
                assert ("HTTP_X_REAL_IP" in found) is ("127.0.0" in str(proxies))
