"""A process that a tenant left behind has a copy of the listener for as long as it lives; it must be worth nothing."""

from __future__ import annotations

import psutil
import pytest
from support.tenants import Tenants

pytestmark = pytest.mark.root


def moved(tenants: Tenants) -> str:
    """bob's group has alice's address now, and alice's another one."""
    return tenants.one("a", "hostile_app", tenants.port(), "alice") + tenants.one("b", "crashing_app", tenants.a, "bob")


def test_an_address_that_moves_to_another_user_is_taken_from_whoever_kept_it(tenants: Tenants) -> None:
    """It had inherited the socket, and five to twenty-six of thirty requests with it."""
    tenants.apply(tenants.text())
    stray = tenants.stray_out_of_reach("keep")
    tenants.apply(moved(tenants))
    served_by = str(tenants.pids("b")[1]).encode()
    assert [tenants.get(tenants.a)[1] for _ in range(30)] == [served_by] * 30
    if tenants.status()["manager"]["cleanup"] == "cgroup":
        assert psutil.pid_exists(stray), "it was there all the time"


def test_a_group_that_becomes_another_users_listens_anew(tenants: Tenants) -> None:
    tenants.apply(tenants.text())
    tenants.stray_out_of_reach("keep")
    tenants.apply(tenants.text(user="bob", app="crashing_app"))
    served_by = str(tenants.pids("a")[1]).encode()
    assert [tenants.get(tenants.a)[1] for _ in range(30)] == [served_by] * 30


def test_a_unix_socket_is_taken_from_whoever_kept_it(tenants: Tenants) -> None:
    path = tenants.base / "site.sock"
    where = f'listen = ["unix:{path}", "127.0.0.1:{tenants.a}"]\nsocket-user = "'
    text = tenants.text().replace(f'listen = ["127.0.0.1:{tenants.a}"]', where + 'alice"')
    tenants.apply(text)
    inode = path.stat().st_ino
    tenants.apply(text.replace('user = "alice"', 'user = "bob"'))
    assert path.stat().st_ino != inode


def test_after_a_removal_nobody_answers_and_another_may_have_the_address(tenants: Tenants) -> None:
    tenants.apply(tenants.text())
    stray = tenants.stray_out_of_reach("keep")
    tenants.apply(tenants.one("b", "crashing_app", tenants.b, "bob"))
    with pytest.raises(OSError, match=r"refused|timed out"):
        tenants.get(tenants.a, timeout_s=1.0)
    if tenants.status()["manager"]["cleanup"] == "cgroup":
        assert psutil.pid_exists(stray), "it was there all the time"


@pytest.mark.parametrize("how", [("restart",), ("stop", "start")])
def test_after_somebody_shut_the_listener_down_it_is_bound_again(tenants: Tenants, how: tuple[str, ...]) -> None:
    tenants.apply(tenants.text())
    tenants.attack("shut")
    for command in how:
        assert tenants.cli(command, "a").returncode == 0
    assert tenants.get(tenants.a, "/pid")[0] == 200
    assert f"somebody had shut 127.0.0.1:{tenants.a} down" in tenants.log("manager")


def test_a_group_whose_listeners_were_all_shut_comes_back_by_itself(tenants: Tenants) -> None:
    """Its processes leave in good order, and what follows them listens."""
    tenants.apply(tenants.text())
    pid = tenants.pids("a")[1]
    tenants.attack("shut")
    tenants.followed(pid)
    assert tenants.get(tenants.a, "/pid")[0] == 200
    assert "stopping: listeners-shut" in tenants.log("a")


def test_a_unix_listener_that_was_shut_is_bound_again(tenants: Tenants) -> None:
    path = tenants.base / "site.sock"
    where = f'listen = ["127.0.0.1:{tenants.a}", "unix:{path}"]'
    tenants.apply(tenants.text().replace(f'listen = ["127.0.0.1:{tenants.a}"]', where))
    inode = path.stat().st_ino
    tenants.attack("shut/unix")
    assert tenants.cli("restart", "a").returncode == 0
    assert path.stat().st_ino != inode
    assert f"somebody had shut unix:{path} down" in tenants.log("manager")
