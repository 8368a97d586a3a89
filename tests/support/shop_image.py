"""An image of a shop, as `render containerfile` describes it, in a place for containers; and its pods.

Runs in pytest's process.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from support import base_image, wheelhouse
from support.containers import HUNG_S, ContainerPlace
from support.pods import NETWORK, SUBNET, PodUnderTest

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
        where = (f"--file={context}/Containerfile", str(context))
        self.place.podman("build", "--timestamp", "0", *more, f"--tag=localhost/{tag}", *where)
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


def built(place: ContainerPlace) -> Shop:
    """Make the base image, the wheels and the image `shop:1`, from nothing; and a network for pods."""
    directory = place.directory
    context = directory / "context"
    (context / "wheelhouse").mkdir(parents=True)
    base_image.write(directory / "base.tar", wheelhouse.extensions("wsgigroups"))
    named = ("--change=ENV PATH=/usr/local/bin:/usr/bin:/bin", "-", "localhost/base:1")
    place.podman("import", *named, given=directory / "base.tar")
    base = place.podman("image", "inspect", "--format={{.Digest}}", "localhost/base:1")
    (context / "requirements.txt").write_text(wheelhouse.fill(context / "wheelhouse"))
    (context / "shop.py").write_text(APPLICATION.format(release=1))
    (context / "groups.toml").write_text(GROUPS.format(release=1, server="", threads=4))
    wsgigroups(
        context, "render", "containerfile", "groups.toml", "--base", f"localhost/base@{base}", "-o", "Containerfile"
    )
    shop = Shop(place, context)
    shop.build(context, "shop:1", "--no-cache")
    place.podman("network", "create", "--disable-dns", f"--subnet={SUBNET}.0/24", NETWORK)
    return shop
