"""What others say of the objects: the API's schemas, Kustomize as kubectl has it, and the schemas of extensions.

No API server, scheduler or kubelet is asked: docs/kubernetes.md says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest
from ruamel.yaml import YAML
from support.clusters import SHOP, base, kustomized, objects, parsed, write

from wsgigroups.interop.renderers.kubernetes import ClusterRequest, KubernetesVersion

SCHEMAS = Path(__file__).parents[2] / "support" / "schemas" / "kubernetes"
EXTENSIONS = {"HTTPRoute": "http-route", "ScaledObject": "scaled-object", "PodMonitor": "pod-monitor"}
EVERYTHING = (
    SHOP.replace("[groups.shop]", 'namespace = "web"\nautoscale = "keda"\nreplicas-max = 8\n[groups.shop]')
    + """\
trusted-proxies = ["10.0.0.0/8"]
environment = { KEY = "${KEY}" }
environment-files = ["/etc/shop.env"]
kubernetes = { cpu = "500m", environment-secrets = ["shop-database"], volumes = { media = "/srv/media" } }
[groups.y]
app = "y:app"
listen = ["127.0.0.1:8001"]
memory-limit = "64M"
kubernetes = { autoscale = "hpa", replicas = 1, replicas-max = 3 }
[sites."www.example.org"]
listen = ["0.0.0.0:80"]
aliases = ["*.example.org"]
redirect-to-https = true
process-group = "shop"
mounts = [{path = "/"}, {path = "/y", process-group = "y"}]
"""
)
RENDERED = objects(EVERYTHING)
OF_THE_API = {
    name: item
    for name, item in {**RENDERED, **objects(EVERYTHING, ClusterRequest(ingress=True))}.items()
    if "kind" in item and item["kind"] not in {"Kustomization", *EXTENSIONS}
}
OF_EXTENSIONS = {name: item for name, item in RENDERED.items() if item.get("kind") in EXTENSIONS}


def accept(item: Mapping[str, Any], version: str = "1.34") -> None:
    kubernetes_validate.validate(item, version, strict=True)


def validate_by_schema(item: Mapping[str, Any]) -> None:
    schema = json.loads((SCHEMAS / f"{EXTENSIONS[item['kind']]}.json").read_text())
    jsonschema.Draft202012Validator(schema).validate(item)


def test_every_kind_is_there() -> None:
    assert {item["kind"] for item in OF_THE_API.values()} == {
        "Deployment", "Service", "NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler", "Ingress",
    }  # fmt: skip
    assert {item["kind"] for item in OF_EXTENSIONS.values()} == set(EXTENSIONS)


@pytest.mark.parametrize("name", OF_THE_API)
def test_the_api_takes_it(name: str) -> None:
    accept(OF_THE_API[name])


@pytest.mark.parametrize("minor", [27, 34, 37])
def test_other_versions_of_the_api_take_it(minor: int) -> None:
    for name, item in objects(EVERYTHING, ClusterRequest(version=KubernetesVersion(1, minor))).items():
        if name in OF_THE_API:
            accept(item, f"1.{minor}")


@pytest.mark.parametrize("name", OF_EXTENSIONS)
def test_the_schema_of_the_extension_takes_it(name: str) -> None:
    validate_by_schema(OF_EXTENSIONS[name])


def test_misspelt_fields_are_seen() -> None:
    """So that the tests above cannot pass by looking at nothing."""
    for item in OF_THE_API.values():
        with pytest.raises(kubernetes_validate.ValidationError):
            accept({**item, "spec": {**item["spec"], "selectr": {}}})
    for item in OF_EXTENSIONS.values():
        with pytest.raises(jsonschema.ValidationError):
            validate_by_schema({**item, "spec": {**item["spec"], "selectr": {}}})


def applied(directory: Path) -> dict[tuple[str, str], Any]:
    """Return what kubectl would apply, by kind and name."""
    documents = list(YAML(typ="safe", pure=True).load_all(kustomized(directory)))
    return {(item["kind"], item["metadata"]["name"]): item for item in documents}


def mounted_configuration(found: Mapping[tuple[str, str], Any], group: str) -> str:
    """Return the name of the ConfigMap that a group's pods mount."""
    volumes = found["Deployment", group]["spec"]["template"]["spec"]["volumes"]
    (name,) = [volume["configMap"]["name"] for volume in volumes if "configMap" in volume]
    return str(name)


def test_kustomize_builds_it_and_a_changed_file_replaces_pods(tmp_path: Path) -> None:
    files = base(EVERYTHING)
    found = applied(write(tmp_path / "a", files))
    assert {kind for kind, _name in found} == {
        "ConfigMap", "Deployment", "Service", "NetworkPolicy", "PodMonitor", "PodDisruptionBudget", "ScaledObject",
        "HorizontalPodAutoscaler", "HTTPRoute",
    }  # fmt: skip
    assert {item["metadata"]["namespace"] for item in found.values()} == {"web"}
    assert ("Service", "y") in found
    before = mounted_configuration(found, "shop")
    assert parsed(found["ConfigMap", before]["data"]["groups.yaml"]) == parsed(files["shop-groups.yaml"])
    after = applied(write(tmp_path / "b", base(EVERYTHING.replace("threads = 10", "threads = 11"))))
    assert mounted_configuration(after, "shop") != before
    assert mounted_configuration(after, "y") == mounted_configuration(found, "y")  # other groups stay as they are


def test_an_overlay_changes_it(tmp_path: Path) -> None:
    write(tmp_path / "base", base(EVERYTHING))
    overlay = {
        "kustomization.yaml": (
            "apiVersion: kustomize.config.k8s.io/v1beta1\nkind: Kustomization\n"
            "namespace: staging\nresources: [../base]\n"
            "images:\n- {name: registry.example.org/shop, newTag: '1.5'}\n"
            "replicas:\n- {name: 'y', count: 3}\n"
        )
    }
    found = applied(write(tmp_path / "staging", overlay))
    (only,) = found["Deployment", "shop"]["spec"]["template"]["spec"]["containers"]
    assert only["image"] == "registry.example.org/shop:1.5"
    assert {item["metadata"]["namespace"] for item in found.values()} == {"staging"}
