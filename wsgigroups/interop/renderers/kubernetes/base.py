"""A configuration as a Kustomize base: a file for each object, and one that lists them. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.gateway.routing import served_sites
from wsgigroups.interop.renderers.kubernetes import beside, scaling
from wsgigroups.interop.renderers.kubernetes.groups_file import Moved, groups_file
from wsgigroups.interop.renderers.kubernetes.pods import deployment
from wsgigroups.interop.renderers.kubernetes.routes import http_routes, ingress, site_routes
from wsgigroups.interop.renderers.kubernetes.workload import KubernetesVersion, workloads
from wsgigroups.interop.renderers.kubernetes.yaml_text import yaml_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from wsgigroups.config import Configuration
    from wsgigroups.interop.renderers.kubernetes.workload import Workload

KUSTOMIZATION = "kustomization.yaml"
_FILE_OF = {
    "Deployment": "deployment",
    "Service": "service",
    "NetworkPolicy": "network-policy",
    "PodMonitor": "pod-monitor",
    "PodDisruptionBudget": "disruption-budget",
    "HorizontalPodAutoscaler": "autoscaler",
    "ScaledObject": "scaled-object",
    "HTTPRoute": "route",
    "Ingress": "ingress",
}


@dataclass(frozen=True, slots=True)
class ClusterRequest:
    """What is asked for beside the configuration. group "": all. below: the directory of the configuration's file."""

    group: str = ""
    ingress: bool = False
    version: KubernetesVersion = field(default_factory=KubernetesVersion)
    below: str = ""


def kubernetes_base(configuration: Configuration, request: ClusterRequest) -> Mapping[str, str]:
    """Return the text of each file by its name, for a configuration that `checks` found possible."""
    cluster = configuration.kubernetes
    moved = Moved(request.below, cluster.directory or "")
    chosen = {
        name: group for name, group in configuration.all_groups().items() if not request.group or name == request.group
    }
    found = workloads(chosen, cluster, configuration.server)
    objects: dict[str, Mapping[str, Any]] = {}
    configurations: dict[str, Mapping[str, Any]] = {}
    for workload in found.values():
        configurations[f"{workload.name}-groups"] = groups_file(configuration, workload, moved)
        for item in _of_workload(configuration, workload, request, moved):
            objects[_file_name(item)] = item
    for key, site in served_sites(configuration).items():
        routes = site_routes(key, site, found, partly=request.group)
        if routes is not None:
            by = (
                [ingress(routes, cluster.ingress_class or "")]
                if request.ingress
                else http_routes(routes, cluster.gateway or "")
            )
            objects.update({_file_name(item): item for item in by})
    listed = _kustomization(cluster.namespace or "", tuple(objects), tuple(configurations))
    files = {KUSTOMIZATION: listed, **objects, **{f"{name}.yaml": text for name, text in configurations.items()}}
    return {name: yaml_text(document) for name, document in files.items()}


def _of_workload(
    configuration: Configuration, workload: Workload, request: ClusterRequest, moved: Moved
) -> Iterator[Mapping[str, Any]]:
    cluster = configuration.kubernetes
    yield deployment(workload, configuration.server, request.version, moved)
    yield beside.service(workload)
    yield beside.network_policy(workload)
    yield beside.pod_monitor(workload)
    if workload.replicas >= beside.LEAST_FOR_A_BUDGET:
        yield beside.disruption_budget(workload, request.version)
    if workload.autoscale == "hpa":
        yield scaling.autoscaler(workload)
    elif workload.autoscale == "keda":
        yield scaling.scaled_object(workload, cluster.prometheus or "", cluster.namespace or "")


def _file_name(item: Mapping[str, Any]) -> str:
    return f"{item['metadata']['name']}-{_FILE_OF[item['kind']]}.yaml"


def _kustomization(namespace: str, resources: tuple[str, ...], configurations: tuple[str, ...]) -> dict[str, Any]:
    """Kustomize puts a hash behind the names of these ConfigMaps, so that pods are replaced when a file changes."""
    return {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        **({"namespace": namespace} if namespace else {}),
        "resources": list(resources),
        "configMapGenerator": [
            {
                "name": name,
                "files": [f"groups.yaml={name}.yaml"],
                "options": {"labels": {"app.kubernetes.io/managed-by": "wsgigroups"}},
            }
            for name in configurations
        ],
    }
