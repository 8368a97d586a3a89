"""When a certificate ends, and whose it is: read from its DER (RFC 5280), which `ssl` does not tell. Pure."""

from __future__ import annotations

import base64
import re
from datetime import datetime, timezone

_PEM = re.compile(rb"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)  # RFC 7468
_SEQUENCE, _VERSION, _UTC_TIME, _GENERALIZED_TIME = 0x30, 0xA0, 0x17, 0x18
_BOOLEAN, _EXTENSIONS, _DNS_NAME = 0x01, 0xA3, 0x82
_SUBJECT_ALT_NAME = b"\x55\x1d\x11"  # 2.5.29.17
_LONG, _MAXIMUM_LENGTH_BYTES = 0x80, 4
WARNING_DAYS = 14  # with fewer left, a certificate is warned of


def expires_at(chain: bytes) -> float:
    """Return when the first certificate of a PEM file ends, in seconds since the epoch. Raises ValueError."""
    return validity(chain)[1]


def validity(chain: bytes) -> tuple[float, float]:
    """Return when the first certificate of a PEM file begins and ends, as `expires_at` does. Raises ValueError."""
    return _validity(_fields(_first(chain)))


def names_of(chain: bytes) -> frozenset[str]:
    """Return the host names of the first certificate of a PEM file (RFC 5280 section 4.2.1.6). Raises ValueError."""
    rest = _fields(_first(chain))
    for _what in ("validity", "subject", "its key"):
        _tag, _value, rest = _element(rest)
    while rest:
        tag, value, rest = _element(rest)
        if tag == _EXTENSIONS:
            return _alternative_names(_element(value)[1])
    return frozenset()


def split(pem: bytes) -> tuple[bytes, bytes]:
    """Return the certificates of a PEM file that has a key as well, and the rest of it."""
    return b"\n".join(found[0] for found in _PEM.finditer(pem)) + b"\n", _PEM.sub(b"", pem)


def _first(chain: bytes) -> bytes:
    found = _PEM.search(chain)
    if found is None:
        raise ValueError("there is no certificate in it")
    return base64.b64decode(b"".join(found[1].split()), validate=True)


def _alternative_names(extensions: bytes) -> frozenset[str]:
    names = set()
    while extensions:
        _tag, extension, extensions = _element(extensions)
        _tag, identifier, rest = _element(extension)
        if identifier != _SUBJECT_ALT_NAME:
            continue
        tag, value, rest = _element(rest)
        if tag == _BOOLEAN:
            _tag, value, rest = _element(rest)
        _tag, found, _rest = _element(value)
        while found:
            tag, name, found = _element(found)
            if tag == _DNS_NAME:
                names.add(name.decode("ascii").lower())
    return frozenset(names)


def days_left(expires: float, now: float) -> int:
    """Return whole days until a certificate ends; below 0 when it has ended."""
    return int((expires - now) // 86400)


def _fields(der: bytes) -> bytes:
    """What a certificate in DER has from its validity on."""
    _tag, certificate, _rest = _element(der)
    _tag, body, _rest = _element(certificate)
    tag, _value, rest = _element(body)
    if tag == _VERSION:
        _tag, _value, rest = _element(rest)  # the serial number
    for _what in ("signature", "issuer"):
        _tag, _value, rest = _element(rest)
    return rest


def _validity(fields: bytes) -> tuple[float, float]:
    tag, found, _rest = _element(fields)
    if tag != _SEQUENCE:
        raise ValueError("the certificate has no validity")
    tag, begins, rest = _element(found)
    other, ends, _rest = _element(rest)
    return _moment(tag, begins.decode("ascii")), _moment(other, ends.decode("ascii"))


def _element(data: bytes) -> tuple[int, bytes, bytes]:
    """Return tag and value of the first element (X.690 section 8.1), and what follows it. Raises ValueError."""
    if len(data) < 2:
        raise ValueError("the certificate ends too early")
    tag, length, begin = data[0], data[1], 2
    if length & _LONG:
        size = length & ~_LONG
        if not 1 <= size <= _MAXIMUM_LENGTH_BYTES:
            raise ValueError("the certificate has a length that is none")
        length, begin = int.from_bytes(data[2 : 2 + size], "big"), 2 + size
    if begin + length > len(data):
        raise ValueError("the certificate ends too early")
    return tag, data[begin : begin + length], data[begin + length :]


def _moment(tag: int, text: str) -> float:
    """A UTCTime or GeneralizedTime, both in UTC with seconds (RFC 5280 section 4.1.2.5)."""
    if tag == _UTC_TIME:
        text = ("19" if int(text[:2]) >= 50 else "20") + text
    elif tag != _GENERALIZED_TIME:
        raise ValueError("the certificate has an end that is no time")
    return datetime.strptime(text, "%Y%m%d%H%M%SZ").replace(tzinfo=timezone.utc).timestamp()
