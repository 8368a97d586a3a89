"""PROXY headers: what a proxy writes is read, in whatever pieces; anything else is refused."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime.gateway import proxy_header
from wsgigroups.runtime.gateway.proxy_header import MOST_BYTES, ProxyHeader, read

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
PORTS = st.integers(0, 65535)
V4, V6 = st.ip_addresses(v=4), st.ip_addresses(v=6)
REQUEST = b"GET / HTTP/1.1\r\n"


def v2(first: int, family: int, rest: bytes) -> bytes:
    return SIGNATURE + bytes((first, family)) + struct.pack("!H", len(rest)) + rest


def packed(source: ipaddress._BaseAddress, destination: ipaddress._BaseAddress, ports: tuple[int, int]) -> bytes:
    return source.packed + destination.packed + struct.pack("!HH", *ports)  # type: ignore[attr-defined]


def whole(data: bytes) -> ProxyHeader:
    """Read what has come so far, byte by byte, until there is a header."""
    for end in range(len(data)):
        found = read(data[:end])
        if found is not None:
            assert found == read(data + REQUEST)
            return found
    found = read(data)
    assert found is not None
    assert found == read(data + REQUEST)
    return found


@given(st.one_of(st.tuples(V4, V4), st.tuples(V6, V6)), PORTS, PORTS)
def test_version_1(addresses: tuple[ipaddress._BaseAddress, ...], source_port: int, destination_port: int) -> None:
    source, destination = addresses
    name = b"TCP4" if isinstance(source, ipaddress.IPv4Address) else b"TCP6"
    data = b"PROXY %b %b %b %d %d\r\n" % (
        name,
        str(source).encode(),
        str(destination).encode(),
        source_port,
        destination_port,
    )
    found = whole(data)
    assert found == (len(data), name.decode().lower(), str(source), source_port, str(destination), destination_port)
    assert found.has_addresses


@given(st.one_of(st.tuples(V4, V4), st.tuples(V6, V6)), PORTS, PORTS, st.binary(max_size=200), st.sampled_from([1, 2]))
def test_version_2(
    addresses: tuple[ipaddress._BaseAddress, ...], source_port: int, destination_port: int, more: bytes, transport: int
) -> None:
    source, destination = addresses
    kind = 1 if isinstance(source, ipaddress.IPv4Address) else 2
    data = v2(0x21, kind << 4 | transport, packed(source, destination, (source_port, destination_port)) + more)
    found = whole(data)
    assert found == (
        len(data),
        f"tcp{4 if kind == 1 else 6}",
        str(source),
        source_port,
        str(destination),
        destination_port,
    )


@pytest.mark.parametrize(
    ("data", "family"),
    [
        (b"PROXY UNKNOWN\r\n", proxy_header.UNKNOWN),
        (b"PROXY UNKNOWN ffff::1 whatever 1 2\r\n", proxy_header.UNKNOWN),
        (v2(0x20, 0x00, b""), proxy_header.LOCAL),
        (v2(0x20, 0x11, b"anything at all"), proxy_header.LOCAL),
        (v2(0x21, 0x00, b"\x03\0\x04abcd"), proxy_header.UNKNOWN),
        (v2(0x21, 0x10, bytes(12)), proxy_header.UNKNOWN),
        (v2(0x21, 0x01, bytes(12)), proxy_header.UNKNOWN),
    ],
)
def test_where_nothing_is_told(data: bytes, family: str) -> None:
    found = whole(data)
    assert (found.end, found.family, found.source, found.has_addresses) == (len(data), family, "", False)


def test_unix_sockets() -> None:
    found = whole(v2(0x21, 0x31, b"/run/a".ljust(108, b"\0") + b"x" * 108))
    assert (found.family, found.source, found.destination) == (proxy_header.UNIX, "/run/a", "x" * 108)
    assert not found.has_addresses


def test_the_largest_of_each_version() -> None:
    longest = b"PROXY UNKNOWN " + b"f" * (107 - 16) + b"\r\n"
    assert len(longest) == 107
    assert whole(longest).family == proxy_header.UNKNOWN
    with pytest.raises(ValueError, match="107 bytes"):
        read(b"PROXY UNKNOWN " + b"f" * (108 - 16) + b"\r\n")
    assert whole(v2(0x21, 0x11, bytes(MOST_BYTES - 16))).end == MOST_BYTES
    with pytest.raises(ValueError, match="4096 bytes"):
        read(v2(0x21, 0x11, bytes(MOST_BYTES - 15))[:16])


MALFORMED = [
    b"GET / HTTP/1.1\r\n",
    b"\0\0\0\0",
    b"\x16\x03\x01",
    b"proxy TCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    b"PROXY\tTCP4 1.2.3.4 1.2.3.4 1 2\r\n",
    b"PROXYTCP4",
    b"PROXY \r\n",
    b"PROXY UDP4 1.2.3.4 1.2.3.4 1 2\r\n",
    b"PROXY TCP4\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 3\r\n",
    b"PROXY TCP4  1.2.3.4 1.2.3.4 1 2\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2 \r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1 65536\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 01 2\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 -1 2\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1_0 2\r\n",
    b"PROXY TCP4 1.2.3 1.2.3.4 1 2\r\n",
    b"PROXY TCP4 1.2.3.256 1.2.3.4 1 2\r\n",
    b"PROXY TCP4 1.2.3.04 1.2.3.4 1 2\r\n",
    b"PROXY TCP4 ::1 ::1 1 2\r\n",
    b"PROXY TCP6 1.2.3.4 1.2.3.4 1 2\r\n",
    b"PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n",
    b"PROXY TCP6 :::1 ::1 1 2\r\n",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\n" + b"x" * 107,
    b"PROXY TCP4 localhost 1.2.3.4 1 2\r\n",
    b"\r\n\r\nGET",
    b"\r\n\r\n\0\r\nQUIT\r",
    b"\r\nGET",
    v2(0x11, 0x11, bytes(12)),
    v2(0x31, 0x11, bytes(12)),
    v2(0x22, 0x11, bytes(12)),
    v2(0x2F, 0x11, bytes(12)),
    v2(0x21, 0x41, bytes(12)),
    v2(0x21, 0x13, bytes(12)),
    v2(0x21, 0x11, bytes(11)),
    v2(0x21, 0x21, bytes(35)),
    v2(0x21, 0x31, bytes(215)),
]


@pytest.mark.parametrize("data", MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="PROXY header"):
        read(data)
    with pytest.raises(ValueError, match="PROXY header"):
        whole(data)


@given(st.binary(max_size=60))
def test_no_bytes_upset_it(data: bytes) -> None:
    for begin in (b"", b"PROXY TCP4 ", SIGNATURE):
        try:
            read(begin + data)
        except ValueError as error:
            said = str(error)
        else:
            continue
        assert "PROXY header" in said
