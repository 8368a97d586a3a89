"""Groups that go, are renamed, grow, shrink, move and change their user under load: who stays does not notice."""

from __future__ import annotations

import socket
import tempfile
from pathlib import Path

import pytest
from support.accounts import ALICE_UID, BOB_UID, Accounts
from support.gate import Gate
from support.manager import APPS, ManagerUnderTest
from support.population import daemons
from support.unix_clients import unix_get


def group(manager: ManagerUnderTest, name: str, *listen: str, extra: str = "") -> str:
    addresses = ", ".join(f'"{address}"' for address in listen)
    return (
        f'[groups.{name}]\napp = "gated_app:application"\npython-path = ["{APPS}"]\nlisten = [{addresses}]\n'
        f'environment = {{ GATE_DIRECTORY = "{manager.base}" }}\nshutdown-timeout = "30s"\n{extra}\n'
    )


def opened(directory: Path) -> Path:
    """Every account may enter it: the homes are there."""
    directory.chmod(0o755)
    return directory


def change(manager: ManagerUnderTest, text: str) -> None:
    done = manager.change_to(text)
    assert done["outcome"] == "done", done


def test_a_removed_group_ends_its_requests_and_takes_its_own_socket_alone(manager: ManagerUnderTest) -> None:
    gone, kept = manager.port(), manager.port()
    paths = {name: manager.base / f"{name}.sock" for name in ("own", "taken", "kept")}
    addresses = (f"127.0.0.1:{gone}", f"unix:{paths['own']}", f"unix:{paths['taken']}")
    stays = group(manager, "b", f"127.0.0.1:{kept}", f"unix:{paths['kept']}", extra="processes = 2")
    with Gate(manager.base) as gate, socket.socket(socket.AF_UNIX) as foreign:
        manager.apply(stays + group(manager, "a", *addresses))
        before, inode = manager.pids("b"), paths["kept"].stat().st_ino
        paths["taken"].unlink()
        foreign.bind(str(paths["taken"]))  # somebody else's by now
        foreign.listen()
        with manager.clients(kept, 3, "/open") as clients, manager.background_get(gone, "/held") as answer:
            pid, _word = gate.wait_arrival()
            manager.cli("apply", "--yes", "--no-wait", str(manager.write(stays)))
            manager.wait_for("nobody is let in", lambda: not manager.listening(gone))
            assert pid in daemons(manager.manager_pid)
            clients.wait_for_more(20)
            gate.release()
            assert answer() == (200, str(pid).encode())
            manager.wait_for("it is gone", lambda: [g["name"] for g in manager.status()["groups"]] == ["b"])
            clients.wait_for_more(20)
        assert clients.failures == []
        assert (manager.pids("b"), paths["kept"].stat().st_ino) == (before, inode)
        assert unix_get(paths["kept"], "/open")[0] == 200
        assert not paths["own"].exists()
        assert paths["taken"].is_socket()
        paths["taken"].unlink()
        gate.close()


def test_a_renamed_group_has_its_requests_ended_and_its_sockets_handed_over(manager: ManagerUnderTest) -> None:
    port, path = manager.port(), manager.base / "a.sock"
    addresses = (f"127.0.0.1:{port}", f"unix:{path}")
    with Gate(manager.base) as gate:
        manager.apply(group(manager, "a", *addresses, extra="processes = 2"))
        inode = path.stat().st_ino
        with manager.clients(port, 3, "/open") as clients, manager.background_get(port, "/held") as answer:
            pid, _word = gate.wait_arrival()
            text = group(manager, "b", *addresses, extra="processes = 2")
            manager.cli("apply", "--yes", "--no-wait", str(manager.write(text)))
            manager.wait_for("the new one serves", lambda: any(g["name"] == "b" for g in manager.status()["groups"]))
            manager.wait_up("b")
            clients.wait_for_more(20)
            gate.release()
            assert answer() == (200, str(pid).encode())
            manager.wait_for("the old one is gone", lambda: [g["name"] for g in manager.status()["groups"]] == ["b"])
            clients.wait_for_more(20)
        assert clients.failures == []
        assert path.stat().st_ino == inode
        gate.close()


def test_four_become_sixteen_and_one(manager: ManagerUnderTest) -> None:
    port = manager.port()
    with Gate(manager.base) as gate:
        sizes = {
            count: group(manager, "a", f"127.0.0.1:{port}", extra=f"processes = {count}\nthreads = 6")
            for count in (4, 16, 1)
        }
        manager.apply(sizes[4])
        before = manager.pids("a")
        with manager.clients(port, 3, "/open") as clients:
            change(manager, sizes[16])
            assert before.items() <= manager.pids("a").items()
            assert len(manager.pids("a")) == 16
            clients.wait_for_more(50)
            with manager.background_get(port, "/held") as first, manager.background_get(port, "/held") as second:
                held = {gate.wait_arrival()[0] for _ in range(2)}
                manager.cli("apply", "--yes", "--no-wait", str(manager.write(sizes[1])))
                # the first of them may be the one that stays
                manager.wait_for("the others have ended", lambda: daemons(manager.manager_pid) <= {before[1], *held})
                clients.wait_for_more(20)
                gate.release(2)
                assert {first(), second()} <= {(200, str(pid).encode()) for pid in held}
            manager.wait_for("one is left", lambda: daemons(manager.manager_pid) == {before[1]})
            clients.wait_for_more(20)
        assert clients.failures == []
        gate.close()


def test_another_address_ends_the_requests_of_the_one_before(manager: ManagerUnderTest) -> None:
    old, new, other = manager.port(), manager.port(), manager.port()
    stays = group(manager, "b", f"127.0.0.1:{other}")
    with Gate(manager.base) as gate:
        manager.apply(stays + group(manager, "a", f"127.0.0.1:{old}"))
        with manager.clients(other, 2, "/open") as clients, manager.background_get(old, "/held") as answer:
            pid, _word = gate.wait_arrival()
            text = stays + group(manager, "a", f"127.0.0.1:{new}")
            manager.cli("apply", "--yes", "--no-wait", str(manager.write(text)))
            manager.wait_for("the new one is served", lambda: manager.listening(new))
            assert manager.get(new, "/open")[0] == 200
            manager.wait_for("nobody is let in at the old one", lambda: not manager.listening(old))
            gate.release()
            assert answer() == (200, str(pid).encode())
            clients.wait_for_more(20)
        assert clients.failures == []
        gate.close()


@pytest.mark.root
def test_another_user_takes_over_and_no_request_is_lost(tmp_path: Path) -> None:
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as homes,
        ManagerUnderTest(tmp_path, Accounts(opened(Path(homes)))) as manager,
        Gate(manager.base) as gate,
    ):
        port, other = manager.port(), manager.port()

        def text(user: str) -> str:
            stays = group(manager, "b", f"127.0.0.1:{other}", extra='user = "bob"')
            return group(manager, "a", f"127.0.0.1:{port}", extra=f'user = "{user}"\nprocesses = 2') + stays

        manager.apply(text("alice"))
        before = manager.pids("b")
        with (
            manager.clients(port, 3, "/open") as clients,
            manager.clients(other, 1, "/open") as others,
            manager.background_get(port, "/held") as answer,
        ):
            pid, _word = gate.wait_arrival()
            assert Path(f"/proc/{pid}").stat().st_uid == ALICE_UID
            manager.cli("apply", "--yes", "--no-wait", str(manager.write(text("bob"))))
            manager.wait_for(
                "bob serves",
                lambda: {Path(f"/proc/{p}").stat().st_uid for p in manager.pids("a").values()} == {BOB_UID},
            )
            clients.wait_for_more(20)
            gate.release()
            assert answer() == (200, str(pid).encode())
            clients.wait_for_each()
            others.wait_for_each()
        assert clients.failures == others.failures == []
        assert manager.pids("b") == before
        gate.close()
