"""Real processes that follow the load: a group that sleeps and is woken, one that grows, one that shrinks."""

from __future__ import annotations

import http.client
import os
import signal
from typing import Any

from support.faults import outlives
from support.gate import Gate
from support.manager import APPS, HUNG_S, ManagerUnderTest
from support.sites import one_site

GOOD = (APPS / "hello_app.py").read_text()


def scaled(manager: ManagerUnderTest, name: str) -> list[str]:
    """What the journal has of changes that nobody asked for."""
    events = manager.client.get(f"/v1/events?group={name}")["events"]
    return [event["text"] for event in events if event["kind"] == "scaled"]


def answer(port: int) -> http.client.HTTPResponse:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/")
    response = connection.getresponse()
    response.read()
    connection.close()
    return response


def test_a_group_sleeps_and_who_connects_is_answered_whether_it_comes_up_or_not(manager: ManagerUnderTest) -> None:
    port, top = manager.port(), manager.base / "srv"
    top.mkdir(mode=0o755)
    shop = top / "shop.py"
    shop.write_text(GOOD)
    manager.apply(
        f'[groups.a]\napp = "shop:application"\npython-path = ["{top}"]\nlisten = ["127.0.0.1:{port}"]\n'
        'processes-min = 0\ninactivity-timeout = "300ms"\nconnect-timeout = "1h"\n'
    )

    def asleep() -> bool:
        group = manager.group("a")
        return group["state"] == "asleep" and not group["processes"]

    manager.wait_for("it sleeps", asleep)
    assert manager.cli("status", "--check").returncode == 0
    assert "nobody asks for anything" in manager.cli("status").stdout
    assert answer(port).status == 200
    assert scaled(manager, "a")[:2] == ["1 → 0 processes: no request for 0.3 s", "0 → 1 processes: somebody connects"]

    manager.wait_for("it sleeps again", asleep)
    manager.expect_in_log("not today")
    shop.write_text("raise RuntimeError('not today')\n")
    refused = answer(port)
    assert (refused.status, refused.getheader("Retry-After")) == (503, "5")
    shop.write_text(GOOD)
    manager.wait_for("it comes up", lambda: answer(port).status == 200)
    manager.wait_for("and sleeps", asleep)
    manager.cli("stop", "a")
    assert not manager.listening(port)


def test_processes_go_one_after_the_other_when_fewer_are_enough_and_nobody_loses_an_answer(
    manager: ManagerUnderTest,
) -> None:
    port = manager.port()
    text = (
        f'[groups.a]\napp = "crashing_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        'processes = 3\nprocesses-min = 1\nprocesses-max = 3\nscale-down-delay = "1s"\nqueue-target = 0\n'
    )
    manager.apply(text)
    with manager.clients(port, 4) as clients:
        manager.wait_for("one serves", lambda: len(manager.pids("a")) == 1)
        clients.wait_for_more(50)
    assert clients.failures == []
    assert [told.split(":")[0] for told in scaled(manager, "a")] == ["3 → 2 processes", "2 → 1 processes"]
    plan = manager.cli("plan", str(manager.write(text)))
    assert plan.returncode == 0
    assert "a: 1 process by its load" in plan.stderr


def test_a_group_grows_while_requests_wait_and_processors_are_idle(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(
        f'[groups.a]\napp = "slow_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        "threads = 1\nprocesses-max = 6\n"
    )

    def grown() -> Any:
        found = manager.group("a")
        held: str = found["scaling"]["held"] or ""
        # what the machine has no room for beside others is no failure of the law
        return found["processes_ready"] == 6 or "all processors are busy" in held or "memory" in held

    with manager.clients(port, 8, "/0.2") as clients:
        manager.wait_for("it has grown", grown)
    assert clients.failures == []
    assert manager.cli("scale", "a=2").returncode == 0
    assert (manager.group("a")["processes_wanted"], manager.group("a")["scaling"]["pinned"]) == (2, True)


def test_nobody_goes_while_processes_are_replaced(manager: ManagerUnderTest) -> None:
    """Both groups could go down to one: `a` is in a rollout that waits for the test, `b` shows that looks go on."""
    ports = {"a": manager.port(), "b": manager.port()}
    app, gate = {"a": "loading.gated_import", "b": "hello_app"}, manager.base / "gate"
    gate.mkdir(mode=0o755)

    def text(least: int, word: str) -> str:
        return "".join(
            f'[groups.{name}]\napp = "{app[name]}:application"\npython-path = ["{APPS}"]\n'
            f'listen = ["127.0.0.1:{port}"]\nstartup-timeout = "1h"\nscale-down-delay = "1s"\n'
            f"processes = 3\nprocesses-min = {least}\nprocesses-max = 3\n"
            f'environment = {{ GATE_DIRECTORY = "{gate}", WORD = "{word if name == "a" else ""}" }}\n'
            for name, port in ports.items()
        )

    with Gate(gate) as held:
        held.release(3)
        manager.apply(text(3, "before"))
        begun = manager.cli("apply", "--yes", "--no-wait", str(manager.write(text(1, "after"))))
        assert begun.returncode == 0, begun.stderr
        manager.wait_for("b is down to one", lambda: manager.group("b")["processes_wanted"] == 1)
        assert manager.group("a")["processes_wanted"] == 3
        assert scaled(manager, "a") == []
    manager.wait_for("a is down to one when the rollout is over", lambda: len(manager.pids("a")) == 1)
    assert [told.split(":")[0] for told in scaled(manager, "a")] == ["3 → 2 processes", "2 → 1 processes"]


def test_a_host_whose_group_sleeps_is_answered_through_the_gateway(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(one_site(manager, port, "hello_app", group='processes-min = 0\ninactivity-timeout = "300ms"'))
    manager.wait_for("it sleeps", lambda: manager.group("app")["state"] == "asleep")
    assert answer(port).status == 200
    assert scaled(manager, "app")[1] == "0 → 1 processes: somebody connects"


def test_a_group_sleeps_on_under_the_next_manager_and_is_woken_by_it(manager: ManagerUnderTest) -> None:
    port = manager.port()
    text = "".join(
        f'[groups.{name}]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        f'listen = ["127.0.0.1:{at}"]\n{more}\n'
        for name, at, more in (
            ("a", port, 'processes-min = 0\ninactivity-timeout = "300ms"'),
            ("b", manager.port(), ""),
        )
    )
    manager.apply(text)
    manager.wait_for("it sleeps", lambda: manager.group("a")["state"] == "asleep" and not manager.processes_of("a"))
    manager.restart("b")  # at the end of a change the state is stored, and soon after anything else
    killed = manager.manager_pid
    os.kill(killed, signal.SIGKILL)
    assert not outlives(killed, HUNG_S)
    manager.apply(text)
    assert manager.manager_pid != killed
    assert scaled(manager, "a") == ["1 → 0 processes: no request for 0.3 s"]
    assert manager.group("a")["state"] == "asleep"
    assert answer(port).status == 200
