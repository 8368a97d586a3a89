"""Every option whose change is live, or is made on a listener: after an apply it is a fact, and no process is another.

The table has a reader for each such option; one that has none fails. A reader looks at the running process, at the
socket, at files of the kernel, or (for what the manager itself keeps) at what it has stored as being in force.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
from support.accounts import ALICE_UID, Accounts
from support.log_settling import settle
from support.manager import APPS, ManagerUnderTest

from wsgigroups.config import OPTIONS, load
from wsgigroups.config.effects import Effect

MIB = 2**20
LIVE = {name for name, option in OPTIONS.items() if option.effect in (Effect.LIVE, Effect.REBIND)}
ROOT = os.geteuid() == 0


class Running:
    """A group that runs, and what can be seen of it."""

    def __init__(self, manager: ManagerUnderTest) -> None:
        self.manager, self.port = manager, manager.port()
        self.socket = manager.base / "blog.sock"

    def text(self, options: str = "") -> str:
        """The group, with these options more."""
        user = 'user = "alice"\n' if ROOT else ""
        listen = f'["127.0.0.1:{self.port}", "unix:{self.socket}"]'
        return (
            f'[groups.blog]\nscript = "{APPS}/live_facts_app.py"\nthreads = 2\n'
            f'stack-size = "512K"\nlisten = {listen}\n{user}{options}\n'
        )

    @property
    def pid(self) -> int:
        """Of its first process."""
        return self.manager.pids("blog")[1]

    def told(self) -> dict[str, Any]:
        """By what the process goes."""
        status, body = self.manager.get(self.port)
        assert status == 200
        found: dict[str, Any] = json.loads(body)
        return found

    def kept(self) -> dict[str, Any]:
        """What the manager has in force."""
        target: dict[str, Any] = json.loads((self.manager.state_dir / "state.json").read_text())["groups"]["blog"][
            "target"
        ]
        return target

    def limit(self, title: str) -> int:
        """A hard limit of the process (proc(5): limits)."""
        found = re.search(rf"^{title} +\d+ +(\d+) ", Path(f"/proc/{self.pid}/limits").read_text(), re.MULTILINE)
        assert found
        return int(found[1])

    def cgroup(self, option: str, file: str) -> str:
        """A file of the group's cgroup; where there is none, that the status says so."""
        if option in self.manager.group("blog")["not_in_force"]:
            return NOT_HERE
        path = Path(f"/proc/{self.pid}/cgroup").read_text().rpartition("::")[2].strip()
        mounts = (line.split() for line in Path("/proc/mounts").read_text().splitlines())
        (top,) = [words[1] for words in mounts if words[2] == "cgroup2"][:1]
        found = (Path(top) / path.strip("/")).parent / file
        return found.read_text().strip() if found.exists() else ""

    def plan(self, options: str) -> dict[str, Any]:
        """What an apply of the group with these options would do."""
        return self.manager.client.post("/v1/plan", {"configuration": self.document(options)})

    def apply(self, options: str) -> dict[str, Any] | None:
        """The finished change; None if there was nothing to do."""
        number = self.manager.client.post("/v1/apply", {"configuration": self.document(options)})["change"]
        change = number and self.manager.client.wait(number)
        while change and not change["finished"]:
            change = self.manager.client.wait(number, change["seen"])
        assert not change or change["outcome"] == "done", change
        return change or None

    def document(self, options: str) -> dict[str, Any]:
        """The configuration as commands send it."""
        configuration = load([self.manager.write(self.text(options))]).configuration
        assert configuration
        return configuration.to_document()


@dataclass(frozen=True)
class Fact:
    """The option as written before and after, and what is to be seen then."""

    before: str
    after: str
    read: Callable[[Running], Any]
    seen: Any
    root: bool = False  # only root can, or it means nothing else


def serving(name: str) -> Callable[[Running], Any]:
    return lambda running: running.told()["serving"][name]


def leaving(name: str) -> Callable[[Running], Any]:
    return lambda running: running.told()["leaving"][name]


def rule(name: str) -> Callable[[Running], Any]:
    return lambda running: running.kept()["rules"][name]


def following(name: str) -> Callable[[Running], Any]:
    """A limit of the law by which the number of processes follows the load."""
    return lambda running: running.kept()["scaling"][name]


def listening(name: str, index: int | None = None) -> Callable[[Running], Any]:
    def read(running: Running) -> Any:
        (found,) = running.told()["listening"]
        return found[name] if index is None else found[name][index]

    return read


def limit(title: str) -> Callable[[Running], Any]:
    return lambda running: running.limit(title)


def limited(option: str, file: str) -> Callable[[Running], Any]:
    return lambda running: running.cgroup(option, file)


def title(running: Running) -> str:
    return Path(f"/proc/{running.pid}/cmdline").read_text().replace("\0", " ").strip()


def processes(running: Running) -> int:
    return len([p for p in running.manager.pids("blog").values() if psutil.pid_exists(p)])


def owner(running: Running) -> tuple[int, int]:
    found = running.socket.stat()
    return found.st_uid, found.st_mode & 0o777


def listens_elsewhere(running: Running) -> bool:
    return running.manager.listening(running.port)


def error_log(running: Running) -> str:
    """What has the last line of the process: the group's log."""
    port, manager = running.port, running.manager
    before = {path.name: path.stat().st_size for path in manager.base.rglob("*.log")}
    manager.get(port, "/said")
    settle()
    grown = [path.name for path in manager.base.rglob("*.log") if path.stat().st_size > before.get(path.name, 0)]
    return ", ".join(sorted(grown))


def many_requests(running: Running) -> bool:
    """With its jitter; few would replace the process in the middle of the next option."""
    allowed: int = running.told()["serving"]["maximum_requests"]
    return 80000 < allowed <= 90000


def nothing(running: Running) -> None:
    """An option of which nothing depends: it has only to be accepted."""
    running.told()


SCRIPT = (APPS / "live_facts_app.py").stat()
NOT_HERE = "not in force, and said"
LAW = "processes-min = 1\nprocesses-max = 6"

FACTS: dict[str, Fact] = {
    "listen": Fact("", "", listens_elsewhere, True),
    "processes": Fact("processes = 2", "processes = 3", processes, 3),
    "processes-min": Fact("processes = 2\nprocesses-max = 6", f"processes = 2\n{LAW}", following("minimum"), 1),
    "processes-max": Fact(LAW, LAW.replace("6", "7"), following("maximum"), 7),
    "target-utilisation": Fact(LAW, f"{LAW}\ntarget-utilisation = 0.5", following("target_utilisation"), 0.5),
    "queue-target": Fact(LAW, f'{LAW}\nqueue-target = "7s"', following("queue_target_s"), 7.0),
    "scale-down-delay": Fact(LAW, f'{LAW}\nscale-down-delay = "7m"', following("scale_down_delay_s"), 420.0),
    "display-name": Fact("", 'display-name = "%{GROUP}"', title, "(wsgi:blog)"),
    "script-user": Fact("", f'script-user = "#{SCRIPT.st_uid}"', leaving("script_user"), SCRIPT.st_uid),
    "script-group": Fact("", f'script-group = "#{SCRIPT.st_gid}"', leaving("script_group"), SCRIPT.st_gid),
    "reload": Fact("", 'reload = ["/srv/*.py"]', leaving("reload"), ["/srv/*.py"]),
    "socket-user": Fact("", f'socket-user = "#{ALICE_UID}"', owner, (ALICE_UID, 0o600), root=True),
    "operators": Fact("", 'operators = ["#4711"]', lambda running: running.kept()["operators"]["uids"], [4711]),
    "restart-interval": Fact("", 'restart-interval = "1h"', rule("restart_interval_s"), 3600.0),
    "maximum-requests": Fact("", "maximum-requests = 90000", many_requests, True),
    "inactivity-timeout": Fact("", 'inactivity-timeout = "1h"', rule("inactivity_timeout_s"), 3600.0),
    "memory-soft-limit": Fact("", 'memory-soft-limit = "4G"', rule("memory_soft_limit_bytes"), 4096 * MIB),
    "request-timeout": Fact("", 'request-timeout = "1h"', rule("request_timeout_s"), 3600.0),
    "request-timeout-mode": Fact("", 'request-timeout-mode = "each"', rule("request_timeout_mode"), "each"),
    "interrupt-timeout": Fact("", 'interrupt-timeout = "1h"', serving("interruptible"), True),
    "deadlock-timeout": Fact("", 'deadlock-timeout = "1h"', rule("deadlock_timeout_s"), 3600.0),
    "startup-timeout": Fact("", 'startup-timeout = "1h"', lambda running: running.kept()["startup_timeout_s"], 3600.0),
    "graceful-timeout": Fact("", 'graceful-timeout = "7s"', leaving("graceful_timeout_s"), 7.0),
    "eviction-timeout": Fact("", 'eviction-timeout = "7s"', leaving("eviction_timeout_s"), 7.0),
    "shutdown-timeout": Fact("", 'shutdown-timeout = "7s"', leaving("shutdown_timeout_s"), 7.0),
    "connect-timeout": Fact("", 'connect-timeout = "7s"', serving("connect_timeout_s"), 7.0),
    "queue-timeout": Fact("", 'queue-timeout = "7s"', serving("queue_timeout_s"), 7.0),
    "listen-backlog": Fact("", "listen-backlog = 33", listening("backlog"), 33),
    "trusted-proxies": Fact("", 'trusted-proxies = ["10.0.0.0/8"]', serving("trusted_proxies"), ["10.0.0.0/8"]),
    "limit-request-line": Fact("", "limit-request-line = 1000", serving("limit_request_line"), 1000),
    "limit-request-field-size": Fact("", "limit-request-field-size = 999", serving("limit_request_field_size"), 999),
    "limit-request-fields": Fact("", "limit-request-fields = 99", serving("limit_request_fields"), 99),
    "limit-request-body": Fact("", 'limit-request-body = "1M"', serving("limit_request_body"), MIB),
    "chunked-bodies": Fact("", 'chunked-bodies = "stream"', serving("chunked_bodies"), "stream"),
    "socket-timeout": Fact("", 'socket-timeout = "7s"', serving("socket_timeout_s"), 7.0),
    "keep-alive-timeout": Fact("", 'keep-alive-timeout = "7s"', serving("keep_alive_timeout_s"), 7.0),
    "response-socket-timeout": Fact("", 'response-socket-timeout = "7s"', serving("response_socket_timeout_s"), 7.0),
    "receive-buffer-size": Fact("", "receive-buffer-size = 20000", listening("sizes", 0), 40000),  # socket(7): doubled
    "send-buffer-size": Fact("", "send-buffer-size = 20000", listening("sizes", 1), 40000),
    "header-buffer-size": Fact("", "header-buffer-size = 9000", serving("header_buffer_size_bytes"), 9000),
    "response-buffer-size": Fact("", "response-buffer-size = 70000", serving("response_buffer_size_bytes"), 70000),
    "cpu-priority": Fact("", "cpu-priority = 7", lambda running: os.getpriority(os.PRIO_PROCESS, running.pid), 7),
    "memory-limit": Fact('memory-limit = "900M"', 'memory-limit = "800M"', limit("Max data size"), 800 * MIB),
    "virtual-memory-limit": Fact(
        'virtual-memory-limit = "9G"', 'virtual-memory-limit = "8G"', limit("Max address space"), 8192 * MIB
    ),
    "limit-nproc": Fact("limit-nproc = 3000", "limit-nproc = 2000", limit("Max processes"), 2000),
    "limit-nofile": Fact("limit-nofile = 600", "limit-nofile = 500", limit("Max open files"), 500),
    "limit-fsize": Fact('limit-fsize = "9M"', 'limit-fsize = "8M"', limit("Max file size"), 8 * MIB),
    "limit-core": Fact('limit-core = "9M"', 'limit-core = "8M"', limit("Max core file size"), 8 * MIB),
    "memory-high": Fact("", 'memory-high = "900M"', limited("memory-high", "memory.high"), str(900 * MIB)),
    "memory-max": Fact("", 'memory-max = "900M"', limited("memory-max", "memory.max"), str(900 * MIB)),
    "cpu-weight": Fact("", "cpu-weight = 77", limited("cpu-weight", "cpu.weight"), "77"),
    "cpu-quota": Fact("", 'cpu-quota = "77%"', limited("cpu-quota", "cpu.max"), "77000 100000"),
    "tasks-max": Fact("", "tasks-max = 777", limited("tasks-max", "pids.max"), "777"),
    "access-log": Fact("", 'access-log = "combined"', serving("access_log"), "combined"),
    "request-id": Fact("", 'request-id = "response"', serving("request_id"), "response"),
    "slow-request": Fact("", 'slow-request = "7s"', serving("slow_request_s"), 7.0),
    "error-log": Fact("", 'error-log = "{base}/other.log"', error_log, "other.log"),
    "server-metrics": Fact("", "server-metrics = true", nothing, None),
}
# What is set from outside on another user's process takes a capability that root lacks in some containers: then other
# processes have it, and that is said.
FROM_OUTSIDE = {name for name in LIVE if name.startswith("limit-") and "request" not in name} | {
    "memory-limit", "virtual-memory-limit",
}  # fmt: skip
OTHER_PROCESSES = {"listen", *FROM_OUTSIDE}


def test_every_live_option_has_a_reader_of_its_fact() -> None:
    assert set(FACTS) == LIVE


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One manager for the whole table: each option begins with what it had before."""
    with tempfile.TemporaryDirectory(prefix="wg-accounts-") as directory:
        Path(directory).chmod(0o755)
        accounts = Accounts(Path(directory)) if ROOT else None
        with ManagerUnderTest(tmp_path_factory.mktemp("live"), accounts) as manager:
            running = Running(manager)
            manager.apply(running.text())
            yield running


@pytest.mark.parametrize("option", sorted(FACTS))
def test_what_was_applied_is_a_fact_on_what_runs(running: Running, option: str) -> None:
    fact, manager = FACTS[option], running.manager
    if fact.root and not ROOT:
        return  # an ordinary user's manager ignores it, and plan says so
    running.apply(fact.before)
    before = running.pid
    if option == "listen":
        running.port = manager.port()
    assert option in ("listen", "server-metrics") or fact.read(running) != fact.seen
    options = fact.after.format(base=manager.base) if "{base}" in fact.after else fact.after
    (step,) = running.plan(options)["steps"]
    change = running.apply(options)
    assert fact.read(running) in (fact.seen, NOT_HERE), change
    if option not in OTHER_PROCESSES:
        assert step["cost"]["processes_replaced"] == 0
        assert running.pid == before, manager.log("manager")
    assert running.plan(options)["empty"]
    assert running.apply(options) is None


@pytest.mark.ordinary
def test_a_priority_that_a_running_process_cannot_have_is_that_of_another_one(running: Running) -> None:
    """setpriority(2) takes an ordinary user's process down only: it was called done, and nothing had changed."""
    own = os.getpriority(os.PRIO_PROCESS, 0)
    if own > 15:
        return  # there is no room below the tests' own
    running.apply(f"cpu-priority = {own + 3}")
    before = running.pid
    running.apply(f"cpu-priority = {own + 1}")
    assert os.getpriority(os.PRIO_PROCESS, running.pid) == own + 1
    assert running.pid != before
