"""What a tenant can send towards the manager: nothing that makes it wait, grow, or work for nobody else."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time

import psutil
import pytest
from support.tenants import SOON_S, Tenants

pytestmark = pytest.mark.root


def test_descriptors_do_not_travel_towards_the_manager(tenants: Tenants) -> None:
    """One that does not close would freeze who receives it: for twelve seconds, or as long as its sender likes."""
    tenants.apply(tenants.text())
    before = tenants.manager_descriptors()
    pid = tenants.pids("a")[1]
    assert tenants.attack("descriptors/1") == "BrokenPipeError"
    assert tenants.attack("descriptors/250") == "BrokenPipeError"
    os.kill(pid, signal.SIGKILL)
    tenants.followed(pid)
    tenants.all_is_well()
    # who asks for its status is a connection for a moment longer
    tenants.soon("none is left", lambda: tenants.manager_descriptors() <= before)


def test_a_spawner_without_a_manager_is_not_frozen_either(tenants: Tenants) -> None:
    tenants.apply(tenants.text())
    pid = tenants.pids("a")[1]
    manager = tenants.manager_pid
    os.kill(manager, signal.SIGKILL)
    assert tenants.attack("descriptors/1") == "BrokenPipeError"
    os.kill(pid, signal.SIGKILL)
    tenants.apply(tenants.text())
    tenants.followed(pid)
    tenants.all_is_well()


def test_a_flood_of_a_process_that_outlives_the_daemon_ends_with_it(tenants: Tenants) -> None:
    """One buffer is read after a death, and nobody has the read end then: who writes on is told so by the kernel."""
    tenants.apply(tenants.text())
    pid = tenants.pids("a")[1]
    stray = tenants.stray("flood")
    tenants.followed(pid)
    tenants.soon("its pipe is broken", lambda: not psutil.pid_exists(stray))
    tenants.all_is_well()
    assert len(tenants.log("manager")) < 65536


def test_who_floods_is_cut_off_and_followed_ever_later(tenants: Tenants) -> None:
    tenants.apply(tenants.text())
    began_s = time.monotonic()
    pid = tenants.pids("a")[1]
    for _round in range(3):
        tenants.attack("flood-here")
        tenants.all_is_well()
        pid = tenants.followed(pid)
    assert time.monotonic() - began_s > 0.25 * 0.8, "the second and third wait for their turn"
    assert tenants.log("manager").count(": reports, it sends more than 10 messages a second") == 3
    assert tenants.group("a")["restarts"] == 3


@pytest.mark.parametrize(("how", "why"), [("garbage", "a line is longer"), ("foreign", "what is not its to send")])
def test_who_sends_what_is_no_message_of_its_own_is_followed(tenants: Tenants, how: str, why: str) -> None:
    tenants.apply(tenants.text())
    pid = tenants.pids("a")[1]
    tenants.attack(how)
    tenants.followed(pid)
    tenants.all_is_well()
    assert why in tenants.log("manager")
    assert tenants.log("manager").count("not its own was dropped") <= 16


def test_who_names_the_process_of_somebody_else_has_nothing_done_to_it(tenants: Tenants) -> None:
    """Ready again and again, and as another pid: what is signalled, shown and asked is the process that was forked."""
    tenants.apply(tenants.text("[groups.a.rollout]\nmin-ready-time = 0"))
    with subprocess.Popen(["/bin/sleep", "600"]) as bystander:
        try:
            for victim in (bystander.pid, tenants.pids("b")[1], tenants.manager_pid):
                before, pid = tenants.pids("b"), tenants.pids("a")[1]
                tenants.attack(f"lies/{victim}")
                tenants.all_is_well()
                assert victim not in tenants.pids("a").values()
                before = tenants.pids("b")  # one that was killed has been followed
                assert tenants.cli("restart", "a").returncode == 0
                tenants.soon("it is gone", lambda pid=pid: not psutil.pid_exists(pid))
                assert tenants.pids("b") == before
            assert tenants.cli("stop", "a").returncode == 0
            assert bystander.poll() is None
            assert tenants.pids("b") == before
        finally:
            bystander.kill()
    assert "[BUG]" not in tenants.log("manager")


def test_who_claims_to_be_another_group_with_another_address_stays_who_it_is(tenants: Tenants) -> None:
    tenants.apply(tenants.text())
    shown = {name: tenants.group(name)["listen"] for name in ("a", "b")}
    tenants.attack("claims")
    tenants.all_is_well()
    assert {name: tenants.group(name)["listen"] for name in ("a", "b")} == shown
    assert not set(tenants.pids("a").values()) & set(tenants.pids("b").values())
    assert tenants.get(tenants.a, "/")[0] == 200


def test_who_leaves_at_once_again_and_again_is_followed_ever_later(tenants: Tenants) -> None:
    """It had nine new lives a second and an `apply` that never ended."""
    began_s = time.monotonic()
    tenants.apply(tenants.text(app="hasty_app"), timeout_s=SOON_S * 3)
    highest = tenants.soon("four lives", lambda: (n := _lives(tenants)) >= 4 and n)
    lasted_s = time.monotonic() - began_s
    assert lasted_s > 0.8 * (0.25 + 0.5)
    assert highest <= 4 + lasted_s / (0.8 * 0.25)
    assert re.search(
        "maximum-requests, a successor starts in .* s, it was ready for a moment only", tenants.log("manager")
    )
    tenants.all_is_well()
    assert tenants.get(tenants.a)[0] == 200, "it serves while its wish waits"


def _lives(tenants: Tenants) -> int:
    return max(int(number) for number in re.findall(r"a/1 life=(\d+)", tenants.log("manager")) or ["0"])


def test_a_process_that_blinds_its_supervision_is_as_good_as_one_that_hangs(tenants: Tenants) -> None:
    tenants.apply(tenants.text('deadlock-timeout = "10m"'))
    pid = tenants.pids("a")[1]
    tenants.attack("board")
    tenants.followed(pid)
    assert "board, its board has a time that is still to come" in tenants.log("manager")
    tenants.all_is_well()


def test_the_log_of_bad_requests_is_bounded_and_counts_what_it_leaves_out(tenants: Tenants) -> None:
    tenants.apply(tenants.text())
    asked = 0
    began_s = time.monotonic()
    while time.monotonic() - began_s < 2.5:
        with socket.create_connection(("127.0.0.1", tenants.b), SOON_S) as sock:
            sock.sendall(b"NOT HTTP\r\n\r\n")
            while sock.recv(4096):
                pass
            asked += 1
    lines = tenants.log("b").splitlines()
    assert sum(" 400: " in line for line in lines) <= 20 * 4
    left_out = sum(
        int(number) for number in re.findall(r": (\d+) records of level info were left out", tenants.log("b"))
    )
    assert asked > 200
    assert left_out > asked / 4
