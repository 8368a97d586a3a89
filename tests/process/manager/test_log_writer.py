"""The log writer with real processes: what it writes for whom, and who survives whom."""

from __future__ import annotations

import json
import os
import re
import signal
from pathlib import Path

import psutil
import pytest
from support.log_settling import log_writers
from support.manager import APPS, ManagerUnderTest

JSON = '[server]\nlog-format = "json"\n'


def group(port: int, more: str = "", name: str = "a", app: str = "printing_app") -> str:
    return (
        f'[groups.{name}]\napp = "{app}:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{more}'
    )


def writer_pid(manager: ManagerUnderTest) -> int:
    """The log writer's pid, once it is there."""
    pid: int = manager.wait_for("the log writer runs", log_writers)[0]
    return pid


def bodies(path: Path) -> list[str]:
    """What the records of a JSON log say that the application has printed."""
    if not path.exists():
        return []
    found = [json.loads(line)["Body"] for line in path.read_text().splitlines()]
    return [body for body in found if body.startswith("said /")]


def test_records_are_json_with_whose_they_are(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(JSON + group(port))
    manager.get(port, "/first")
    log = manager.log_dir / "a.log"
    manager.wait_for("it is written", lambda: bodies(log) == ["said /first"])
    (record,) = [json.loads(line) for line in log.read_text().splitlines() if "said /first" in line]
    assert record["Resource"] == {"service.name": "a", "service.instance.id": "a/1"}
    assert record["Attributes"]["process.pid"] == manager.pids("a")[1]
    assert record["Attributes"]["log.iostream"] == "stdout"
    process = psutil.Process(writer_pid(manager))
    if os.geteuid() == 0:
        assert process.uids().real not in (0, 65534)
        assert process.uids() == (process.uids().real,) * 3
    status = Path(f"/proc/{process.pid}/status").read_text()
    assert re.search(r"NoNewPrivs:\s*1", status)
    assert re.search(r"CapEff:\s*0+\n", status)


def test_running_processes_change_between_both_ways(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group(port))
    pids = manager.pids("a")
    manager.get(port, "/itself")
    assert "stdout: said /itself" in manager.log("a")
    (manager.log_dir / "a.log").unlink()
    manager.apply(JSON + group(port))
    manager.get(port, "/writer")
    manager.wait_for("it is written", lambda: bodies(manager.log_dir / "a.log") == ["said /writer"])
    manager.apply(group(port))
    manager.get(port, "/again")
    assert "stdout: said /again" in manager.log("a")
    assert manager.pids("a") == pids


@pytest.mark.parametrize("who", ["writer", "manager", "both"])
def test_whoever_is_killed_lines_go_on_and_requests_too(manager: ManagerUnderTest, who: str) -> None:
    port = manager.port()
    manager.apply(JSON + group(port))
    pids = manager.pids("a")
    log = manager.log_dir / "a.log"
    manager.get(port, "/before")
    manager.wait_for("it is written", lambda: bodies(log) == ["said /before"])
    writer = writer_pid(manager)
    if who in ("manager", "both"):
        os.kill(manager.manager_pid, signal.SIGKILL)
    if who in ("writer", "both"):
        os.kill(writer, signal.SIGKILL)
    numbers = range(50)
    for number in numbers:
        assert manager.get(port, f"/{number}")[0] == 200
    if who in ("manager", "both"):
        manager.apply(JSON + group(port))
    assert manager.pids("a") == pids
    if who != "both":  # then pipes had no reader for a while
        manager.wait_for("all is written", lambda: len(bodies(log)) == 51)
        assert bodies(log) == ["said /before", *(f"said /{number}" for number in numbers)]

    def arrives() -> bool:
        manager.get(port, "/after")
        return "said /after" in bodies(log)

    manager.wait_for("it goes on", arrives)
    assert (writer_pid(manager) == writer) == (who == "manager")


def test_a_crash_is_told_with_what_was_said_before_it(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(JSON + group(port))
    os.kill(manager.pids("a")[1], signal.SIGSEGV)
    manager.wait_for("its death is told", lambda: manager.group("a")["restarts"] == 1)
    (death,) = manager.client.get("/v1/deaths")["deaths"]
    manager.expect_in_log("Segmentation fault")
    assert any("Fatal Python error: Segmentation fault" in line for line in death["log"]), death["log"]


def test_a_log_is_rotated_by_its_size_and_nothing_is_lost(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(f'[server]\nlog-rotate-size = "8K"\nlog-rotate-keep = 100\n{group(port)}')
    pids = manager.pids("a")
    for number in range(400):
        manager.get(port, f"/{number}")

    def said() -> list[str]:
        files = sorted(
            manager.log_dir.glob("a.log*"), key=lambda path: -int(path.suffix[1:] if path.suffix[1:].isdigit() else 0)
        )
        return re.findall(r"stdout: said /(\d+)", "".join(path.read_text() for path in files))

    manager.wait_for("all is written", lambda: said() == [str(number) for number in range(400)])
    assert (manager.log_dir / "a.log.1").exists()
    assert manager.pids("a") == pids
    done = manager.cli("logs", "--since", "1h", "--grep", "said /1$", "a")
    assert re.findall(r"said /\d+", done.stdout) == ["said /1"]


def test_it_opens_a_renamed_log_again(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(JSON + group(port))
    manager.get(port, "/one")
    log = manager.log_dir / "a.log"
    manager.wait_for("it is written", lambda: bodies(log) == ["said /one"])
    log.rename(manager.log_dir / "a.log.1")
    assert manager.cli("logs", "--reopen").returncode == 0
    manager.get(port, "/two")
    manager.wait_for("it is in the new one", lambda: bodies(log) == ["said /two"])


def test_logs_shows_a_slot(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group(port, "processes = 2\n"))
    for number in range(50):
        manager.get(port, f"/{number}")
    both = {slot: manager.cli("logs", "-n", "1000", f"a/{slot}").stdout for slot in (1, 2)}
    for slot, text in both.items():
        assert set(re.findall(r"Z (a/\d) life=", text)) <= {f"a/{slot}"}
    assert sum(text.count("said /") for text in both.values()) == 50


@pytest.mark.root
def test_groups_of_different_users_share_a_log(manager: ManagerUnderTest) -> None:
    ports = manager.port(), manager.port()
    log = manager.log_dir / "both.log"
    text = (
        f'[server]\nerror-log = "{log}"\n'
        + group(ports[0], 'user = "nobody"\n')
        + group(ports[1], 'user = "daemon"\n', "b")
    )
    assert manager.cli("validate", str(manager.write(text))).returncode == 0
    manager.apply(text)
    for port, name in zip(ports, "ab", strict=True):
        manager.get(port, f"/{name}")
    manager.wait_for("both are in it", lambda: log.exists() and log.read_text().count("stdout: said /") == 2)
    for name in "ab":
        assert re.search(
            rf"Z {name}/1 life=\d+ pid={manager.pids(name)[1]} request=\S+ stdout: said /{name}\n", log.read_text()
        )
        kinds = {os.readlink(f"/proc/{manager.pids(name)[1]}/fd/{fd}").partition(":")[0] for fd in (1, 2)}
        assert kinds == {"pipe"}
        opened = os.stat(f"/proc/{manager.pids(name)[1]}/fd/2")
        assert opened.st_uid == psutil.Process(manager.pids(name)[1]).uids().real, "programs can open /dev/stderr"
        assert "stdout: said /" in manager.cli("logs", name).stdout
