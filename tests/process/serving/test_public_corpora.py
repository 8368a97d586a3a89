"""Other projects' collections of good and bad requests: at least as strict as they are, on TCP and UNIX sockets.

Every difference is in a list below, with its reason. What a corpus refuses may never be answered by the application.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from support import corpora, corpus
from support.feeding import converse, reaching, splittings
from support.peers import LAXER, PEERS, as_others_would_have_it
from support.serving_processes import answer, processes

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "request-path.md"

# Refused there, served here.
OWN_LIMITS = {  # refused because the case comes with a smaller limit of its own than the one that is in force here
    "006": "a request line of more than 4094 bytes: ours may have 8190",
    "008": "more fields than the two its settings allow",
    "011": "a field longer than its settings allow",
    "012": "a field longer than its settings allow",
    "limit_header_default_01": "a field of exactly 8190 bytes, which is the limit here, too, and not beyond it",
    "040": "names with underscores: dropped here, as nginx and Apache do",
}


def runs(data: bytes) -> int:
    """Return how many times an application said 200 in these bytes."""
    return data.count(b"HTTP/1.1 200 OK\r\n") - data.count(b"\r\n\r\nOK\n")


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_what_gunicorn_refuses_is_refused(unix: bool) -> None:
    served = {}
    cases = corpora.gunicorn("invalid")
    assert len(cases) > 70
    with processes("reporting_app:application", unix=unix) as servers:
        for name, data in cases:
            for pieces in ([data], [data[:1], data[1:]], data.splitlines(keepends=True)):
                found = answer(servers, pieces)
                if runs(found) and name not in OWN_LIMITS:
                    served[name] = (data[:200], found[:100])
        assert "Traceback" not in servers.logged()
    assert served == {}


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_what_gunicorn_takes_is_taken_or_refused_for_a_reason(unix: bool) -> None:
    unexplained: dict[str, Any] = {}
    cases = corpora.gunicorn("valid")
    assert len(cases) > 50
    with processes("reporting_app:application", unix=unix) as servers:
        for name, data in cases:
            found = answer(servers, [data])
            if not runs(found) and reason(data) is None:
                unexplained[name] = (data[:200], found[:100])
        assert "Traceback" not in servers.logged()
    assert unexplained == {}


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_what_llhttp_refuses_is_refused(unix: bool) -> None:
    served = {}
    cases = corpora.llhttp()
    assert len(cases) > 100
    assert sum(completed == 0 for _name, _data, completed in cases) > 40
    with processes("reporting_app:application", unix=unix) as servers:
        for name, data, completed in cases:
            found = answer(servers, [data])
            same, laxer = as_others_would_have_it(data)
            if runs(found) > (PEERS["llhttp"](same) if laxer else completed):
                served[name] = (data[:300], found[:100])
        assert "Traceback" not in servers.logged()
    assert served == {}


def test_splittings_of_both_corpora() -> None:
    cases = [data for kind in ("valid", "invalid") for _name, data in corpora.gunicorn(kind)]
    cases += [data for _name, data, _completed in corpora.llhttp()]
    for data in cases:
        whole = converse([data])
        for pieces in splittings(data):
            assert converse(pieces) == whole, data


def test_at_least_as_strict_as_the_strictest() -> None:
    """Of four parsers, in each case: no request reaches an application here that one of them refuses."""
    cases = [(f"gunicorn {name}", data) for kind in ("valid", "invalid") for name, data in corpora.gunicorn(kind)]
    cases += [(f"llhttp {name}", data) for name, data, _completed in corpora.llhttp()]
    cases += [(name, data) for name, data, _verdict in corpus.ACCEPTED + corpus.REFUSED]
    laxer, needed, refused = {}, set(), dict.fromkeys(PEERS, 0)
    for name, data in cases:
        counts = {peer: count(data) for peer, count in PEERS.items()}
        ours = reaching(data)
        for peer, count in counts.items():
            refused[peer] += not count
        if ours > min(counts.values()):
            same, reasons = as_others_would_have_it(data)
            needed.update(reasons)
            counts = {peer: count(same) for peer, count in PEERS.items()}
            if ours > min(counts.values()):
                laxer[name] = (ours, counts, data[:200])
    assert min(refused.values()) > 100, refused  # each of them does refuse
    assert laxer == {}
    assert needed == set(LAXER)


def test_the_documentation_says_where_others_are_stricter() -> None:
    section = DOCUMENT.read_text().partition("### Where others are stricter\n")[2].partition("\n#")[0]
    items = [" ".join(item.split()) for item in re.split(r"^- ", section, flags=re.MULTILINE)[1:]]
    assert items == list(LAXER)


def reason(data: bytes) -> str | None:
    """Return why a request that others take is refused here, None if there is no reason known."""
    head, _, _body = data.lstrip(b"\r\n").partition(b"\r\n\r\n")
    line, _, fields = head.partition(b"\r\n")
    lower = b"\r\n" + fields.lower()
    target = line.split(b" ")[1] if line.count(b" ") else b""
    reasons = {
        "HTTP/1.1 without Host": line.endswith(b"HTTP/1.1") and b"\r\nhost:" not in lower,
        "a preamble of the PROXY protocol": line.startswith(b"PROXY ") or b"QUIT" in data[:40],
        "a fragment in the target": b"#" in target,
        "userinfo in the target": b"@" in target,
        "CONNECT": line.startswith(b"CONNECT "),
        "OPTIONS * is answered by the server": target == b"*",
        "a transfer coding besides chunked": b"transfer-encoding: gzip" in lower or b"identity" in lower,
        "space before the colon": b" :" in lower,
        "a folded field": b"\r\n " in b"\r\n" + fields,
        "a line above 8190 bytes": max(map(len, head.split(b"\r\n"))) > 8190,
        "more than 100 fields": head.count(b"\r\n") > 100,
        "a body that is not all there": data.startswith(b"POST /test-form"),
    }
    return next((text for text, holds in reasons.items() if holds), None)
