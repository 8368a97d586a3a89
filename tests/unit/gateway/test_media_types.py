"""Media types beside those of Python's own table, which is not the host's."""

from __future__ import annotations

import mimetypes

import pytest

from wsgigroups.runtime.wire import media_types

# Another type than Python's, on purpose: what IANA has registered since, or what browsers want.
DIFFERENT = {
    *("js", "mjs"),  # RFC 9239; application/javascript before Python 3.12
    *("wav", "vcf", "aif", "aifc", "aiff", "3gp", "3gpp"),
    *("xsl", "rdf", "wsdl", "xpdl"),
    *(
        "bmp",
        "eot",
        "ico",
        "mid",
        "midi",
        "rtf",
        "opus",
        "otf",
        "ttf",
        "markdown",
        "md",
        "ai",
        "m4a",
        "yaml",
        "yml",
        "xml",
    ),
}


def test_they_are_those_of_python() -> None:
    python = mimetypes.MimeTypes().types_map[True]
    both = {suffix: python["." + suffix] for suffix in media_types.BY_SUFFIX if "." + suffix in python}
    assert len(both) > 50
    different = {suffix for suffix, found in both.items() if found != media_types.BY_SUFFIX[suffix]}
    assert different <= DIFFERENT


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("site.css", "text/css"),
        ("SITE.CSS", "text/css"),
        ("a.min.js", "text/javascript"),
        ("a.tar.gz", "application/gzip"),
        ("a.css.br", "application/octet-stream"),
        ("font.woff2", "font/woff2"),
        ("README", "application/octet-stream"),
        ("a.", "application/octet-stream"),
        ("css", "application/octet-stream"),
    ],
)
def test_by_the_end_of_a_name(name: str, found: str) -> None:
    assert media_types.of(name) == found


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.woff2", "a.mp4", "a.zip", "a.gz", "a.webp"])
def test_compressed_copies_of_what_is_compressed_are_not_looked_for(name: str) -> None:
    assert not media_types.may_have_siblings(media_types.of(name))


@pytest.mark.parametrize("name", ["a.css", "a.svg", "a.ico", "a.ttf", "a.wasm", "a.json", "README", "a.pdf"])
def test_of_others_they_are(name: str) -> None:
    assert media_types.may_have_siblings(media_types.of(name))


def test_no_suffix_has_two_types() -> None:
    suffixes = [suffix for line in media_types.TABLE.strip().splitlines() for suffix in line.split()[1:]]
    assert len(suffixes) == len(set(suffixes)) == len(media_types.BY_SUFFIX)
