"""Deaths of real processes: what is on record of each, while a manager runs, without one, and under the next."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

from support.faults import outlives
from support.gate import Gate
from support.manager import APPS, HUNG_S, ManagerUnderTest


def group(manager: ManagerUnderTest, app: str, port: int, extra: str = "") -> str:
    environment = f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}'
    where = f'python-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]'
    return f'[groups.shop]\napp = "{app}:application"\n{where}\n{environment}\n{extra}\n'


def deaths(manager: ManagerUnderTest) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = manager.client.get("/v1/deaths?group=shop&limit=100")["deaths"]
    return found


def death_of(manager: ManagerUnderTest, pid: int) -> dict[str, Any]:
    found: dict[str, Any] = manager.wait_for(
        "its death is on record", lambda: next((death for death in deaths(manager) if death["pid"] == pid), None)
    )
    return found


def wait_another(manager: ManagerUnderTest, pid: int) -> int:
    found: int = manager.wait_for("another one", lambda: (p := manager.pids("shop").get(1)) not in (None, pid) and p)
    return found


def test_how_processes_ended_and_what_they_were_doing(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("Fatal Python error: Segmentation fault")
    port = manager.port()
    manager.apply(group(manager, "crashing_app", port))
    crashed = manager.pids("shop")[1]
    with manager.background_get(port, "/segfault?card=4111") as answer:
        assert answer() is None
    exited = wait_another(manager, crashed)
    with manager.background_get(port, "/exit/3") as answer:
        assert answer() is None
    stopped = wait_another(manager, exited)
    assert manager.cli("stop", "shop").returncode == 0
    assert death_of(manager, stopped)["cause"] == "stopped"

    first = death_of(manager, crashed)
    assert (first["cause"], first["signal"], first["asked"]) == ("crashed", "SIGSEGV", False)
    assert (first["requests_total"], first["revision"]) == (1, 1)
    (request,) = first["requests"]
    assert request["asked"] == "GET /segfault"
    assert request["frame"]["kind"] == "application"
    assert re.search(r"/crashing_app\.py:\d+$", request["frame"]["place"])
    assert request["frame"]["function"] == "end_process"
    assert request["stack"][-1]["place"] == "ctypes", "what the library does is folded"
    assert first["rss_bytes"] > 2**20
    assert first["cpu_s"] >= 0
    assert "Fatal Python error" in "\n".join(first["log"])
    second = death_of(manager, exited)
    assert (second["cause"], second["exit_code"], second["signal"]) == ("exited", 3, None)
    assert second["requests"][0]["asked"] == "GET /exit/3"

    said = manager.cli("why", "shop").stdout
    assert re.search(
        rf"\d\d:\d\d:\d\d shop/1 \(pid {crashed}, up \d+\.\d s\) crashed: SIGSEGV, while answering GET /segfault\n",
        said,
    )
    assert f"(pid {exited}, up " in said
    assert "exited by itself: exit code 3" in said
    assert manager.cli("why", "shop", "--last", "1").stdout.count("(pid ") == 1
    assert "Fatal Python error" in manager.cli("why", "shop", "--stacks").stdout
    assert "4111" not in json.dumps(deaths(manager))
    assert "4111" not in manager.cli("why", "shop", "--stacks").stdout


def test_who_is_killed_in_requests_has_them_on_record_whoever_finds_it_dead(manager: ManagerUnderTest) -> None:
    """By the manager, by the spawner while there is none, and by a manager whose spawner has gone as well."""
    with Gate(manager.base) as gate:
        port = manager.port()
        text = group(manager, "gated_app", port, "threads = 2")
        manager.apply(text)
        with manager.background_get(port, "/one?secret=1"), manager.background_get(port, "/two"):
            killed, _word = gate.wait_arrival()
            gate.wait_arrival()
            os.kill(killed, signal.SIGKILL)
        seen = death_of(manager, killed)
        assert (seen["cause"], seen["signal"], seen["managed"]) == ("killed", "SIGKILL", True)
        assert sorted(request["asked"] for request in seen["requests"]) == ["GET /one", "GET /two"]
        unseen = wait_another(manager, killed)
        with manager.background_get(port, "/three"):
            gate.wait_arrival()
            former = manager.manager_pid
            os.kill(former, signal.SIGKILL)
            assert not outlives(former, HUNG_S)
            os.kill(unseen, signal.SIGKILL)
            assert not outlives(unseen, HUNG_S)
        left = json.loads(manager.cli("why", "shop", "-o", "json").stdout)
        assert [death["pid"] for death in left["groups"][0]["deaths"]] == [killed], "read without a manager"
        manager.apply(text)
        found = death_of(manager, unseen)
        assert (found["cause"], found["managed"], found["exit_code"]) == ("killed", False, None)
        assert [request["asked"] for request in found["requests"]] == ["GET /three"]
        assert [death["pid"] for death in deaths(manager)][:2] == [killed, unseen]
        assert deaths(manager)[0] == seen
        gate.close()
