"""What is rendered as an image and as pods, with podman: built, started, replaced and stopped.

No scheduler and no kubelet: the test does what these would do.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from support import base_image, wheelhouse
from support.balancer import Balancer, probe
from support.containers import HUNG_S, ContainerPlace, container_place
from support.looking import wait
from support.pods import NETWORK, SUBNET, PodUnderTest

pytestmark = [
    pytest.mark.root,
    pytest.mark.needs("podman", "crun", "conmon", "iptables"),
    pytest.mark.timeout(600),  # images are built
]
UID = 10001

CLIENTS, REST_S = 6, 0.05
LOOK_S = 1.0  # a pod that is gone so soon loses requests
GRACE_S = 33  # drain-delay, 20 s of shutdown-timeout, a second to exit, two more
APPLICATION = '''\
def application(environ, start_response):
    """Say which release this is."""
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"release {release}\\n"]
'''
GROUPS = """\
version = 1
[server]
error-log = "/dev/stdout"
{server}[kubernetes]
image = "localhost/shop:{release}"
directory = "/app"
[groups.shop]
app = "shop:application"
python-path = ["."]
listen = ["0.0.0.0:8000"]
processes = 2
threads = {threads}
memory-limit = "400M"
shutdown-timeout = "20s"
trusted-proxies = ["10.0.0.0/8"]
"""
FACTS = """
import json, os
status = dict(line.split(":\\t", 1) for line in open("/proc/1/status").read().splitlines())
names = ("Name", "Uid", "Gid", "Groups", "CapEff", "CapPrm", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp")
found = {name: status[name].split() for name in names}
found["read-only"] = bool(os.statvfs("/").f_flag & os.ST_RDONLY)
print(json.dumps(found))
"""
MODE = "import os; print(format(os.stat('/run/wsgigroups').st_mode & 0o7777, 'o'))"


def wsgigroups(directory: Path, *arguments: str) -> None:
    """Run a command in a directory."""
    subprocess.run(
        [sys.executable, "-m", "wsgigroups", *arguments], cwd=directory, check=True, timeout=HUNG_S, capture_output=True
    )


@dataclass
class Shop:
    """A place for containers with an image `shop:1` in it, and the directory that was built from."""

    place: ContainerPlace
    context: Path

    def build(self, context: Path, tag: str, *more: str) -> str:
        """Build as the rendered file says; return the digest."""
        self.place.podman(
            "build",
            "--timestamp",
            "0",
            *more,
            f"--tag=localhost/{tag}",
            f"--file={context}/Containerfile",
            str(context),
        )
        return self.place.podman("image", "inspect", "--format={{.Digest}}", f"localhost/{tag}")

    def copied(self, name: str, release: int) -> Path:
        """Return another directory to build from, with that release of the application."""
        context = self.place.directory / name
        shutil.copytree(self.context, context)
        (context / "shop.py").write_text(APPLICATION.format(release=release))
        return context

    @contextlib.contextmanager
    def pod(
        self, name: str, number: int, release: int = 1, server: str = "", threads: int = 4
    ) -> Iterator[PodUnderTest]:
        """A pod of what is rendered, not yet started. number: of its address; from 1 on, with a kubelet's volumes."""
        place = self.place.directory / name
        place.mkdir()
        (place / "groups.toml").write_text(GROUPS.format(release=release, server=server, threads=threads))
        wsgigroups(place, "render", "kubernetes", "groups.toml", "-o", "base")
        pod = PodUnderTest(self.place, place / "base", name, number, self._volumes(name, number) if number else {})
        try:
            yield pod
        finally:
            pod.remove()

    def _volumes(self, name: str, number: int) -> dict[str, object]:
        """The volumes of a pod as a kubelet makes them, which podman does not: its own are the user's alone."""
        store = self.place.directory / "store" / f"volumes-{name}"
        make = 'mkdir -p "$0/run" "$0/tmp" && mount -t tmpfs -o mode=2777,size=16m none "$0/run" && chmod 777 "$0/tmp"'
        subprocess.run(self.place.enter("sh", "-c", make, str(store)), check=True, timeout=HUNG_S)
        volumes = [
            {"name": volume, "emptyDir": None, "hostPath": {"path": f"{store}/{volume}", "type": "Directory"}}
            for volume in ("run", "tmp")
        ]
        ports = [{"containerPort": port, "hostPort": port + number} for port in (8000, 9180)]
        return {"volumes": volumes, "containers": [{"name": "wsgigroups", "ports": ports}]}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    directory = tmp_path_factory.mktemp("containers")
    context = directory / "context"
    (context / "wheelhouse").mkdir(parents=True)
    with contextlib.ExitStack() as stack:
        try:
            place = stack.enter_context(container_place(directory))
        except OSError as error:
            pytest.skip(f"root may not have name spaces of its own here: {error}")
        base_image.write(directory / "base.tar", wheelhouse.extensions("wsgigroups"))
        named = ("--change=ENV PATH=/usr/bin:/bin", "-", "localhost/base:1")
        place.podman("import", *named, given=directory / "base.tar")
        base = place.podman("image", "inspect", "--format={{.Digest}}", "localhost/base:1")
        (context / "requirements.txt").write_text(wheelhouse.fill(context / "wheelhouse"))
        (context / "shop.py").write_text(APPLICATION.format(release=1))
        (context / "groups.toml").write_text(GROUPS.format(release=1, server="", threads=4))
        wsgigroups(
            context, "render", "containerfile", "groups.toml", "--base", f"localhost/base@{base}", "-o", "Containerfile"
        )
        built = Shop(place, context)
        built.build(context, "shop:1", "--no-cache")
        place.podman("network", "create", "--disable-dns", f"--subnet={SUBNET}.0/24", NETWORK)
        yield built


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
    with shop.pod("old", 0) as old, shop.pod("new", 1, release=2, threads=3) as new, shop.place.network():
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
