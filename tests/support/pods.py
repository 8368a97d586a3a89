"""What a cluster does with a rendered Deployment, as far as podman does it, and what a kubelet does with its probes.

Runs in pytest's process, in a place for containers. podman 4.3 has one volume of each name for all pods, and one port
of the machine for each port of a container: a second pod beside the first gets others by an overlay.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from support.balancer import Backend, probe
from support.clusters import kustomized, write
from support.containers import HUNG_S, ContainerPlace
from support.looking import wait

CHECK_S = 5.0  # to ask a pod that is gone takes as long
NETWORK, SUBNET = "pods", "10.91.0"
_HEAD = "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
_PATCHES = "patches: [{path: one.yaml}]\n"


class PodUnderTest:
    """One pod of a Deployment, from an overlay that names it and has what `patch` says in its template."""

    def __init__(self, place: ContainerPlace, base: Path, name: str, number: int, patch: Mapping[str, Any]) -> None:
        self.place = place
        self.address = f"{SUBNET}.{10 + number}"
        (only,) = (path for path in base.glob("*-deployment.yaml"))
        group = only.name.removesuffix("-deployment.yaml")
        changed = {
            "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": group},
            "spec": {"replicas": 1, "template": {"spec": patch}},
        }  # fmt: skip
        overlay = {
            "kustomization.yaml": f"{_HEAD}nameSuffix: -{name}\nresources: [../{base.name}]\n{_PATCHES}",
            "one.yaml": json.dumps(changed),  # JSON is YAML
        }
        self.manifest = base.parent / f"{name}.yaml"
        self.manifest.write_text(kustomized(write(base.parent / name, overlay)))
        self.objects = list(YAML(typ="safe", pure=True).load_all(self.manifest.read_text()))
        self.spec: dict[str, Any] = next(
            item["spec"]["template"]["spec"] for item in self.objects if item["kind"] == "Deployment"
        )
        (self.container,) = self.spec["containers"]
        self.pod = f"{group}-{name}-pod-0"
        self.name = f"{self.pod}-{self.container['name']}"
        ports = {item["name"]: item["containerPort"] for item in self.container["ports"]}
        self._stopping: subprocess.Popen[bytes] | None = None
        self.backend = Backend(ports["http"], ports["health"], host=self.address, check_s=CHECK_S)

    def play(self) -> None:
        """Start it; return when its startup probe has succeeded."""
        self.place.podman("kube", "play", f"--network={NETWORK}", f"--ip={self.address}", str(self.manifest))
        how = self.container["startupProbe"]
        hung_s = how.get("initialDelaySeconds", 0) + how["periodSeconds"] * how["failureThreshold"]
        wait(lambda: self.probe("startupProbe") == 200, self.log, hung_s)

    def probe(self, name: str) -> int:
        """Ask what the manifest says, as a kubelet does; return the status, 0 for no answer."""
        how = self.container[name]
        (port,) = (item["containerPort"] for item in self.container["ports"] if item["name"] == how["httpGet"]["port"])
        return probe(port, how["httpGet"]["path"], self.address, how["timeoutSeconds"])

    def run(self, *command: str) -> str:
        """Run a command in the container, as `kubectl exec` does; return what it prints."""
        return self.place.podman("exec", self.name, *command)

    def inspect(self) -> dict[str, Any]:
        """What podman says of the container."""
        (found,) = json.loads(self.place.podman("container", "inspect", self.name))
        return dict(found)

    def stop(self) -> None:
        """Begin to stop it as a kubelet does: SIGTERM, and SIGKILL when the grace period is over."""
        grace_s = self.spec["terminationGracePeriodSeconds"]
        self._stopping = subprocess.Popen(
            self.place.command("stop", f"--time={grace_s}", self.name),
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def exit_code(self) -> int:
        """Wait until it has ended; return its exit code."""
        if self._stopping:
            self._stopping.wait(HUNG_S)
        return int(self.place.podman("wait", self.name))

    def log(self) -> str:
        """What it has logged."""
        return self.place.log(self.name)

    def remove(self) -> None:
        """Remove it, in whatever state it is."""
        if self._stopping:
            self._stopping.wait(HUNG_S)
        self.place.podman("pod", "rm", "--force", "--time=0", "--ignore", self.pod)
