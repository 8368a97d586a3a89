"""Conditions and ranges: tables after RFC 9110 sections 13 and 14."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wsgigroups.runtime.gateway import http_dates
from wsgigroups.runtime.gateway.preconditions import UNSATISFIABLE, WHOLE, part, status

ETAG = '"18ec-b-20c2"'
MODIFIED_S = 784111777
THEN = http_dates.written(MODIFIED_S)
BEFORE, AFTER = http_dates.written(MODIFIED_S - 1), http_dates.written(MODIFIED_S + 1)

MATCH, NONE_MATCH, SINCE, UNMODIFIED = (
    "HTTP_IF_MATCH",
    "HTTP_IF_NONE_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
)


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, 0),
        # If-Match: strong comparison (section 13.1.1)
        ({MATCH: ETAG}, 0),
        ({MATCH: "*"}, 0),
        ({MATCH: f'"other", {ETAG}'}, 0),
        ({MATCH: '"other"'}, 412),
        ({MATCH: "W/" + ETAG}, 412),
        ({MATCH: "garbage"}, 412),
        ({MATCH: ""}, 412),
        # If-Unmodified-Since (section 13.1.4)
        ({UNMODIFIED: THEN}, 0),
        ({UNMODIFIED: AFTER}, 0),
        ({UNMODIFIED: BEFORE}, 412),
        ({UNMODIFIED: "garbage"}, 0),
        ({MATCH: ETAG, UNMODIFIED: BEFORE}, 0),
        # If-None-Match: weak comparison (section 13.1.2)
        ({NONE_MATCH: ETAG}, 304),
        ({NONE_MATCH: "W/" + ETAG}, 304),
        ({NONE_MATCH: "*"}, 304),
        ({NONE_MATCH: f'"a,b" , W/"c",,{ETAG},'}, 304),
        ({NONE_MATCH: '"other"'}, 0),
        ({NONE_MATCH: '""'}, 0),
        ({NONE_MATCH: ETAG.strip('"')}, 0),
        ({NONE_MATCH: f'"open, {ETAG}'}, 0),
        ({NONE_MATCH: f"w/{ETAG}"}, 0),
        ({NONE_MATCH: f'"a" {ETAG}'}, 0),
        # If-Modified-Since (section 13.1.3)
        ({SINCE: THEN}, 304),
        ({SINCE: AFTER}, 304),
        ({SINCE: BEFORE}, 0),
        ({SINCE: "garbage"}, 0),
        ({SINCE: f"{THEN}; length=11"}, 0),
        ({NONE_MATCH: '"other"', SINCE: THEN}, 0),
        ({NONE_MATCH: ETAG, SINCE: BEFORE}, 304),
        # the order of section 13.2.2
        ({MATCH: '"other"', NONE_MATCH: ETAG}, 412),
        ({MATCH: ETAG, NONE_MATCH: ETAG}, 304),
        ({UNMODIFIED: BEFORE, NONE_MATCH: ETAG}, 412),
        ({UNMODIFIED: AFTER, SINCE: AFTER}, 304),
    ],
)
def test_conditions(environ: dict[str, str], found: int) -> None:
    assert status(environ, ETAG, MODIFIED_S) == found


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ("bytes=0-0", (0, 0)),
        ("bytes=0-4", (0, 4)),
        ("bytes=5-", (5, 10)),
        ("bytes=0-", (0, 10)),
        ("bytes=0-10", (0, 10)),
        ("bytes=0-11", (0, 10)),
        ("bytes=10-10", (10, 10)),
        ("bytes=-1", (10, 10)),
        ("bytes=-11", (0, 10)),
        ("bytes=-12", (0, 10)),
        ("bytes=-" + "9" * 8000, (0, 10)),
        ("bytes=1-" + "9" * 8000, (1, 10)),
        ("bytes=" + "0" * 8000 + "1-2", (1, 2)),
        ("BYTES=1-2", (1, 2)),
        ("bytes= 1-2", (1, 2)),
        ("bytes=,1-2,", (1, 2)),
        ("bytes=11-", UNSATISFIABLE),
        ("bytes=11-20", UNSATISFIABLE),
        ("bytes=" + "9" * 8000 + "-", UNSATISFIABLE),
        ("bytes=-0", UNSATISFIABLE),
        ("bytes=2-1", WHOLE),
        ("bytes=20-11", WHOLE),
        ("bytes=0-1,3-4", WHOLE),
        ("bytes=0-1, bytes=3-4", WHOLE),
        ("bytes=", WHOLE),
        ("bytes=-", WHOLE),
        ("bytes", WHOLE),
        ("", WHOLE),
        ("bytes =0-1", WHOLE),
        ("bytes=1 -2", WHOLE),
        ("bytes=+1-2", WHOLE),
        ("bytes=1--2", WHOLE),
        ("bytes=0x1-2", WHOLE),
        ("bytes=1-2;", WHOLE),
        ("bytes=\u0663-4", WHOLE),
        ("lines=1-2", WHOLE),
        ("none", WHOLE),
    ],
)
def test_ranges_of_eleven_bytes(wanted: str, found: tuple[int, int]) -> None:
    assert part({"HTTP_RANGE": wanted}, ETAG, MODIFIED_S, 11) == found


def test_without_a_range() -> None:
    assert part({}, ETAG, MODIFIED_S, 11) == WHOLE
    assert part({"HTTP_IF_RANGE": ETAG}, ETAG, MODIFIED_S, 11) == WHOLE


@pytest.mark.parametrize(
    ("wanted", "found"),
    [("bytes=0-", UNSATISFIABLE), ("bytes=0-0", UNSATISFIABLE), ("bytes=-5", WHOLE), ("bytes=-0", UNSATISFIABLE)],
)
def test_ranges_of_an_empty_file(wanted: str, found: tuple[int, int]) -> None:
    assert part({"HTTP_RANGE": wanted}, ETAG, MODIFIED_S, 0) == found


@pytest.mark.parametrize(
    ("guard", "ranged"),
    [
        (ETAG, True),
        (THEN, True),
        ("Sunday, 06-Nov-94 08:49:37 GMT", True),
        ("W/" + ETAG, False),
        ('"other"', False),
        (f'"other", {ETAG}', False),
        (BEFORE, False),
        (AFTER, False),
        ("garbage", False),
        ("", False),
        ("*", False),
    ],
)
def test_if_range(guard: str, ranged: bool) -> None:
    environ = {"HTTP_RANGE": "bytes=1-2", "HTTP_IF_RANGE": guard}
    assert part(environ, ETAG, MODIFIED_S, 11) == ((1, 2) if ranged else WHOLE)


@given(st.text(st.sampled_from("bytes=0123456789-, \t"), max_size=20), st.integers(0, 12))
def test_no_range_goes_beyond_the_file(wanted: str, size: int) -> None:
    first, last = part({"HTTP_RANGE": "bytes=" + wanted}, ETAG, MODIFIED_S, size)
    assert (first, last) in (WHOLE, UNSATISFIABLE) or 0 <= first <= last < size
