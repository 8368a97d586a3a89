"""A configuration rendered for a cluster, and its objects as plain data."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from wsgigroups.config import Loaded, load
from wsgigroups.config.files import GivenText
from wsgigroups.interop.renderers.kubernetes import ClusterRequest, against_cluster, kubernetes_base

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

KUBECTL = Path(sys.executable).parent / "kubectl"
CLUSTER = """\
version = 1
[kubernetes]
image = "registry.example.org/shop:1.4"
gateway = "infrastructure/public"
prometheus = "http://prometheus.example.org:9090/"
"""
SHOP = (
    CLUSTER
    + """\
[groups.shop]
app = "shop.wsgi:application"
listen = ["127.0.0.1:8000"]
processes = 2
threads = 10
memory-limit = "200M"
"""
)


def given(text: str) -> GivenText:
    """Return a text in TOML as a configuration that stands in no file."""
    return GivenText("groups", json.dumps(tomllib.loads(text)))


def loaded(text: str, *, names: tuple[str, ...] = (), ingress: bool = False) -> Loaded:
    """Read a text as `render kubernetes` reads a file."""
    check = against_cluster(names, ingress=ingress)
    return load([given(text)], variables={"SECRET": "from-here"}, check=check, verbatim=("environment",))


def base(text: str, request: ClusterRequest | None = None) -> Mapping[str, str]:
    """Return the files of a text that is right."""
    configuration = loaded(text, ingress=bool(request and request.ingress)).configuration
    assert configuration, loaded(text).diagnostics
    return kubernetes_base(configuration, request or ClusterRequest())


def parsed(text: str, version: tuple[int, int] = (1, 2)) -> Any:
    """Return YAML as plain data, as a reader of that version of it has it."""
    reader = YAML(typ="safe", pure=True)
    reader.version = version
    return reader.load(text)


def objects(text: str, request: ClusterRequest | None = None) -> dict[str, Any]:
    """Return the documents by the names of files without `.yaml`."""
    return {Path(name).stem: parsed(content) for name, content in base(text, request).items()}


def container(rendered: Mapping[str, Any], name: str = "shop") -> Any:
    """Return the container of a group."""
    (found,) = rendered[f"{name}-deployment"]["spec"]["template"]["spec"]["containers"]
    return found


def kustomized(directory: Path) -> str:
    """Return the objects that kubectl would apply, as YAML."""
    done = subprocess.run(
        [KUBECTL, "kustomize", directory], capture_output=True, text=True, timeout=60, check=False, env={"HOME": "/"}
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout


def write(directory: Path, files: Mapping[str, str]) -> Path:
    """Write texts into a new directory; return it."""
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text)
    return directory
