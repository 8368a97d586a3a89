"""`access-log` of a running group: it goes to the group's log, and a change of it touches no process."""

from __future__ import annotations

import json

from support.manager import APPS, ManagerUnderTest


def test_a_change_of_the_access_log_touches_no_process(manager: ManagerUnderTest) -> None:
    port = manager.port()

    def with_access_log(form: str) -> str:
        where = f'app = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        return f'[groups.a]\n{where}access-log = "{form}"\n'

    manager.apply(with_access_log("off"))
    before = manager.pids("a")
    manager.get(port, "/silent")
    manager.apply(with_access_log("common"))
    manager.get(port, "/common")
    manager.wait_for("the line is in the log", lambda: '"GET /common HTTP/1.1" 200' in manager.log("a"))
    manager.apply(with_access_log("json"))
    manager.get(port, "/json")
    manager.wait_for("the record is in the log", lambda: '"target":"/json"' in manager.log("a"))
    record = next(line for line in manager.log("a").splitlines() if '"target":"/json"' in line)
    assert json.loads(record)["status"] == 200
    assert "/silent" not in manager.log("a")
    assert manager.pids("a") == before
