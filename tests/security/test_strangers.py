"""Who is neither root nor in the read group calls the control socket, again and again: it is the kernel that refuses.

Where the file's mode does not refuse, as after a mistake with chmod(1), the manager does, by the peer's credentials
(SO_PEERCRED, unix(7)). As root.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from support.accounts import ALICE_UID, BOB_UID, STAFF_GID
from support.manager import APPS, ManagerUnderTest
from support.routes import with_values

from wsgigroups.manager.control.routes import ROUTES, TEXTS, Access

pytestmark = pytest.mark.root

NOBODY_UID = 65534
CALLS = 1000
LINES, LINES_PER_S = 20, 1  # that strangers may cause in the log: at once, and a second after that
CALLER = """
import collections, json, socket, sys
path, count, requests = sys.argv[1], int(sys.argv[2]), sys.argv[3:]
seen = collections.Counter()
for number in range(count):
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(30)
        try:
            sock.connect(path)
            method, _space, route = requests[number % len(requests)].partition(" ")
            body = b"{}" if method == "POST" else b""
            head = f"{method} {route} HTTP/1.1\\r\\nHost: localhost\\r\\nContent-Length: {len(body)}\\r\\n\\r\\n"
            sock.sendall(head.encode() + body)
            answer = sock.recv(65536)
        except OSError as error:
            seen[type(error).__name__] += 1
        else:
            seen[answer.split()[1].decode() if answer else "closed"] += 1
print(json.dumps(seen))
"""


@pytest.fixture
def group(manager: ManagerUnderTest) -> Iterator[dict[int, int]]:
    """A group of alice's, whose processes stay; by slot."""
    app = f'app = "hello_app:application"\npython-path = ["{APPS}"]\n'
    manager.apply(f'[groups.a]\n{app}listen = ["127.0.0.1:{manager.port()}"]\nuser = "alice"\n')
    before = manager.pids("a")
    yield before
    assert manager.pids("a") == before


def calls(manager: ManagerUnderTest, uid: int, count: int, requests: list[str], *groups: int) -> dict[str, int]:
    """What so many calls of this user came to."""
    done = subprocess.run(
        [sys.executable, "-I", "-c", CALLER, str(manager.run_dir / "control.sock"), str(count), *requests],
        user=uid, group=uid, extra_groups=groups, env={"PATH": os.defpath}, cwd="/",
        capture_output=True, text=True, timeout=100, check=True,
    )  # fmt: skip
    found: dict[str, int] = json.loads(done.stdout)
    return found


def requests(access: Access) -> list[str]:
    return [f"{route.method} {with_values(route.path)}" for route in (*ROUTES, *TEXTS) if route.access is access]


@pytest.mark.parametrize("uid", [NOBODY_UID, ALICE_UID, BOB_UID])
def test_the_file_lets_no_stranger_in(manager: ManagerUnderTest, group: dict[int, int], uid: int) -> None:
    assert group
    assert calls(manager, uid, CALLS, ["GET /v1/status"]) == {"PermissionError": CALLS}


@pytest.mark.parametrize("uid", [NOBODY_UID, ALICE_UID])
def test_where_the_file_lets_everybody_in_the_manager_refuses(
    manager: ManagerUnderTest, group: dict[int, int], uid: int
) -> None:
    assert group
    began_s = time.monotonic()
    (manager.run_dir / "control.sock").chmod(0o777)
    every = [*requests(Access.READ), *requests(Access.ADMINISTER)]
    assert calls(manager, uid, CALLS, every) == {"403": CALLS}
    lines = re.findall(rf"warning: uid {uid} \(pid \d+\) may not (?:GET|POST) /(?:v1/|metrics)", manager.log("manager"))
    assert 1 <= len(lines) <= LINES + LINES_PER_S * (time.monotonic() - began_s)
    assert manager.status()["groups"][0]["state"] == "ready"


def test_members_of_the_read_group_change_nothing(manager: ManagerUnderTest) -> None:
    app = f'app = "hello_app:application"\npython-path = ["{APPS}"]\n'
    path = manager.write(f'[groups.a]\n{app}listen = ["127.0.0.1:{manager.port()}"]\nuser = "alice"\n')
    with manager.foreground("--read-group", "staffers", str(path)):
        manager.wait_for("it answers", manager.client.running)
        manager.wait_for("it is ready", lambda: manager.status()["groups"] and manager.pids("a"))
        before = manager.pids("a")
        changing = requests(Access.ADMINISTER)
        assert calls(manager, BOB_UID, 10 * len(changing), changing, STAFF_GID) == {"403": 10 * len(changing)}
        reading = [
            request for request in requests(Access.READ) if "changes" not in request and "/metrics/" not in request
        ]
        assert calls(manager, BOB_UID, len(reading), reading, STAFF_GID) == {"200": len(reading)}
        assert calls(manager, NOBODY_UID, 10, reading) == {"PermissionError": 10}
        assert manager.pids("a") == before
