"""Accept-Encoding: which of the compressed copies a client takes, the best first."""

from __future__ import annotations

import pytest

from wsgigroups.runtime.gateway.codings import accepted


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("gzip, deflate, br, zstd", "br gzip"),
        ("gzip, deflate, br", "br gzip"),
        ("gzip,deflate,br", "br gzip"),
        ("gzip", "gzip"),
        ("x-gzip", "gzip"),
        ("GZIP", "gzip"),
        ("br;q=0.5, gzip", "gzip br"),
        ("br;q=0.5,gzip;q=0.500", "br gzip"),
        ("br;q=0, gzip;q=0.1", "gzip"),
        ("br;q=0.0, gzip;q=0.000", ""),
        ("*", "br gzip"),
        ("*;q=0", ""),
        ("*, br;q=0", "gzip"),
        ("gzip;q=0.5, *;q=0.1", "gzip br"),
        ("identity", ""),
        ("identity, gzip", "gzip"),
        ("identity;q=1, gzip;q=0.5", ""),
        ("identity;q=0.5, gzip;q=0.5, br;q=0.4", "gzip"),
        ("identity;q=0", ""),
        ("gzip ; q=1.0", "gzip"),
        ("gzip;Q=1.000", "gzip"),
        ("gzip;q=1.001, br", "br"),
        ("gzip;q=2", ""),
        ("gzip;q=-1", ""),
        ("gzip;q=0.1234", ""),
        ("gzip;q=", ""),
        ("gzip;level=9", ""),
        ("gzip deflate", ""),
        (",, gzip,,", "gzip"),
        ("", ""),
        ("brotli, gzipped", ""),
        ("\xe9, gzip", "gzip"),
    ],
)
def test_what_is_taken(value: str, found: str) -> None:
    assert [coding for coding, _suffix in accepted(value)] == found.split()
