"""Certificates: when they end, whether the key is theirs, and what is said of those that are none."""

from __future__ import annotations

import base64
import contextlib
import os
import shutil
from datetime import datetime, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.pebble import made_pair
from support.tree import ROOT

from wsgigroups.trust.certificates import PairError, read_pair
from wsgigroups.trust.helpers import Account
from wsgigroups.trust.validity import days_left, expires_at, names_of, split, validity

PEMS = ROOT / "tests" / "support" / "certificates"
ENCRYPTED = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n"


@pytest.fixture
def here(tmp_path: Path) -> Path:
    for path in PEMS.iterdir():
        shutil.copy(path, tmp_path)
    return tmp_path


def account() -> Account:
    return Account(os.geteuid(), os.getegid())


def test_a_pair_is_named_by_what_it_holds(here: Path) -> None:
    one = read_pair(str(here / "one.crt"), str(here / "one.key"), account())
    assert read_pair(str(PEMS / "one.crt"), str(here / "one.key"), account()).name == one.name
    two = read_pair(str(here / "two.crt"), str(here / "two.key"), account())
    assert two.name != one.name
    assert one.key not in repr(one).encode()
    assert one.expires_at == expires_at((PEMS / "one.crt").read_bytes())


@pytest.mark.parametrize(
    ("certificate", "key", "option", "why"),
    [
        ("one.crt", "two.key", "certificate-key", "two.key is not the key of"),
        ("gone.crt", "one.key", "certificate", "No such file"),
        ("one.crt", "gone.key", "certificate-key", "No such file"),
        ("one.key", "one.key", "certificate", "there is no certificate in it"),
        ("one.crt", "one.crt", "certificate-key", "holds no key that can be used"),
        ("torn.crt", "one.key", "certificate", "torn.crt: "),
        ("one.crt", "locked.key", "certificate-key", "locked.key"),
    ],
)
def test_what_is_no_pair_is_told_by_its_file(here: Path, certificate: str, key: str, option: str, why: str) -> None:
    (here / "torn.crt").write_text("-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n")
    (here / "locked.key").write_text(ENCRYPTED)
    with pytest.raises(PairError, match=why) as caught:
        read_pair(str(here / certificate), str(here / key), account())
    assert caught.value.option == option


def der(tag: int, *parts: bytes) -> bytes:
    value = b"".join(parts)
    size = len(value).to_bytes((len(value).bit_length() + 7) // 8 or 1, "big")
    return bytes([tag]) + (bytes([len(value)]) if len(value) < 128 else bytes([128 | len(size)]) + size) + value


def pem(*, tag: int, end: bytes, version: bool = True, padding: int = 0) -> bytes:
    """A certificate, as far as the end of its validity is concerned."""

    names = [der(0x30, b"\x05\x00" * padding)] * 2  # signature, issuer
    validity = der(0x30, der(0x17, b"200101000000Z"), der(tag, end))
    body = der(0x30, *([der(0xA0, der(2, b"\x02"))] if version else []), der(2, b"\x01"), *names, validity)
    text = base64.encodebytes(der(0x30, body))
    return b"text before\n-----BEGIN CERTIFICATE-----\n" + text + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("tag", "end", "expected"),
    [
        (0x17, b"491231235959Z", datetime(2049, 12, 31, 23, 59, 59, tzinfo=timezone.utc)),
        (0x17, b"500101000000Z", datetime(1950, 1, 1, tzinfo=timezone.utc)),
        (0x18, b"20500101000000Z", datetime(2050, 1, 1, tzinfo=timezone.utc)),
    ],
)
@pytest.mark.parametrize("version", [True, False])
@pytest.mark.parametrize("padding", [0, 70, 200])
def test_the_end_is_read_as_rfc_5280_has_it(
    tag: int, end: bytes, expected: datetime, version: bool, padding: int
) -> None:
    assert expires_at(pem(tag=tag, end=end, version=version, padding=padding)) == expected.timestamp()


@pytest.mark.parametrize("cut", range(0, 45, 3))
def test_what_is_cut_off_is_no_certificate(cut: int) -> None:

    lines = pem(tag=0x17, end=b"491231235959Z").splitlines()
    data = base64.b64decode(b"".join(lines[2:-1]))[:cut]
    with pytest.raises(ValueError, match=r"."):
        expires_at(b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(data) + b" -----END CERTIFICATE-----")


def test_days_are_whole_and_negative_after_the_end() -> None:
    assert [days_left(10 * 86400.0, moment) for moment in (0.0, 86400.0, 9.5 * 86400, 10 * 86400 + 1)] == [10, 9, 0, -1]


def test_a_certificate_says_for_whom_and_since_when_it_is() -> None:
    names = ["www.example.org", "example.org", "*.example.net"]
    chain, key = made_pair(names, 1_000_000_000.0, 2_600_000_000.0)
    assert names_of(chain) == frozenset(names)
    assert validity(chain) == (1_000_000_000.0, 2_600_000_000.0)
    assert names_of((PEMS / "one.crt").read_bytes()) != frozenset(names)
    assert split(key + chain + chain) == (chain.rstrip() + b"\n" + chain.rstrip() + b"\n", key + b"\n\n")
    with pytest.raises(ValueError, match="no certificate"):
        names_of(key)


@given(st.binary(max_size=300), st.integers(0, 500))
def test_what_is_damaged_is_refused_by_a_word(noise: bytes, place: int) -> None:
    der = base64.b64decode("".join((PEMS / "one.crt").read_text().splitlines()[1:-1]))
    damaged = der[: place % len(der)] + noise + der[place % len(der) + len(noise) :]
    text = b"-----BEGIN CERTIFICATE-----\n" + base64.b64encode(damaged) + b"\n-----END CERTIFICATE-----\n"
    for ask in (names_of, validity):
        with contextlib.suppress(ValueError):
            ask(text)


def test_one_file_may_hold_both(tmp_path: Path) -> None:
    path = tmp_path / "both.pem"
    path.write_bytes((PEMS / "one.key").read_bytes() + (PEMS / "one.crt").read_bytes())
    found = read_pair(str(path), str(path), account())
    assert b"PRIVATE" not in found.chain
    assert b"CERTIFICATE" not in found.key
