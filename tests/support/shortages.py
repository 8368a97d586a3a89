"""A kernel that has run out of something, for tests in this process: put in place of `socket.sendmsg` or `os.dup`."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable, Sequence
from typing import Any

_sendmsg = socket.socket.sendmsg


class Refusing:
    """`sendmsg` that refuses messages with descriptors for so many times, and then sends them."""

    def __init__(self, number: int, times: int) -> None:
        self.left = times
        self._number = number

    def sendmsg(self, sock: socket.socket, buffers: Sequence[Any], ancillary: Sequence[Any] = ()) -> int:
        if ancillary and self.left:
            self.left -= 1
            raise OSError(self._number, os.strerror(self._number))
        return _sendmsg(sock, buffers, ancillary)

    def __get__(self, sock: socket.socket, kind: type) -> Callable[..., int]:
        return lambda *arguments: self.sendmsg(sock, *arguments)


def full_after(number: int, really: Callable[[int], int]) -> Callable[[int], int]:
    """Return a `dup` that works so many times and then finds the table of descriptors full."""
    left = [number]

    def dup(fd: int) -> int:
        if not left[0]:
            raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))
        left[0] -= 1
        return really(fd)

    return dup
