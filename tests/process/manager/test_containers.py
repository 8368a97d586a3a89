"""What is rendered as an image, as pods and as a unit, with podman: built, started, replaced and stopped.

No scheduler and no kubelet: the test does what these would do.
"""

from __future__ import annotations

import contextlib
import json
import os
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from support.balancer import Balancer, probe
from support.booted import BootedMachine, booted
from support.clients import Clients
from support.containers import HUNG_S, container_place
from support.looking import wait
from support.pods import NETWORK, SUBNET
from support.shop_image import Shop, built

pytestmark = [
    pytest.mark.root,
    pytest.mark.needs("podman", "crun", "conmon", "iptables", "systemctl"),
    pytest.mark.timeout(600),  # images are built
]
UID = 10001
CLIENTS, REST_S = 6, 0.05
LOOK_S = 1.0  # a pod that is gone so soon loses requests
GRACE_S = 33  # drain-delay, 20 s of shutdown-timeout, a second to exit, two more
FACTS = """
import json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines())
names = ("Name", "Uid", "Gid", "Groups", "CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
found = {name: status[name].split() for name in names}
found["read-only"] = bool(os.statvfs("/").f_flag & os.ST_RDONLY)
print(json.dumps(found))
"""
MODE = "import os; print(format(os.stat('/run/wsgigroups').st_mode & 0o7777, 'o'))"


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(container_place(tmp_path_factory.mktemp("containers")))
        except OSError as error:
            pytest.skip(f"root may not have name spaces of its own here: {error}")
        yield built(place)


def answer(address: str) -> str:
    """What the application answers, "" while it does not."""
    try:
        with urllib.request.urlopen(f"http://{address}:8000/", timeout=HUNG_S) as response:
            return str(response.read().decode())
    except OSError:
        return ""


def test_two_builds_are_one_image(shop: Shop) -> None:
    """From nothing each, in another directory, at another time, from files of other times and modes."""
    other = shop.copied("other", release=1)
    for path in sorted(other.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)
        os.utime(path, (0, 0))
    first = shop.place.podman("image", "inspect", "--format={{.Digest}}", "localhost/shop:1")
    assert shop.build(other, "again:1", "--no-cache") == first


def test_the_image_is_a_process_1_that_ends_well(shop: Shop) -> None:
    place, address = shop.place, f"{SUBNET}.10"
    place.podman("run", "--detach", "--name=alone", f"--network={NETWORK}", f"--ip={address}", "localhost/shop:1")
    with place.network():
        wait(lambda: answer(address) == "release 1\n", lambda: place.log("alone"))
    facts = json.loads(place.podman("exec", "alone", "python3", "-c", FACTS))
    assert (facts["Name"], facts["Uid"], facts["Gid"]) == (["wsgigroups"], [str(UID)] * 4, [str(UID)] * 4)
    assert facts["CapEff"] == ["0" * 16]
    place.podman("stop", f"--time={GRACE_S}", "alone")  # the signal is that of the image
    assert place.podman("wait", "alone") == "0", place.log("alone")
    assert "SIGTERM: asked to end" in place.log("alone")
    place.podman("rm", "alone")


def test_a_pod_is_confined_and_its_probes_tell_how_it_is(shop: Shop) -> None:
    with shop.pod("lasting", 0, server='drain-delay = "10m"\n') as pod, shop.place.network():
        pod.play()
        assert [pod.probe(f"{name}Probe") for name in ("startup", "readiness", "liveness")] == [200] * 3
        facts = json.loads(pod.run("python3", "-c", FACTS))
        assert (facts["Uid"], facts["Gid"], facts["Groups"]) == ([str(UID)] * 4, [str(UID)] * 4, [str(UID)])
        assert [facts[name] for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")] == [["0" * 16]] * 4
        assert (facts["NoNewPrivs"], facts["Seccomp"], facts["read-only"]) == (["1"], ["2"], True)
        assert pod.inspect()["HostConfig"]["Memory"] == int(pod.container["resources"]["limits"]["memory"][:-2]) * 2**20
        found = json.loads(pod.run("wsgigroups", "status", "-o", "json"))
        assert found["manager"]["pid"] == 1
        (group,) = found["groups"]
        assert (group["state"], group["processes_ready"]) == ("ready", 2)
        pod.place.podman("kill", "--signal=TERM", pod.name)
        wait(lambda: probe(pod.backend.health_port, "/readyz", pod.address) == 503, pod.log)
        # to a kubelet it is ready still, and a request that comes late is served
        assert [pod.probe(f"{name}Probe") for name in ("readiness", "liveness")] == [200] * 2
        assert answer(pod.address) == "release 1\n"


def test_pods_are_replaced_and_stopped_under_load(shop: Shop) -> None:
    """One more first, then one less, as maxSurge 1 and maxUnavailable 0 have it; then the new one is stopped."""
    shop.build(shop.copied("second", release=2), "shop:2")
    with (
        shop.pod("old", 0) as old,
        shop.pod("new", 1, 2, 'drain-delay = "4s"\n', threads=3) as new,
        shop.place.network(),
    ):
        assert old.spec["terminationGracePeriodSeconds"] == GRACE_S
        with Balancer([old.backend, new.backend], CLIENTS, rest_s=REST_S, look_s=LOOK_S) as balancer:
            for pod, release in ((old, 1), (new, 2)):
                pod.play()
                balancer.wait(lambda backend=pod.backend: backend.takes, "it is asked")
                assert answer(pod.address) == f"release {release}\n"
                balancer.wait_for_more(4 * CLIENTS)
            assert new.run("python3", "-c", MODE) == "2777"
            old.stop()
            balancer.wait_until_left(old.backend)
            balancer.wait_for_more(4 * CLIENTS)
            assert old.exit_code() == 0, old.log()
            new.stop()
            balancer.wait_until_left(new.backend)
        assert not balancer.lost, balancer.summary()
        assert old.backend.left
        assert new.backend.left
        assert new.exit_code() == 0, new.log()


ON_A_MACHINE = """\
version = 1
[groups.shop]
app = "shop:application"
python-path = ["/app"]
listen = ["127.0.0.1:8000"]
user = "nobody"
home = "/"
threads = {threads}
private-tmp = true
protect-system = "full"
"""
FILE = "/etc/wsgigroups.toml"
LEFT = """
import os, pathlib
for pid in filter(str.isdecimal, os.listdir("/proc")):
    if pid != str(os.getpid()) and b"wsgigroups" in pathlib.Path("/proc", pid, "cmdline").read_bytes():
        print(pid)
"""


def group_of(machine: BootedMachine) -> dict[str, Any]:
    """What the manager says of the only group."""
    (group,) = json.loads(machine.run("wsgigroups", "status", "-o", "json"))["groups"]
    return dict(group)


def pids(group: dict[str, Any]) -> list[int]:
    """The processes of a group, as their machine numbers them."""
    return [process["pid"] for process in group["processes"]]


def test_systemd_runs_the_unit_that_is_rendered(shop: Shop) -> None:
    """Its manager is killed, it is reloaded and restarted while clients ask, and it is stopped."""
    with booted(shop) as machine, shop.place.network():
        machine.write(FILE, ON_A_MACHINE.format(threads=4))
        machine.run("wsgigroups", "render", "systemd", FILE, "-o", "/etc/systemd/system/wsgigroups.service")
        machine.run("systemctl", "daemon-reload")
        machine.run("systemctl", "start", "wsgigroups")  # returns when the group is up
        assert answer("127.0.0.1") == "release 1\n"
        before = group_of(machine)
        assert before["user"] == "nobody"
        for process in before["processes"]:
            assert {found["state"] for found in process["confinement"].values()} == {"enforced"}
        with Clients(8000, 4, close=True, rest_s=REST_S) as clients:
            clients.wait_for_more(20)
            (first,) = machine.unit("MainPID")
            machine.run("kill", "-KILL", first)
            running = ("1", "active", "running")
            wait(lambda: machine.unit("NRestarts", "ActiveState", "SubState") == running, machine.log, HUNG_S)
            assert pids(group_of(machine)) == pids(before)  # taken over
            clients.wait_for_more(20)
            machine.write(FILE, ON_A_MACHINE.format(threads=5))
            machine.run("systemctl", "reload", "wsgigroups")
            wait(lambda: group_of(machine)["threads"] == 5, machine.log, HUNG_S)
            machine.run("systemctl", "restart", "wsgigroups")
            clients.wait_for_more(20)
        assert clients.failures == []
        machine.run("systemctl", "stop", "wsgigroups")
        assert machine.unit("Result", "ExecMainStatus", "SubState") == ("success", "0", "dead"), machine.log()
        assert machine.python(LEFT) == ""
