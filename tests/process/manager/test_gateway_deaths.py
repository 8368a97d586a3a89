"""Gateways that are killed, and managers that are: clients lose what the dead process had in hand, and nothing else."""

from __future__ import annotations

import os
import signal
import time

import pytest
from support.clients import Clients
from support.faults import outlives
from support.manager import HUNG_S, ManagerUnderTest
from support.sites import GATEWAY, HOST, one_site

ROUNDS = 1
CLIENTS = 4, 2


@pytest.mark.measured
def test_a_killed_gateway_loses_its_own_requests_and_a_replaced_one_none(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(one_site(manager, port, "traced_app", gateway="processes = 2"))
    daemons = manager.pids("app")
    taken_s = []
    with Clients(port, CLIENTS[0]) as kept, Clients(port, CLIENTS[1], close=True) as new:
        for _round in range(ROUNDS):
            for slot in (1, 2):  # each once: only the first death is mended at once
                before = manager.pids(GATEWAY)
                kept.wait_for_each()
                lost = len(kept.failures), len(new.failures)
                began_s = time.monotonic()
                os.kill(before[slot], signal.SIGKILL)
                manager.wait_for(
                    "another one", lambda s=slot, b=before: manager.pids(GATEWAY).get(s) not in (None, b[s])
                )
                taken_s.append(time.monotonic() - began_s)
                kept.wait_for_each()
                new.wait_for_more(10)
                failures = kept.failures[lost[0] :] + new.failures[lost[1] :]
                # one on each connection that it can have had, none of the other's, and nobody was turned away
                assert len(failures) <= sum(CLIENTS), failures
                assert {failure.how for failure in failures} <= {"closed", "reset"}, failures
                assert all(
                    (failure.served_by or f"gateway-{slot}-").startswith(f"gateway-{slot}-") for failure in failures
                ), failures
                assert manager.pids(GATEWAY)[3 - slot] == before[3 - slot]
            lost, before = (len(kept.failures), len(new.failures)), manager.pids(GATEWAY)
            manager.restart(GATEWAY)
            kept.wait_for_each()
            assert not set(manager.pids(GATEWAY).values()) & set(before.values())
            assert (len(kept.failures), len(new.failures)) == lost, kept.failures + new.failures
    assert manager.pids("app") == daemons
    assert max(taken_s) <= 5.0, taken_s
    print("replaced after", ", ".join(f"{taken:.3f}" for taken in sorted(taken_s)), "s")


def test_a_manager_dies_and_a_gateway_after_it(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = one_site(manager, port, "traced_app", gateway="processes = 2")
    manager.apply(text)
    daemons, before = manager.pids("app"), manager.pids(GATEWAY)
    with Clients(port, 4) as clients:
        former = manager.manager_pid
        os.kill(former, signal.SIGKILL)
        assert not outlives(former, HUNG_S)
        clients.wait_for_each()
        assert clients.failures == []
        os.kill(before[1], signal.SIGKILL)
        assert not outlives(before[1], HUNG_S)
        clients.wait_for_more(20)  # by the other one
        (manager.base / "files").mkdir(mode=0o755)
        (manager.base / "files" / "page").write_text("a file")
        more = f'[[sites."{HOST}".static]]\npath = "/files"\ndirectory = "{manager.base}/files"\n'
        manager.apply(text)
        manager.wait_for("both are there", lambda: len(manager.pids(GATEWAY)) == 2)
        assert (manager.pids("app"), manager.pids(GATEWAY)[2]) == (daemons, before[2])
        clients.wait_for_each()
        lost = len(clients.failures)
        assert manager.change_to(text + more)["outcome"] == "done"
        clients.wait_for_each()
        for _request in range(8):  # whoever takes them
            assert manager.get(port, "/files/page") == (200, b"a file")
        assert manager.pids(GATEWAY)[2] == before[2]
        assert len(clients.failures) == lost
    assert lost <= 4
    assert {failure.how for failure in clients.failures} <= {"closed", "reset"}
