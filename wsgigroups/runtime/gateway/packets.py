"""A uwsgi packet of variables (uWSGI documentation, "The uwsgi Protocol"), as the gateway sends it to a daemon.

Pure; any thread. `protocol/uwsgi.py` reads what is written here.
"""

from __future__ import annotations

from typing import Iterable, List, Tuple

MOST_BYTES = 65535  # of the variables: their size is a number of 16 bits
_SIZES: List[str] = [chr(size & 255) + chr(size >> 8) for size in range(1024)]  # little-endian, of what is usual


class PacketError(ValueError):
    """The variables do not fit into a packet: the request is refused with 431."""


def packet(variables: Iterable[Tuple[str, str]]) -> bytes:
    """Return the packet: modifiers 0 and 0, then each name and value with its size.

    Names and values are Latin-1 text, each character a byte, as in an environ. Raises PacketError when they take more
    than 65535 bytes, or are no such text.
    """
    sizes, given = _SIZES, list(variables)
    try:
        text = "".join([f"{sizes[len(name)]}{name}{sizes[len(value)]}{value}" for name, value in given])
    except IndexError:
        text = "".join([_size(len(name)) + name + _size(len(value)) + value for name, value in given])
    try:
        data = text.encode("latin-1")
    except UnicodeEncodeError:
        raise PacketError("a variable of the uwsgi packet is not Latin-1") from None
    if len(data) > MOST_BYTES:
        raise PacketError("the variables take %d bytes: a uwsgi packet has room for %d" % (len(data), MOST_BYTES))
    return bytes((0, len(data) & 255, len(data) >> 8, 0)) + data


def _size(size: int) -> str:
    if size > MOST_BYTES:
        raise PacketError("a variable takes %d bytes: a uwsgi packet has room for %d" % (size, MOST_BYTES))
    return chr(size & 255) + chr(size >> 8)


def encoded(text: str) -> bytes:
    """Return a name or a value as it stands in a packet. Raises PacketError, UnicodeEncodeError."""
    return (_size(len(text)) + text).encode("latin-1")
