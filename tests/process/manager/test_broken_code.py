"""New code that is broken in every way: what runs serves on, the failure has its place, and the next apply is good."""

from __future__ import annotations

import re

from support.manager import APPS, ManagerUnderTest
from support.population import Population, daemons, never_ready

STARTUP_S = 6.0
MARGIN_S = 2.0  # from the end of startup-timeout until the command tells
GOOD = (APPS / "hello_app.py").read_text()
# what the module is → what the failing apply says
BROKEN: dict[str, tuple[str, tuple[str, ...]]] = {
    "a syntax error": ("\ndef application(:\n", ("shop.py:2  def application(:", "SyntaxError")),
    "a missing module": ("import not_installed_anywhere\n", ("shop.py:1  import not_installed", "ModuleNotFoundError")),
    "a hang": (
        "import threading\n\ndef connect():\n    threading.Event().wait()\n\nconnect()\n",
        (f"not ready within startup-timeout ({STARTUP_S:g} s)", 'shop.py", line 4, in connect'),
    ),
    "a hang that no signal ends": (
        "import signal, time\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\ntime.sleep(1000)\n",
        (f"not ready within startup-timeout ({STARTUP_S:g} s)",),
    ),
    "an exit that looks well": ("import os\nos._exit(0)\n", ("exit code 0 before it was ready",)),
    "a crash": ("import ctypes\nctypes.string_at(0)\n", ("killed by signal 11 before it was ready",)),
    "another name": (GOOD.replace("def application", "def aplication"), ("shop.py", "Did you mean 'aplication'?")),
}


def test_broken_code_replaces_nothing_and_is_told_with_its_place(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("SyntaxError")
    manager.expect_in_log("not_installed_anywhere")
    manager.expect_in_log("Fatal Python error")  # of the crash
    port, top = manager.port(), manager.base / "srv"
    top.mkdir(mode=0o755)
    shop = top / "shop.py"
    shop.write_text(GOOD)
    text = (
        f'[groups.a]\napp = "shop:application"\npython-path = ["{top}"]\nlisten = ["127.0.0.1:{port}"]\nprocesses = 2\n'
        f'startup-timeout = "{STARTUP_S:g}s"\n'
    )
    manager.apply(text)
    pid = manager.manager_pid
    with manager.clients(port, 2) as clients:
        for number, (name, (code, said)) in enumerate(BROKEN.items()):
            before = manager.pids("a")
            manager.wait_for("those before have ended", lambda of=before: daemons(pid) == {*of.values()})
            shop.write_text(code)
            with Population(manager, "a", of=set(before.values())) as population:
                done = manager.apply(text, code=8)
                clients.wait_for_more(10)
            told_after = re.search(r"\[(\d+\.\d)s\] a: back to what it was", done.stderr)
            assert told_after
            assert float(told_after[1]) < STARTUP_S + MARGIN_S, name
            for words in said:
                assert words in done.stderr, f"{name}: {done.stderr}"
            assert manager.pids("a") == before, name
            assert population.fewest_ready == 2, name
            assert population.most <= 3, name
            assert len(never_ready(manager)) == number + 1, f"{name}: one was tried, and no more"
            assert clients.failures == [], name
            shop.write_text(f"{GOOD}NUMBER = {number}\n")
            assert manager.change_to(text)["outcome"] == "done", name
            assert not set(manager.pids("a").values()) & set(before.values()), name
            assert manager.group("a")["last_error"] is None, name
    assert clients.failures == []
