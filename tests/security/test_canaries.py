"""Twenty secrets go in by every way that there is for one, and nothing that speaks of the groups has one of them.

They are values of `environment` and of a file of it, parts of an address of a database, fields of requests. After a
start, a change, a failed change, a crash, a slow request and an exception, everything that can be asked is asked.
"""

from __future__ import annotations

import http.client
import json
import os
import re
import stat
from pathlib import Path

import psutil
import pytest
from support.manager import APPS, ManagerUnderTest
from support.routes import with_values
from support.unix_clients import unix_get

from wsgigroups.manager.control.routes import ROUTES, TEXTS

CANARIES = [f"cAnArY-{number:02}-x9q" for number in range(20)]
SEEN_BY_NOBODY = {"Cookie": f"session={CANARIES[17]}", "Authorization": f"Bearer {CANARIES[18]}"}


def configured(port: int, file: Path, app: str = "slow", token: str = CANARIES[2]) -> str:
    """The group that runs."""
    values = dict(zip(["SECRET_KEY", "PASSWORD", "API_TOKEN", "PLAIN", "GREETING"], CANARIES, strict=False))
    values["API_TOKEN"] = token
    values["DATABASE_URL"] = f"postgresql://shop:{CANARIES[5]}@localhost/shop?sslpassword={CANARIES[6]}"
    environment = ", ".join(f'{name} = "{value}"' for name, value in values.items())
    return (
        f'[groups.a]\napp = "{app}_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        f'processes = 2\nslow-request = "1ms"\naccess-log = "json"\nenvironment-files = ["{file}"]\n'
        f"environment = {{ {environment} }}\n"
    )


def bad(port: int, file: Path) -> str:
    """One whose application does not load."""
    return (
        f'[groups.bad]\napp = "loading.raising:application"\npython-path = ["{APPS}"]\n'
        f'listen = ["127.0.0.1:{port}"]\nenvironment = {{ TOKEN = "{CANARIES[15]}" }}\n'
        f'environment-files = ["{file}"]\n'
    )


def ask(port: int, path: str) -> None:
    """One request with secrets in its head, whatever becomes of it."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("POST", path, f"password={CANARIES[19]}", SEEN_BY_NOBODY)
        connection.getresponse().read()
    except (http.client.HTTPException, ConnectionError):
        assert path == "/segfault"
    finally:
        connection.close()


def hits(text: str) -> list[str]:
    return [canary for canary in CANARIES if canary in text]


def outputs(manager: ManagerUnderTest, file: Path, other: Path) -> dict[str, str]:
    """What each command that only looks says, by its words."""
    commands = [
        ["status"], ["status", "-o", "wide"], ["status", "-o", "json"], ["status", "a"], ["status", "bad"],
        ["why", "a"], ["why", "bad"], ["why", "bad", "-o", "json"], ["events"], ["events", "-o", "json"], ["history"],
        ["history", "1"], ["history", "2"], ["history", "2", "-o", "json"], ["advise"], ["logs"],
        ["logs", "a", "-n", "500"], ["plan", str(file)], ["plan", str(other)],
        ["plan", "-o", "json", str(other)], ["validate", str(file)],
        ["validate", "-o", "json", str(file)], ["config", "show", str(file)],
            ["config", "show", "-o", "toml", str(file)], ["explain", "environment"],
        ["config", "show"], ["validate"], ["plan"],
        ["-v", "plan", str(other)], ["render", "alerts", str(file)], ["--help"], ["status", "--help"],
    ]  # fmt: skip
    said = {}
    for command in commands:
        done = manager.cli(*command)
        assert "Usage" not in done.stderr, (command, done.stderr)
        said[" ".join(command)] = done.stdout + done.stderr
    return said


# asked for by root and the manager's own user alone, who can read the files that it comes from
GIVES_SECRETS = ("/v1/configuration",)


def routes(manager: ManagerUnderTest) -> dict[str, str]:
    """What each route that answers a GET says."""
    found = {}
    for route in (*ROUTES, *TEXTS):
        if route.method == "GET" and route.path not in GIVES_SECRETS:
            status, body = unix_get(manager.run_dir / "control.sock", with_values(route.path))
            assert status == 200 or route.path == "/metrics/{group}", (route.path, body)
            found[route.path] = body.decode()
    return found


def files(manager: ManagerUnderTest) -> dict[str, str]:
    """Each file of the run, state and log directories that not only the manager's user can open, and of every log."""
    found = {}
    for directory in (manager.run_dir, manager.state_dir, manager.log_dir):
        for path in directory.rglob("*"):
            if path.is_file():
                private = directory == manager.state_dir and not path.stat().st_mode & 0o077
                if not private:
                    found[str(path)] = path.read_text(errors="replace")
    return found


@pytest.mark.root
@pytest.mark.cold  # what /proc tells of a process is of how it was started
def test_no_secret_is_told(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("the database of the fixture")
    manager.expect_in_log("Fatal Python error")
    manager.expect_in_log("could not convert string to float")
    manager.expect_in_log("No module named 'absent_app'")
    file = manager.base / "secrets.env"
    file.write_text("".join(f"FILED_{number}={CANARIES[number]}\n" for number in range(7, 15)))
    port = manager.port()
    manager.apply(configured(port, file))
    for path in ("/0.05", "/no-number", "/0"):
        ask(port, path)
    broken = manager.apply(configured(port, file, "absent"), code=8)
    done = manager.apply(configured(port, file, "crashing", CANARIES[16]))
    before = set(manager.pids("a").values())
    ask(port, "/segfault")
    manager.wait_for("another one", lambda: len(now := set(manager.pids("a").values())) == 2 and now != before)
    failed = manager.apply(configured(port, file, "crashing", CANARIES[16]) + bad(manager.port(), file), code=1)
    other = manager.write(configured(port, file), "other.toml")

    said = {f"apply {done.args}": done.stdout + done.stderr for done in (broken, done, failed)}
    said |= outputs(manager, manager.base / "groups.toml", other) | routes(manager) | files(manager)
    for process in [psutil.Process(manager.manager_pid), *psutil.Process().children(recursive=True)]:
        said[f"command line of {process.pid}"] = " ".join(process.cmdline())
        said[f"environment of {process.pid}"] = json.dumps(process.environ())
    assert {where: hits(text) for where, text in said.items() if hits(text)} == {}
    assert "SECRET_KEY" in said["status a"], "a variable is named, its value never"

    assert len(hits(other.read_text())) >= 7, "they are in the file"
    for pid in manager.pids("a").values():
        limits = Path(f"/proc/{pid}/limits").read_text()
        assert re.search(r"^Max core file size +0 +0 ", limits, re.MULTILINE), limits
    for path in (manager.state_dir, *manager.state_dir.rglob("*")):
        mode = path.stat().st_mode
        assert not (stat.S_ISREG(mode) and hits(path.read_text(errors="replace")) and mode & 0o077), path
    assert os.stat(manager.state_dir).st_mode & 0o077 == 0
