"""Listening addresses: canonical text, clashes, and what is refused with its reason."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.config.addresses import Address, parse
from wsgigroups.config.checks.listening import Taken

OVERLAPPING = ["127.0.0.1:1", "127.0.0.2:1", "0.0.0.0:1", "[::]:1", "[::1]:1", "127.0.0.1:2", "unix:/a", "unix:/b"]


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("127.0.0.1:8000", "127.0.0.1:8000"),
        ("localhost:80", "127.0.0.1:80"),
        ("[::1]:8000", "[::1]:8000"),
        ("[0:0:0:0:0:0:0:1]:1", "[::1]:1"),
        ("0.0.0.0:65535", "0.0.0.0:65535"),
        ("unix:/run/blog.sock", "unix:/run/blog.sock"),
        ("unix:/run//blog.sock", "unix:/run/blog.sock"),
        ("unix:/" + "x" * 106, "unix:/" + "x" * 106),
    ],
)
def test_canonical_text_is_read_back(written: str, canonical: str) -> None:
    assert str(parse(written)) == canonical
    assert parse(canonical) == parse(written)


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("8000", "no host and port"),
        (":8000", "no host and port"),
        ("127.0.0.1", "no host and port"),
        ("127.0.0.1:0", "no port"),
        ("127.0.0.1:65536", "no port"),
        ("127.0.0.1:http", "no port"),
        ("127.0.0.1:８０", "no port"),
        ("example.org:80", "no IP address"),
        ("*:80", "no IP address"),
        ("::1:80", "brackets"),
        ("[127.0.0.1]:80", "brackets"),
        ("[fe80::1%eth0]:80", "scope"),
        ("unix:blog.sock", "not absolute"),
        ("unix:@blog", "abstract socket"),
        ("unix:/run/../blog", "plainly"),
        ("unix:/run/", "plainly"),
        ("unix:/a\0b", "NUL"),
        ("unix:/" + "x" * 107, "108 bytes"),
        ("unix:/" + "é" * 54, "109 bytes"),
    ],
)
def test_what_cannot_be_listened_on_is_refused(written: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        parse(written)


@pytest.mark.parametrize(
    ("one", "other", "clash"),
    [
        ("127.0.0.1:80", "127.0.0.1:80", True),
        ("127.0.0.1:80", "0.0.0.0:80", True),
        ("[::1]:80", "[::]:80", True),
        ("127.0.0.1:80", "[::]:80", False),
        ("127.0.0.1:80", "127.0.0.1:81", False),
        ("127.0.0.1:80", "127.0.0.2:80", False),
        ("unix:/a", "unix:/b", False),
        ("unix:/a", "unix:/a", True),
    ],
)
def test_clashes(one: str, other: str, clash: bool) -> None:
    assert parse(one).overlaps(parse(other)) is clash
    assert parse(other).overlaps(parse(one)) is clash


@given(st.lists(st.tuples(st.sampled_from(OVERLAPPING), st.booleans()), max_size=8))
def test_what_is_taken_is_what_overlaps(entries: list[tuple[str, bool]]) -> None:
    """The index of addresses that are taken against the definition, compared one by one."""
    taken = Taken()
    before: list[tuple[Address, bool]] = []
    for number, (text, shared) in enumerate(entries):
        address = parse(text)
        found = taken.add(address, ("groups", str(number)), shared=shared)
        first = next(
            (i for i, (other, also) in enumerate(before) if address.overlaps(other) and not (shared and also)), None
        )
        assert (None if found is None else found[2]) == (None if first is None else ("groups", str(first)))
        before.append((address, shared))
