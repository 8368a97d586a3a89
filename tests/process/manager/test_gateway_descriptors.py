"""A gateway that may open few files: who has no place waits, and nothing spins meanwhile."""

from __future__ import annotations

import contextlib
import socket

import pytest
from support.faults import outlives
from support.gate import Gate
from support.manager import HUNG_S, ManagerUnderTest
from support.proc import descriptors, processor_s
from support.sites import GATEWAY, one_site

CLIENTS, LIMIT, WINDOW_S = 100, 64, 1.0


@pytest.mark.measured
def test_a_gateway_with_64_descriptors_serves_100_clients_in_turn(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = one_site(manager, port, "gated_app", group="threads = 2\nconnect-timeout = 0\nqueue-timeout = 0")
    configuration = manager.write(text)
    with (
        Gate(manager.base) as gate,
        contextlib.ExitStack() as stack,
        manager.foreground(str(configuration), limits=f"-n {LIMIT}"),
    ):
        manager.wait_for("it runs", manager.client.running)
        manager.wait_up(GATEWAY)
        manager.wait_up("app")
        (pid,) = manager.pids(GATEWAY).values()
        asking = []
        for _client in range(CLIENTS):
            sock = stack.enter_context(socket.create_connection(("127.0.0.1", port), HUNG_S))
            sock.sendall(b"GET /held HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            asking.append(sock)
        for _thread in range(2):
            gate.wait_arrival()
        used_s = processor_s(pid)
        assert outlives(pid, WINDOW_S)
        share = (processor_s(pid) - used_s) / WINDOW_S
        assert share < 0.2, f"{share:.0%} of a core while nobody is let in"
        assert descriptors(pid) <= LIMIT
        gate.close()
        for sock in asking:  # those who have a place, and those whose turn comes when others have left
            assert sock.recv(65536).startswith(b"HTTP/1.1 200 ")
        with manager.clients(port, 4, "/open") as clients:
            clients.wait_for_more(50)
        assert clients.failures == []
        print(f"{share:.1%} of a core while it was full")
        assert manager.pids(GATEWAY) == {1: pid}
        assert manager.group(GATEWAY)["restarts"] == 0
