"""`deploy`: code that no plan sees is put into service, and what does not start is taken back."""

from __future__ import annotations

import json

from support.manager import ManagerUnderTest

GOOD = """
def application(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"{}"]
"""


def history(manager: ManagerUnderTest) -> list[tuple[int, str, bool, str]]:
    rows = json.loads(manager.cli("history", "-o", "json").stdout)["revisions"]
    return [(row["revision"], row["outcome"], row["running"], row["by"].partition(", ")[2]) for row in rows]


def test_new_code_is_rolled_out_named_and_taken_back_when_it_fails(manager: ManagerUnderTest) -> None:
    manager.expect_in_log("no_such_module")
    port, top = manager.port(), manager.base / "srv"
    top.mkdir(mode=0o755)
    shop = top / "shop.py"
    shop.write_text(GOOD.format("one"))
    text = f'[groups.shop]\napp = "shop:application"\npython-path = ["{top}"]\nlisten = ["127.0.0.1:{port}"]\n'
    # with a release of its own no file is compared
    manager.apply(text + 'processes = 2\nrelease = "1"\n[groups.shop.rollout]\nmin-ready-time = 0\n')
    before = manager.pids("shop")
    # of another length: Python tells files that were written within a second by that alone, when it looks for bytecode
    shop.write_text(GOOD.format("the second"))
    assert manager.cli("plan", str(manager.base / "groups.toml")).stdout == "No changes.\n"
    refused = manager.cli("deploy", "shop", "2")
    assert (refused.returncode, "its release is '1'" in refused.stderr) == (2, True)
    assert manager.cli("deploy", "nosuch").returncode == 4
    with manager.clients(port, 2) as clients:
        done = manager.cli("deploy", "shop", "1")
        assert done.returncode == 0, done.stderr
        clients.wait_for_more(10)
        after = manager.pids("shop")
        for slot, pid in before.items():
            assert f"shop/{slot} {pid} → {after[slot]}" in done.stderr
        assert f" · revision 2 · http://127.0.0.1:{port}" in done.stderr
        assert manager.get(port)[1] == b"the second"
        shop.write_text("import no_such_module\n")
        failed = manager.cli("deploy", "shop")
        assert failed.returncode == 8, failed.stderr
        clients.wait_for_more(10)
    assert clients.failures == []
    assert manager.pids("shop") == after
    assert "2 old processes keep serving (rolled back to revision 2)" in failed.stderr
    assert f"{shop}:1  import no_such_module" in failed.stderr
    assert history(manager) == [
        (3, "rolled-back", False, "deploy shop"),
        (2, "done", True, "deploy shop 1"),
        (1, "done", False, ""),
    ]
    assert manager.cli("stop", "shop").returncode == 0
    stopped = manager.cli("deploy", "shop")
    assert (stopped.returncode, "it is stopped" in stopped.stderr) == (1, True)
