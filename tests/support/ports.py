"""Loopback ports that nobody takes between their choice and their use, whichever tests run at the same time.

The kernel gives clients their ports from ip_local_port_range: one of those can be a client's at any moment. So these
are below it, and a socket without a file is the reservation that all test runs of the machine can see.
"""

from __future__ import annotations

import random
import socket

_FIRST, _END = 12000, 32000


class Ports:
    """Reserved ports; closing lets them go."""

    def __init__(self) -> None:
        self._reservations: list[socket.socket] = []

    def reserve(self) -> int:
        """A port that nobody listens on, and that is nobody else's until `close`."""
        begin = random.SystemRandom().randrange(_FIRST, _END)  # the seed of a test run is the same for all of them
        for port in (*range(begin, _END), *range(_FIRST, begin)):
            if self._reserved(port):
                return port
        raise LookupError("every port is taken")

    def close(self) -> None:
        """Leave them to others."""
        while self._reservations:
            self._reservations.pop().close()

    def _reserved(self, port: int) -> bool:
        reservation = socket.socket(socket.AF_UNIX)
        try:
            reservation.bind(f"\0wsgigroups-tests-port-{port}")
            with socket.socket() as free:
                free.bind(("127.0.0.1", port))
        except OSError:
            reservation.close()
            return False
        self._reservations.append(reservation)
        return True
