"""Every case of HTTP that a gateway could have sent as a uwsgi packet: the same verdict, the same environ.

Differences are in a list, with reasons; docs/request-path.md prints the same list.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

import pytest
from support import corpus
from support.feeding import feed

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "request-path.md"
LINE = re.compile(rb"([^ \r\n]+) ([^ \r\n]*) ([^ \r\n]+)\r\n")
NAME = re.compile(rb"[A-Za-z0-9_-]+")

DIFFERENCES: dict[str, set[str]] = {
    "A name with an underscore cannot be told from one with a hyphen, and is taken.": {
        "underscore is dropped",
        "underscore does not merge",
    },
    "An empty CONTENT_LENGTH means that there is none: gateways send the variable always.": {"empty length"},
    "HTTP_TRANSFER_ENCODING is dropped whatever it says: a gateway has undone the coding, what follows the packet is "
    "CONTENT_LENGTH bytes.": {
        "coding and length",
        "coding in http 1.0",
        "empty coding",
        "identity",
        "length and coding",
        "other coding",
        "chunked last",
        "chunked last, in two fields",
        "chunked not last, in two fields",
        "nothing before chunked",
        "nothing behind chunked",
        "chunked not last",
        "chunked twice",
        "coding with a parameter",
        "quoted coding",
        "xchunked",
    },
}
# Of a trusted peer, beside these.
TRUSTED_DIFFERENCES: dict[str, set[str]] = {
    "A trusted gateway may have spoken another version with its client.": {
        "http 0.9",
        "http 2",
        "preface of http 2",
    },
    "A trusted gateway need not pass a Host on.": {"no host", "asterisk without host"},
    # Decided behind what is compared here.
    "X-Forwarded fields are not applied: a trusted gateway says REMOTE_ADDR, HTTPS and REQUEST_SCHEME.": set(),
}


def packet_of(data: bytes, trusted: bool) -> bytes | None:
    """Return what a gateway that checks nothing would make of a request; None: nothing, it must have refused it."""
    head, end, body = data.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    line = LINE.match(head + b"\r\n")
    if not end or line is None:
        return None
    method, target, version = (part.decode("latin-1") for part in line.groups())
    pairs = [("REQUEST_METHOD", method), ("REQUEST_URI", target), ("SERVER_PROTOCOL", version)]
    if trusted:  # a stranger's word on these is not taken
        path, _, query = re.sub("^https?://[^/?]*/?", "/", target).partition("?")
        pairs += [("PATH_INFO", unquote_to_bytes(path).decode("latin-1")), ("QUERY_STRING", query)]
    chunked = False
    for field in head[line.end() :].split(b"\r\n") if len(head) > line.end() else []:
        name, colon, value = field.partition(b":")
        if not colon or NAME.fullmatch(name) is None:
            return None
        key = name.decode().upper().replace("-", "_")
        chunked = chunked or key == "TRANSFER_ENCODING"
        key = key if key in ("CONTENT_LENGTH", "CONTENT_TYPE") else "HTTP_" + key
        pairs.append((key, value.decode("latin-1").strip(" \t")))
    if chunked:
        found = feed([data])
        if isinstance(found, dict):
            body = found["body"]
            pairs.append(("CONTENT_LENGTH", str(len(body))))
        elif b"chunked\r\n" in head.lower() + b"\r\n" and body:
            return None  # chunks that nobody can decode
    return corpus.uwsgi_packet(*pairs) + body if sum(len(a) + len(b) + 4 for a, b in pairs) < 65536 else None


def outcome(data: bytes, trusted: bool) -> Any:
    """Return the verdict without what follows a request."""
    found = feed([data], trusted)
    if isinstance(found, dict):
        del found["rest"]
    return found


HTTP = [(name, data) for name, data, _verdict in corpus.ACCEPTED + corpus.REFUSED]
TRANSLATED = [(name, data) for name, data in HTTP if packet_of(data, False) is not None]


@pytest.mark.parametrize("trusted", [False, True], ids=["stranger", "trusted"])
@pytest.mark.parametrize(("name", "data"), TRANSLATED, ids=[name for name, _data in TRANSLATED])
def test_uwsgi_is_like_http(name: str, data: bytes, trusted: bool) -> None:
    lists = [DIFFERENCES, TRUSTED_DIFFERENCES] if trusted else [DIFFERENCES]
    listed = any(name in names for differences in lists for names in differences.values())
    packet = packet_of(data, trusted)
    assert packet is not None
    http, uwsgi = outcome(data, trusted), outcome(packet, trusted)
    assert (http == uwsgi) == (not listed), (http, uwsgi)


def test_most_cases_have_been_translated() -> None:
    accepted = {name for name, _data, _verdict in corpus.ACCEPTED}
    translated = {name for name, _data in TRANSLATED}
    assert accepted - translated == {"dotted name is dropped"}
    assert len(translated - accepted) > 60


def test_the_documentation_has_the_same_list() -> None:
    section = DOCUMENT.read_text().partition("### Where uwsgi differs\n")[2].partition("\n#")[0]
    items = [" ".join(item.split()) for item in re.split(r"^- ", section, flags=re.MULTILINE)[1:]]
    assert items == [*DIFFERENCES, *TRUSTED_DIFFERENCES]
