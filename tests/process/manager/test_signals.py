"""Signals to a manager that is up: each has an effect that is documented, or none, and nothing undoes an end."""

from __future__ import annotations

import os
import random
import signal
import time

from support.faults import outlives
from support.gate import Gate
from support.manager import APPS, ManagerUnderTest


def group(port: int, app: str = "hello_app", more: str = "") -> str:
    return f'[groups.a]\napp = "{app}:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{more}'


def test_signals_without_an_effect_are_logged_and_do_nothing(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group(port))
    pid, pids = manager.manager_pid, manager.pids("a")
    logged = {signal.SIGUSR2, signal.SIGALRM, signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGSTKFLT}
    logged.update(range(signal.SIGRTMIN + 3, signal.SIGRTMAX + 1))
    os.kill(pid, signal.SIGSTOP)  # then all come in the same moment, each in the handler of the one before
    for number in (*logged, signal.SIGPIPE, signal.SIGWINCH, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGURG):
        os.kill(pid, number)
    os.kill(pid, signal.SIGCONT)
    manager.wait_for("all is logged", lambda: manager.log("manager").count("does nothing to a manager") == len(logged))
    assert "SIGUSR2 does nothing to a manager" in manager.log("manager")
    assert (manager.manager_pid, manager.pids("a")) == (pid, pids)


def test_the_stacks_of_the_manager_are_logged(manager: ManagerUnderTest) -> None:
    manager.apply(group(manager.port()))
    os.kill(manager.manager_pid, signal.SIGQUIT)
    manager.wait_for("they are there", lambda: "most recent call first" in manager.log("manager"))
    manager.status()


def test_a_storm_of_signals_ends_nothing_and_hides_no_end(manager: ManagerUnderTest) -> None:
    port = manager.port()
    path = manager.write(group(port))
    kinds = [signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGWINCH]
    pick = random.Random(43).choice
    with manager.foreground(str(path)) as process:
        manager.wait_up("a")
        pids = manager.pids("a")
        for _ in range(1000):
            process.send_signal(pick(kinds))
        assert manager.get(port)[0] == 200
        assert manager.pids("a") == pids
        manager.wait_for("it was read again", lambda: "SIGHUP: no changes" in manager.foreground_log())
        for number in (signal.SIGTERM, *(pick(kinds) for _ in range(300))):
            process.send_signal(number)
        assert process.wait(30) == 0
    log = manager.foreground_log()
    assert "Traceback" not in log
    assert "[BUG]" not in log
    assert log.count("reading the configuration again") < 200
    assert [found.name for found in manager.run_dir.rglob("*")] == []


def test_what_is_read_again_is_applied(manager: ManagerUnderTest) -> None:
    port = manager.port()
    path = manager.write(group(port))
    with manager.foreground(str(path)) as process:
        manager.wait_up("a")
        manager.write(group(port, more="processes = 2\n"))
        process.send_signal(signal.SIGHUP)
        manager.wait_for("it is applied", lambda: len(manager.pids("a")) == 2)
        manager.write(group(port, more="processes = zero\n"))
        process.send_signal(signal.SIGHUP)
        manager.wait_for("it is refused", lambda: "what runs stays" in manager.foreground_log())
        assert len(manager.pids("a")) == 2


def test_a_second_term_hastens(manager: ManagerUnderTest) -> None:
    port = manager.port()
    path = manager.write(group(port, "slow_app", 'shutdown-timeout = "10m"\n'))
    with manager.foreground(str(path)) as process:
        manager.wait_up("a")
        with manager.background_get(port, "/600"):
            manager.wait_for("it is asked", lambda: manager.group("a")["requests_active"])
            process.send_signal(signal.SIGTERM)
            process.send_signal(signal.SIGTERM)  # the same one, as far as anybody can tell
            assert outlives(process.pid, 0.5)
            began_s = time.monotonic()
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0
            assert time.monotonic() - began_s < 20
    assert "SIGTERM again: what drains is ended now" in manager.foreground_log()


def test_hup_and_others_do_not_undo_an_end(manager: ManagerUnderTest) -> None:
    port = manager.port()
    path = manager.write(group(port, "gated_app", f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\n'))
    with Gate(manager.base) as gate, manager.foreground(str(path)) as process:
        manager.wait_up("a")
        with manager.background_get(port, "/held") as answer:
            gate.wait_arrival()
            process.send_signal(signal.SIGTERM)
            manager.wait_for("it drains", lambda: "asked to end" in manager.foreground_log())
            manager.write(group(port, "gated_app", "processes = 3\n"))
            for number in (signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGCHLD, signal.SIGHUP):
                process.send_signal(number)
            manager.wait_for("it is told so", lambda: "nothing is read any more" in manager.foreground_log())
            assert outlives(process.pid, 0.2), "the request goes on"
            gate.release()
            assert answer() is not None
        assert process.wait(30) == 0
        gate.close()
    assert "reading the configuration again" not in manager.foreground_log()
    assert [found.name for found in manager.run_dir.rglob("*")] == []
