"""Commands that need nothing, or only a running manager: plan from nothing, logs, completion, honest notes."""

from __future__ import annotations

import contextlib
import grp
import json
import os
import platform
import pty
import pwd
import re
import select
import subprocess
import sys
import time

import pytest
from support.gate import Gate
from support.manager import APPS, HUNG_S, ManagerUnderTest

pytestmark = pytest.mark.cold


def group(name: str, app: str, port: int, extra: str = "") -> str:
    return f'[groups.{name}]\napp = "{app}"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n{extra}\n'


def test_plan_from_nothing_starts_nothing(manager: ManagerUnderTest) -> None:
    port = manager.port()
    path = manager.write(group("a", "hello_app:application", port, "processes = 2"))
    plan = manager.cli("plan", "--detailed-exitcode", "-o", "json", str(path))
    assert plan.returncode == 2
    document = json.loads(plan.stdout)
    assert (document["schema_version"], document["empty"]) == (1, False)
    (step,) = document["steps"]
    assert (step["group"], step["kind"], step["sign"], step["cost"]["processes_started"]) == ("a", "add", "+", 2)
    resolved = {reason["option"]: reason["new"] for reason in step["reasons"]}
    user, gid = pwd.getpwuid(os.geteuid() or pwd.getpwnam("www-data").pw_uid), os.getegid()
    primary = grp.getgrgid(gid or user.pw_gid)
    assert resolved == {
        "processes": "2", "application": "hello_app:application", "listen": f"127.0.0.1:{port}",
        "user": f"{user.pw_name} ({user.pw_uid})", "group": f"{primary.gr_name} ({primary.gr_gid})",
        "python": f"{platform.python_version()} {sys.prefix}",
        "interpreter": os.path.realpath(sys.executable), "spawner": "shared",
    }  # fmt: skip
    dry = manager.cli("apply", "--dry-run", str(path))
    assert dry.returncode == 0
    assert "1 group to add: 2 processes started." in dry.stdout
    for option, value in resolved.items():
        assert re.search(rf"\n    {option} +{re.escape(value)}\n", dry.stdout), dry.stdout
    assert not manager.client.running()


def test_plan_refuses_a_server_user_that_does_not_exist(manager: ManagerUnderTest) -> None:
    """Whoever runs it: as an ordinary user the name would be ignored, and is a mistake all the same."""
    text = '[server]\nuser = "nosuchserveruser"\n' + group("a", "hello_app:application", manager.port())
    plan = manager.cli("plan", str(manager.write(text)))
    assert (plan.returncode, plan.stdout) == (2, "")
    assert 'there is no user "nosuchserveruser" on this host' in plan.stderr
    assert "groups.toml:3:8\n" in plan.stderr


def test_plan_names_the_option_its_effect_and_the_cost(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "hello_app:application", port, 'environment = { SECRET = "hunter2" }'))
    text = group("a", "hello_app:application", port, 'threads = 3\nenvironment = { SECRET = "hunter3" }')
    text += group("b", "hello_app:application", manager.port())
    plan = manager.cli("plan", str(manager.write(text)))
    for words in ("± a   rolling replacement", "15 → 3 ", "new processes needed: ", "SECRET   changed", "+ b   new"):
        assert words in plan.stdout, plan.stdout
    assert re.search(
        r"^1 group to add, 1 to replace: .* About \d+ s, \+\d+ MiB meanwhile\.$", plan.stdout, re.MULTILINE
    )
    assert plan.stderr.splitlines()[-1].endswith(f" apply {manager.base / 'groups.toml'}` to do this.")
    assert "hunter" not in plan.stdout + plan.stderr
    assert "hunter" not in manager.cli("plan", "-o", "json", str(manager.base / "groups.toml")).stdout


def test_no_wait_prints_the_change_and_timeout_gives_up(manager: ManagerUnderTest) -> None:
    port = manager.port()
    done = manager.apply(group("a", "hello_app:application", port), "--no-wait")
    number = int(done.stdout.split()[-1])
    change = manager.wait_for("it is done", lambda: (c := manager.client.wait(number))["finished"] and c)
    assert change["outcome"] == "done"
    with Gate(manager.base):
        extra = f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}'
        path = manager.write(group("a", "loading.gated_import:application", port, extra))
        late = manager.cli("apply", "--timeout", "1", str(path))
        assert late.returncode == 7
        assert "it goes on" in late.stderr
        assert manager.get(port)[0] == 200  # the old process serves while its successor hangs


def test_progress_of_each_process_while_applying(manager: ManagerUnderTest) -> None:
    text = group("a", "hello_app:application", manager.port(), "processes = 2")
    told = manager.apply(text + group("b", "hello_app:application", manager.port())).stderr
    said = [re.sub(r"^\[\d+\.\ds\] ", "", line) for line in told.splitlines()]
    for name, slots in (("a", 2), ("b", 1)):
        for slot in range(1, slots + 1):
            assert said.count(f"{name}/{slot} started (pid {manager.pids(name)[slot]})") == 1, said
        done = [
            line for line in said if re.match(rf"✓ {name} ready {slots}/{slots} in \d+\.\d s · revision 1 · http", line)
        ]
        assert len(done) == 1, said
    before = manager.pids("a")
    told = manager.cli("restart", "a").stderr
    assert "a: replacing 2 processes" in told
    for slot, pid in manager.pids("a").items():
        assert f"a/{slot} {before[slot]} → {pid}\n" in told
    assert manager.cli("-q", "restart", "a").stderr == ""


@pytest.mark.parametrize(("terminal", "live"), [("xterm", True), ("dumb", False)])
def test_progress_on_a_terminal_is_drawn_in_place(manager: ManagerUnderTest, terminal: str, live: bool) -> None:
    path = manager.write(group("a", "hello_app:application", manager.port(), "processes = 2"))
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": terminal, "COLUMNS": "80", "LINES": "24"}
    with open(ours, "rb", buffering=0) as screen:
        with subprocess.Popen(
            manager.command("apply", str(path)), stderr=theirs, stdout=subprocess.DEVNULL, env=environment
        ) as applying:
            os.close(theirs)
            shown = b""
            with contextlib.suppress(OSError):  # EIO: everybody who had the terminal has closed it
                while data := screen.read(65536):
                    shown += data
        assert applying.returncode == 0
    assert (b"\x1b[2K" in shown, b"change 1, apply" in shown) == (live, live)
    assert (b"a/1" in shown, b" a ready 2/2 in " in shown) == (True, True)


def test_logs_are_followed(manager: ManagerUnderTest) -> None:
    port = manager.port()
    manager.apply(group("a", "misbehaving_app:application", port))
    manager.expect_in_log("on purpose, before start_response")
    follower = subprocess.Popen(manager.command("logs", "-f", "-n", "0", "a"), stdout=subprocess.PIPE, bufsize=0)
    assert follower.stdout is not None
    try:
        seen, until = b"", time.monotonic() + HUNG_S
        while b"on purpose" not in seen:  # what was written before the follower came does not count
            assert time.monotonic() < until, seen
            manager.get(port, "/raises-before-start")
            if select.select([follower.stdout], [], [], 0.2)[0]:
                seen += os.read(follower.stdout.fileno(), 65536)
    finally:
        follower.kill()
        follower.wait()
        follower.stdout.close()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_knows_commands_and_running_groups(manager: ManagerUnderTest, shell: str) -> None:
    script = manager.cli("completion", shell)
    assert script.returncode == 0
    assert "_WSGIGROUPS_COMPLETE" in script.stdout


def test_group_names_are_completed(manager: ManagerUnderTest) -> None:
    manager.apply(group("blog", "hello_app:application", manager.port()))
    words = " ".join(["wsgigroups", "--run-dir", str(manager.run_dir), "restart", "bl"])
    environment = {**os.environ, "_WSGIGROUPS_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": "4"}
    done = subprocess.run(
        [manager.command()[0], "-c", "from wsgigroups.cli.main import cli; cli(prog_name='wsgigroups')"],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert "blog" in done.stdout


def test_every_option_is_an_environment_variable_too(manager: ManagerUnderTest) -> None:
    manager.apply(group("a", "hello_app:application", manager.port()))
    environment = {**os.environ, "WSGIGROUPS_RUN_DIR": str(manager.run_dir), "WSGIGROUPS_STATUS_OUTPUT": "json"}
    done = subprocess.run(
        [manager.command()[0], "-m", "wsgigroups", "status"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert json.loads(done.stdout)["groups"][0]["name"] == "a"
