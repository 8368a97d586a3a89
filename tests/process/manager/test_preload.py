"""preload = "app": processes come from one that has loaded the application, until there is something else to load."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

from support.manager import ManagerUnderTest

APPLICATION = """
import os
LOADED_IN = os.getpid()
def application(environ, start_response):
    text = b"%d %d" % (LOADED_IN, os.getpid())
    start_response("200 OK", [("Content-Length", str(len(text)))])
    return [text]
"""
THREAD = "import threading, time\nthreading.Thread(target=time.sleep, args=(600,), name='Batch', daemon=True).start()\n"


class Shop:
    """A group of one process, whose script says in which process it was loaded."""

    def __init__(self, manager: ManagerUnderTest) -> None:
        self.manager = manager
        self.port = manager.port()
        self.script = manager.base / "shop.wsgi"
        self.write("")
        self.text = (
            f'[groups.shop]\nscript = "{self.script}"\nlisten = ["127.0.0.1:{self.port}"]\n'
            'preload = "app"\nprocesses = 1\n'
        )

    def write(self, before: str) -> None:
        self.script.write_text(before + APPLICATION)

    def answer(self) -> tuple[int, int]:
        """The process that has loaded the script, and the one that answers."""
        status, body = self.manager.get(self.port)
        assert status == 200
        loaded_in, pid = body.split()
        return int(loaded_in), int(pid)

    def molds(self) -> list[int]:
        return [mold["pid"] for mold in self.manager.group("shop")["molds"]]

    def replaced(self) -> tuple[int, int]:
        """Kill the process; what the next one answers."""
        pid = self.manager.pids("shop")[1]
        os.kill(pid, signal.SIGKILL)
        self.manager.wait_for("another one", lambda: self.manager.pids("shop").get(1) not in (None, pid))
        return self.answer()


def test_what_follows_comes_from_the_mold_until_there_is_another(manager: ManagerUnderTest) -> None:
    shop = Shop(manager)
    manager.apply(shop.text)
    first = manager.pids("shop")[1]
    assert shop.answer() == (first, first)
    (mold,) = shop.molds()
    loaded_in, second = shop.replaced()
    assert (loaded_in, shop.molds()) == (first, [mold])
    assert second not in (first, mold)

    os.kill(manager.manager_pid, signal.SIGKILL)
    manager.apply(shop.text)
    assert manager.pids("shop")[1] == second
    manager.wait_for("the mold is known", lambda: shop.molds() == [mold])
    assert shop.replaced()[0] == first

    manager.restart("shop")
    loaded_in, third = shop.answer()
    assert loaded_in == third, "a restart loads it anew"
    manager.wait_for("the old mold is gone", lambda: mold not in shop.molds())
    (mold,) = shop.molds()

    os.kill(mold, signal.SIGKILL)
    manager.wait_for("its end is seen", lambda: shop.molds() == [])
    loaded_in, fourth = shop.replaced()
    assert loaded_in == fourth, "the next process makes another one"
    manager.wait_for("it is known", lambda: len(shop.molds()) == 1)

    assert manager.cli("stop", "shop").returncode == 0
    manager.wait_for("a group that is stopped has none", lambda: shop.molds() == [])


def test_what_cannot_be_preloaded_changes_nothing(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("ZeroDivisionError")
    shop = Shop(manager)
    manager.apply(shop.text)
    first, molds = manager.pids("shop")[1], shop.molds()
    shop.write(THREAD)
    done = manager.apply(shop.text, code=8)
    assert "after the import 1 thread runs (Batch of time); write preload =" in done.stderr + done.stdout
    shop.write("1 / 0\n")
    change: dict[str, Any] = manager.change_to(shop.text)
    assert change["outcome"] == "rolled-back"
    assert "ZeroDivisionError" in str(change["groups"]["shop"]["error"])
    assert shop.answer() == (first, first)
    assert shop.molds() == molds

    shop.write("# new\n")
    assert manager.change_to(shop.text)["outcome"] == "done"
    loaded_in, pid = shop.answer()
    assert loaded_in == pid != first


def test_processes_that_start_together_share_one_mold(manager: ManagerUnderTest) -> None:
    shop = Shop(manager)
    manager.apply(shop.text.replace("processes = 1", "processes = 4"))
    pids = set(manager.pids("shop").values())
    (mold,) = shop.molds()
    parents = {Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1] for pid in (*pids, mold)}
    assert len(pids) == 4
    assert len(parents) == 1, "all are the spawner's children"
    assert shop.answer()[0] in pids
    assert {shop.answer()[0] for _again in range(20)} == {shop.answer()[0]}
