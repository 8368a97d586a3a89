"""Processes on one listening socket: a blocked one leaves connections to the others, draining loses none."""

from __future__ import annotations

import os
import signal
import threading
import time
from pathlib import Path

import pytest
from support.clients import HUNG_S, Clients
from support.gate import Gate
from support.looking import pause
from support.serving import receive_response
from support.serving_processes import processes

GET = b"GET %s HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
def test_no_request_waits_for_a_blocked_process(unix: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Gate(tmp_path) as gate:
        for name, value in gate.environment.items():
            monkeypatch.setenv(name, value)
        settings = {"threads": 1, "multiprocess": True}
        with processes("gated_app:application", 4, unix=unix, settings=settings) as servers:
            with servers.connect() as stuck:
                stuck.sendall(GET % b"/wait")
                blocked_pid, _word = gate.wait_arrival()
                for _ in range(200):
                    with servers.connect() as sock:
                        sock.sendall(GET % b"/open")
                        assert receive_response(sock)[0] == 200
                gate.release()
                assert receive_response(stuck)[0] == 200
            until = time.monotonic() + HUNG_S
            counts: dict[int, int] = {}
            while sum(counts.values()) < 201:  # a request is counted after its answer has been sent
                assert time.monotonic() < until, counts
                pause()
                counts = {process.pid: servers.word(process, "requests_total") for process in servers.processes}
            assert counts.pop(blocked_pid) == 1
            assert sum(counts.values()) == 200


def test_a_burst_goes_to_all_who_are_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Gate(tmp_path) as gate:
        for name, value in gate.environment.items():
            monkeypatch.setenv(name, value)
        settings = {"threads": 1, "multiprocess": True}
        with (
            processes("gated_app:application", 4, settings=settings) as servers,
            servers.connect_later() as connect,
        ):
            # Nobody looks while the requests come, so all are there at once.
            for process in servers.processes:
                process.send_signal(signal.SIGSTOP)
                os.waitid(os.P_PID, process.pid, os.WSTOPPED)
            socks = [connect() for _ in range(4)]
            for sock in socks:
                sock.sendall(GET % b"/wait")
            for process in servers.processes:
                process.send_signal(signal.SIGCONT)
            pids = {gate.wait_arrival()[0] for _ in range(4)}  # none waits behind another
            assert len(pids) == 4
            gate.release(4)
            for sock in socks:
                assert receive_response(sock)[0] == 200


def test_a_blocked_process_takes_nothing_while_its_siblings_are_busy_but_serving(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gate(tmp_path) as gate:
        for name, value in gate.environment.items():
            monkeypatch.setenv(name, value)
        settings = {"threads": 1, "multiprocess": True}
        with processes("gated_app:application", 3, settings=settings) as servers, servers.connect() as stuck:
            stuck.sendall(GET % b"/wait")
            blocked_pid, _word = gate.wait_arrival()
            # More clients than free processes, each request on a connection of its own: some always wait outside.
            with Clients(servers.address[1], 12, "/open", close=True) as clients:
                clients.wait_for_more(3000)
            assert clients.failures == []
            blocked = next(process for process in servers.processes if process.pid == blocked_pid)
            assert servers.word(blocked, "requests_queued") == 0
            assert servers.word(blocked, "connections") == 1
            gate.release()
            assert receive_response(stuck)[0] == 200


def test_when_all_are_blocked_connections_are_taken_in_and_get_504(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Gate(tmp_path) as gate:
        for name, value in gate.environment.items():
            monkeypatch.setenv(name, value)
        settings = {"threads": 1, "multiprocess": True, "queue_timeout_s": 0.3}
        with (
            processes("gated_app:application", 2, settings=settings) as servers,
            servers.connect() as first,
            servers.connect_later() as later,
        ):
            first.sendall(GET % b"/wait")
            pids = {gate.wait_arrival()[0]}
            second = later()  # not earlier: the process that is now blocked might have taken it
            second.sendall(GET % b"/wait")
            pids.add(gate.wait_arrival()[0])
            assert len(pids) == 2
            late = later()
            late.sendall(GET % b"/late")
            assert receive_response(late)[0] == 504
            gate.release(2)
            assert receive_response(first)[0] == receive_response(second)[0] == 200


def test_replacing_processes_under_keep_alive_clients_loses_nothing() -> None:
    settings = {"multiprocess": True, "threads": 4}
    with processes("hello_app:application", 2, settings=settings) as servers:
        with Clients(servers.address[1], 8) as clients:
            for _ in range(6):
                clients.wait_for_more(200)
                old = servers.processes[-2]
                servers.start()
                assert servers.stop(old) == 0
            clients.wait_for_more(200)
        assert clients.failures == []
        assert "Traceback" not in servers.logged()


def test_draining_waits_for_what_is_running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Gate(tmp_path) as gate:
        for name, value in gate.environment.items():
            monkeypatch.setenv(name, value)
        with processes("gated_app:application") as servers, servers.connect() as sock:
            sock.sendall(b"GET /wait HTTP/1.1\r\nHost: a\r\n\r\n")
            gate.wait_arrival()
            codes: list[int] = []
            stopping = threading.Thread(target=lambda: codes.append(servers.stop(servers.processes[0])))
            stopping.start()
            gate.release()
            status, fields, _body = receive_response(sock)
            sock.close()
            stopping.join(30)
            assert status == 200
            assert codes == [0]
            assert fields.get("connection", "close") == "close"


def test_clients_of_a_busy_process_move_to_a_sibling_that_has_time() -> None:
    settings = {"multiprocess": True, "threads": 1}
    with processes("slow_app:application", 2, settings=settings) as servers:
        one, other = servers.processes
        other.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, other.pid, os.WSTOPPED)
        with Clients(servers.address[1], 12, "/0.01") as clients:
            until = time.monotonic() + HUNG_S
            while servers.word(one, "connections") < 12:  # nobody else takes any
                assert time.monotonic() < until
                clients.wait_for_more(1)
            other.send_signal(signal.SIGCONT)
            while min(servers.word(process, "connections") for process in servers.processes) < 3:
                assert time.monotonic() < until, [servers.word(process, "connections") for process in servers.processes]
                clients.wait_for_more(1)
        assert clients.failures == []


def test_queues_even_out_while_nobody_is_free() -> None:
    settings = {"multiprocess": True, "threads": 2}
    with processes("slow_app:application", 2, settings=settings) as servers:
        one, other = servers.processes
        until = time.monotonic() + HUNG_S

        def connections() -> tuple[int, int]:
            assert time.monotonic() < until, (servers.word(one, "connections"), servers.word(other, "connections"))
            return servers.word(one, "connections"), servers.word(other, "connections")

        other.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, other.pid, os.WSTOPPED)
        with Clients(servers.address[1], 7, "/0.01") as many:  # too few for a sibling with a free thread to matter
            while connections()[0] < 7:
                many.wait_for_more(1)
            other.send_signal(signal.SIGCONT)
            with Clients(servers.address[1], 4, "/0.01") as few:
                while sum(connections()) != 11 or abs(connections()[0] - connections()[1]) != 1:
                    few.wait_for_more(1)
        assert many.failures == few.failures == []
