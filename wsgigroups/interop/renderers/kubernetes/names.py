"""What objects of a cluster are called, after groups and sites. Pure."""

from __future__ import annotations

import hashlib
import re

LONGEST_NAME = 50  # of 63 that a label takes (RFC 1035): kinds and parts stand behind it
_PLAIN = re.compile("[a-z](?:[a-z0-9-]*[a-z0-9])?")
_DIGITS = 6


def object_name(name: str) -> str:
    """A name that every kind of object may have (RFC 1035 labels), another one for each name.

    What is such a name stays as it is. Others become one, with the beginning of their SHA-256, so that no two meet.
    """
    if len(name) <= LONGEST_NAME and _PLAIN.fullmatch(name):
        return name
    digest = hashlib.sha256(name.encode("utf-8", "surrogateescape")).hexdigest()[:_DIGITS]
    plain = re.sub("[^a-z0-9]+", "-", name.lower()).lstrip("-0123456789")
    return f"{plain[: LONGEST_NAME - _DIGITS - 1].strip('-') or 'x'}-{digest}"
