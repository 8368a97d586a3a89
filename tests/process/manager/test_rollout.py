"""New code that does not last, or does not answer: the processes in place serve on, and their configuration is back."""

from __future__ import annotations

import os
import re
import signal

import pytest
from support.clients import Clients
from support.faults import outlives
from support.manager import APPS, ManagerUnderTest
from support.population import Population, never_ready

WATCHED = '[groups.a.rollout]\nmin-ready-time = "5s"\n'


def text(port: int, rollout: str = WATCHED, **environment: str) -> str:
    variables = ", ".join(f'{name} = "{value}"' for name, value in environment.items())
    return (
        f'[groups.a]\napp = "lasting_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        f"processes = 4\nenvironment = {{ {variables} }}\n{rollout}"
    )


@pytest.mark.parametrize("lasts_s", ["1", "3"])
def test_what_dies_after_it_was_ready_is_taken_back(manager: ManagerUnderTest, lasts_s: str) -> None:
    port = manager.port()
    manager.apply(text(port))
    before = manager.pids("a")
    with manager.clients(port, 4) as clients, Population(manager, "a", of=set(before.values())) as population:
        done = manager.apply(text(port, LASTS_S=lasts_s), code=8)
        clients.wait_for_more(20)
    told_after = re.search(r"\[(\d+\.\d)s\] a: back to what it was", done.stderr)
    assert told_after
    assert float(told_after[1]) < float(lasts_s) + 5.0
    # stopped after the first one, and none of the old ones left
    assert (len(population.others), population.fewest_ready) == (1, 4)
    # a connection of the one that died is all that may be lost; a GET is sent again on another (RFC 9110, 9.2.2)
    assert {failure.how for failure in clients.failures} <= {"closed", "reset"}
    assert not {failure.served_by for failure in clients.failures} & {str(pid) for pid in before.values()}
    lost = [failure.client for failure in clients.failures]
    assert len(set(lost)) == len(lost), "one connection of each client"
    assert "exit code 3" in done.stderr
    assert manager.pids("a") == before
    assert manager.group("a")["last_error"]["message"] == "exit code 3"


def test_the_application_of_a_new_process_answers_before_it_joins(manager: ManagerUnderTest) -> None:
    port = manager.port()
    health = '[groups.a.rollout]\nmin-ready-time = 0\nhealth-path = "/health"\n'
    manager.apply(text(port, health))
    before = manager.pids("a")
    with manager.clients(port, 4) as clients, Population(manager, "a", of=set(before.values())) as population:
        done = manager.apply(text(port, health, ANSWERS="500 Oh"), code=8)
        clients.wait_for_more(20)
    assert (len(never_ready(manager)), population.fewest_ready) == (1, 4)
    assert clients.failures == []
    assert "GET /health was answered with 500 Oh" in done.stderr
    assert manager.pids("a") == before


def test_what_answers_with_errors_only_is_taken_back(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(text(port))
    before = manager.pids("a")
    # On new connections: an old process keeps those that it has. Without a rest: old processes that are all idle are
    # asked first.
    with Clients(port, 8, close=True, rest_s=0):
        done = manager.apply(text(port, ANSWERS="500 Oh"), code=8)
    assert "abort-error-rate: " in done.stderr
    assert manager.pids("a") == before
    assert manager.group("a")["proved"]


def test_a_rollout_is_seen_in_the_status(manager: ManagerUnderTest) -> None:
    port = manager.port()
    slow = WATCHED.replace("5s", "1h")
    manager.apply(text(port, slow))
    assert manager.group("a")["rollout"] is None
    manager.apply(text(port, slow, A="1"), "--no-wait")
    seen = manager.wait_for("a new one is ready", lambda: (r := manager.group("a")["rollout"]) and r["new_ready"] and r)
    assert (seen["old_ready"], seen["surge"], seen["unavailable"], seen["short_of_memory"]) == (4, 1, 0, False)
    assert seen["watched_s"] > 3000
    assert not manager.group("a")["proved"]


def test_two_targets_that_fail_one_after_the_other_are_no_storm(manager: ManagerUnderTest) -> None:
    """The first has not failed yet when the second is asked for; its manager dies in the third."""
    port = manager.port()
    manager.apply(text(port))
    before = manager.pids("a")
    manager.apply(text(port, LASTS_S="0.3"), "--no-wait")
    manager.apply(text(port).replace("lasting_app", "loading.nowhere"), code=8)
    manager.apply(text(port, LASTS_S="2"), "--no-wait")
    manager.wait_for("the third is tried", lambda: len(manager.group("a")["processes"]) > 4)
    killed = manager.manager_pid
    os.kill(killed, signal.SIGKILL)
    assert not outlives(killed, 10.0)
    manager.expect_in_log("nowhere")
    manager.apply(text(port))
    assert manager.pids("a") == before
    started = sum(line.count("life=") for line in manager.log("manager").splitlines() if "before it was ready" in line)
    assert started <= 4
