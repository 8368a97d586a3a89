"""Twenty applies at once, in the middle of a rolling restart: each has its own end, and nobody outside notices."""

from __future__ import annotations

import fcntl
import json

from support.commands import run_all
from support.manager import APPS, ManagerUnderTest
from support.population import Population

APPLIES = 20
PROCESSES = 2


def text(port: int, threads: int, app: str = "hello_app") -> str:
    return (
        f'[groups.a]\napp = "{app}:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
        f"processes = {PROCESSES}\nthreads = {threads}\n"
    )


def test_twenty_at_once_each_have_their_own_end(manager: ManagerUnderTest) -> None:
    """Two cannot be loaded, one is refused; the others are all in force for a while, and the last of them stays."""
    manager.expect_in_log("the database of the fixture")
    port = manager.port()
    manager.apply(text(port, 1))
    first = manager.pids("a")
    files, expected = [], []
    for number in range(2, APPLIES + 2):
        broken = number in (7, 14)
        wrong = number == 10
        body = "threadz = 1\n" if wrong else text(port, number, "loading.raising" if broken else "hello_app")
        files.append(manager.write(body, f"{number}.toml"))
        expected.append(2 if wrong else 8 if broken else 0)
    with manager.clients(port, 2) as clients, Population(manager, "a", of=set(first.values())) as population:
        restart = manager.cli("restart", "--no-wait", "a").stdout.strip()
        applies = [manager.command("apply", "--yes", str(file))[3:] for file in files]
        ended = run_all(applies, manager.base / "said", together=True)
        clients.wait_for_more(20)
        manager.wait_for("those before have ended", lambda: len(manager.group("a")["processes"]) == PROCESSES)
    assert clients.failures == []
    assert [done.code for done in ended] == expected, ended
    for code, done in zip(expected, ended, strict=True):
        if code == 0:
            assert "1 group to replace" in done.stdout, "it was told what it did"
            assert done.stderr.count("The state has changed since the plan was made") <= 1, "it waits once"
        else:
            assert ("error[WG0201]" if code == 2 else "the database of the fixture") in done.stderr, done.stderr
    assert manager.client.wait(int(restart))["outcome"] in ("done", "overtaken")
    assert population.most <= 2 * PROCESSES + 1
    rows = json.loads(manager.cli("history", "-o", "json").stdout)["revisions"]
    accepted = [row for row in rows if row["outcome"] == "done"]
    assert len(accepted) == 1 + expected.count(0)
    assert [row["outcome"] for row in rows].count("rolled-back") == expected.count(8)
    # the last that was accepted is what runs
    assert accepted[0]["running"]
    revision = manager.state_dir / "revisions" / f"{accepted[0]['revision']:08d}.json"
    last = json.loads(revision.read_text())["document"]["groups"]["a"]["threads"]
    assert (manager.group("a")["threads"], manager.status()["revision"]) == (last, accepted[0]["revision"])


def test_those_that_all_find_no_manager_share_one(manager: ManagerUnderTest) -> None:
    file = str(manager.write(text(manager.port(), 1)))
    applies = [manager.command("apply", "--yes", file)[3:] for _ in range(3)]
    ended = run_all(applies, manager.base / "said", together=True)
    assert [done.code for done in ended] == [0, 0, 0], ended
    assert manager.status()["revision"] == 1


def test_an_apply_says_why_no_manager_comes_up(manager: ManagerUnderTest) -> None:
    manager.state_dir.mkdir(0o700)
    taken = manager.state_dir / "manager.lock"
    with taken.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = manager.apply(text(manager.port(), 1), code=1)
    assert f"error: cannot start a manager: another one holds {taken}\nhint: `wsgigroups status`" in done.stderr
