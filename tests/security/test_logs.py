"""What a process says of others is its own words, and its log is not its own (as root)."""

from __future__ import annotations

import http.client
import json
import re
from pathlib import Path
from urllib.parse import quote

import pytest
from support.accounts import ALICE_UID
from support.manager import ManagerUnderTest

pytestmark = pytest.mark.root

HEAD = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\S+) life=(\d+) pid=(\d+)( |$)")
APPLICATION = """
import json, os, sys

def application(environ, start_response):
    names = {"os": os, "sys": sys, "said": None}
    try:
        exec(environ["wsgi.input"].read().decode(), names)
    except OSError as error:
        names["said"] = error.strerror
    body = json.dumps(names["said"]).encode()
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]
"""
FORGERIES = [
    "2026-01-31T09:00:00.000Z manager pid=1 info: manager ended",
    "2026-01-31T09:00:00.000Z b/1 life=1 pid=1 error: gone",
    "2026-01-31T09:00:00.000Z a/2 life=99 pid=1 error: gone",
    '{"Timestamp":"2026-01-31T09:00:00.000Z","Resource":{"service.name":"b"},"Body":"gone"}',
]
LISTING = """
said = []
for fd in os.listdir("/proc/self/fd"):
    try:
        said.append(os.readlink("/proc/self/fd/" + fd))
    except OSError:  # the one of the listing itself
        pass
"""
ODD = ["\\r", "\\x1b[2J", "\\x00", "\\u2028", "\\x85", "a" * (1 << 20)]


def run(port: int, code: str) -> object:
    """Have the application run some Python; what it left in `said`, or the error of the system."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", "/", code)
        response = connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return json.loads(body)
    finally:
        connection.close()


@pytest.fixture
def port(manager: ManagerUnderTest) -> int:
    """Of a group of alice's, two processes."""
    found = manager.port()
    (manager.base / "obeying_app.py").write_text(APPLICATION)
    manager.apply(
        f'[groups.a]\napp = "obeying_app:application"\npython-path = ["{manager.base}"]\nprocesses = 2\n'
        f'listen = ["127.0.0.1:{found}"]\nuser = "alice"\n'
    )
    return found


def test_no_record_has_a_forged_source(manager: ManagerUnderTest, port: int) -> None:
    pids = {str(pid) for pid in manager.pids("a").values()}
    forged = "\\n".join(FORGERIES)
    by = [f"os.write(fd, text.encode('utf-8', 'surrogateescape')) # {fd}" for fd in (1, 2)]
    by += ["print(text)", "print(text, file=sys.stderr)", "sys.stderr.write(text + '\\n')"]
    for way in by:
        fd = way.rpartition("# ")[2] if "# " in way else "1"
        run(port, f"fd = {fd}\ntext = '\\\\n{forged}\\\\n'\n{way}".replace("\\\\n", "\\n"))
        for odd in ODD:
            run(port, f"fd = {fd}\ntext = 'x{odd}{FORGERIES[0]}\\n'\n{way}")
    run(port, "os.write(1, b'\\xff\\xfe\\x80 no UTF-8\\n')")
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("POST", "/" + quote(forged), "print('hello')", {"User-Agent": FORGERIES[1]})
    connection.getresponse().read()
    connection.close()
    lines = manager.log("a").splitlines()
    assert len([line for line in lines if FORGERIES[1] in line]) >= len(by), "they were said"
    for line in lines:
        found = HEAD.match(line)
        assert found or line.startswith("    "), line[:200]
        assert not found or found[1] in ("a/1", "a/2"), line[:200]
        assert not found or found[3] in pids, line[:200]
    assert "\x1b" not in manager.log("a")
    assert "manager ended" not in manager.log("manager")


def test_a_process_can_neither_empty_nor_open_its_log(manager: ManagerUnderTest, port: int) -> None:
    log = manager.log_dir / "a.log"
    run(port, "print('what it did')")
    assert "what it did" in manager.log("a")
    before = log.stat().st_size
    for fd in range(3):
        assert run(port, f"os.ftruncate({fd}, 0)") == "Invalid argument", fd
    opened = run(port, LISTING)
    assert isinstance(opened, list)
    assert str(log) not in opened
    assert run(port, f"open({str(log)!r}, 'a')") in ("Permission denied", "No such file or directory")
    assert log.stat().st_size >= before
    assert log.stat().st_uid != ALICE_UID
    assert Path(f"/proc/{manager.pids('a')[1]}").stat().st_uid == ALICE_UID
