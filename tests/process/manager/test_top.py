"""`wsgigroups top` in a real terminal: what every thread does, and what is asked before something changes."""

from __future__ import annotations

from support.gate import Gate
from support.manager import APPS, ManagerUnderTest
from support.terminal import terminal


def test_top_shows_what_a_thread_does_restarts_and_scales(manager: ManagerUnderTest) -> None:
    port = manager.port()
    with Gate(manager.base) as gate:
        manager.apply(
            f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
            f'listen = ["127.0.0.1:{manager.port()}"]\n'
            f'[groups.shop]\napp = "gated_app:application"\npython-path = ["{APPS}"]\nthreads = 3\n'
            f'listen = ["127.0.0.1:{port}"]\nenvironment = {{ GATE_DIRECTORY = "{gate.directory}" }}\n'
        )
        with (
            terminal(manager.command("top"), columns=120) as seen,
            manager.background_get(port, "/report?secret=1") as report,
        ):
            gate.wait_arrival()
            seen.until("both groups", lambda screen: "● blog" in screen and "● shop" in screen)
            seen.press("Down")
            # the monitor of the process notes the place of a request that takes longer than a second
            screen = seen.until("the thread of shop", lambda screen: "gated_app.py" in screen)
            (row,) = [line for line in screen.splitlines() if "GET /report" in line]
            assert "busy" in row
            assert "secret" not in screen, "no query is shown"
            assert "1/3" in screen
            gate.release()
            assert (report() or (0,))[0] == 200
        before = manager.pids("shop")
        with terminal(manager.command("top", "shop"), columns=80, lines=24) as seen:
            screen = seen.until("the group that was named", lambda screen: "shop/1" in screen)
            assert "blog" not in screen
            assert f"http://127.0.0.1:{port}" in screen
            assert max(map(len, screen.splitlines())) <= 80
            seen.press("r")
            seen.until("the question", lambda screen: "Restart shop?" in screen)
            seen.press("n")
            seen.until("no question", lambda screen: "Restart shop?" not in screen)
            assert manager.pids("shop") == before
            seen.press("r")
            seen.until("the question", lambda screen: "Restart shop?" in screen)
            seen.press("y")
            seen.until("the outcome", lambda screen: "restart shop: done" in screen)
            assert manager.pids("shop")[1] != before[1]
            seen.press("c")
            seen.until("the question", lambda screen: "How many processes" in screen)
            seen.press("2", "Enter")
            seen.until("the outcome", lambda screen: "scale shop: done" in screen)
            assert len(manager.pids("shop")) == 2
            seen.press("q")
            seen.until("its end", lambda screen: "ended with 0" in screen)


def test_top_wants_a_terminal_and_a_manager(manager: ManagerUnderTest) -> None:
    done = manager.cli("top")
    assert done.returncode == 2
    assert "this is no terminal" in done.stderr
    with terminal(manager.command("top")) as seen:
        seen.until("why not", lambda screen: "no manager is running" in screen and "ended with 6" in screen)
    manager.apply(
        f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        f'listen = ["127.0.0.1:{manager.port()}"]\n'
    )
    with terminal(manager.command("top", "shop")) as seen:
        seen.until("no such group", lambda screen: "cannot find group 'shop'" in screen and "ended with 4" in screen)
