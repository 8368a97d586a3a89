"""What a certificate authority and its certificates are named by: the kinds of these values. Pure."""

from __future__ import annotations

import re
from typing import Annotated, Any

from pydantic import BeforeValidator

from wsgigroups.config.kinds import Kind, read_path, refuse, shown, text_of

ACME = "acme"  # in the place of a certificate: an authority gives it by this protocol (RFC 8555)


def read_certificate(value: Any) -> str:
    """A path, or `acme`."""
    return ACME if value == ACME else read_path(value)


def read_url(value: Any) -> str:
    """A URL with https, as certificate authorities have them (RFC 8555 section 6.1)."""
    url = text_of(value, "a URL")
    if not re.fullmatch(r"https://[^/\s@]+/\S*", url):
        raise refuse("WG0323", f"{shown(url)} is no URL with https", "https://acme.example.org/directory")
    return url


def read_contact(value: Any) -> str:
    """An e-mail address, as a certificate authority is told it."""
    address = text_of(value, "an e-mail address")
    if not re.fullmatch(r"[^\s@,?<>\"]+@[A-Za-z0-9.-]+", address):
        raise refuse("WG0324", f"{shown(address)} is no e-mail address", "admin@example.org")
    return address


CertificatePath = Annotated[str, BeforeValidator(read_certificate), Kind("certificate")]
Url = Annotated[str, BeforeValidator(read_url), Kind("url")]
Contact = Annotated[str, BeforeValidator(read_contact), Kind("contact")]
