"""What stands beside the Deployment of a group: its address, who may reach it, who scrapes it, who evicts it. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgigroups.interop.renderers.kubernetes.workload import KubernetesVersion, Workload

SERVICE_PORT = 80
_SCRAPE_S, _SCRAPE_TIMEOUT_S = 15, 10
LEAST_FOR_A_BUDGET = 2  # pods: of a single one a budget would keep a node from being drained


def service(workload: Workload) -> dict[str, Any]:
    """The address of the group in the cluster (core/v1)."""
    ports = [{"name": "http", "port": SERVICE_PORT, "targetPort": "http", "appProtocol": "http"}]
    return _object("v1", "Service", workload, {"selector": workload.selector, "ports": ports})


def network_policy(workload: Workload) -> dict[str, Any]:
    """Nobody reaches anything but the two ports (networking.k8s.io/v1)."""
    ports = [{"protocol": "TCP", "port": port} for port in ("http", "health")]
    spec = {
        "podSelector": {"matchLabels": workload.selector},
        "policyTypes": ["Ingress"],
        "ingress": [{"ports": ports}],
    }
    return _object("networking.k8s.io/v1", "NetworkPolicy", workload, spec)


def pod_monitor(workload: Workload) -> dict[str, Any]:
    """Whoever runs the Prometheus operator scrapes /metrics (monitoring.coreos.com/v1)."""
    endpoint = {
        "port": "health",
        "path": "/metrics",
        "interval": f"{_SCRAPE_S}s",
        "scrapeTimeout": f"{_SCRAPE_TIMEOUT_S}s",
    }
    spec = {"selector": {"matchLabels": workload.selector}, "podMetricsEndpoints": [endpoint]}
    return _object("monitoring.coreos.com/v1", "PodMonitor", workload, spec)


def disruption_budget(workload: Workload, version: KubernetesVersion) -> dict[str, Any]:
    """One pod at a time leaves of its own accord, and one that serves nobody may always (policy/v1)."""
    spec: dict[str, Any] = {"maxUnavailable": 1, "selector": {"matchLabels": workload.selector}}
    if version.has_healthy_policy:
        spec["unhealthyPodEvictionPolicy"] = "AlwaysAllow"
    return _object("policy/v1", "PodDisruptionBudget", workload, spec)


def _object(version: str, kind: str, workload: Workload, spec: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": workload.name, "labels": workload.labels}
    return {"apiVersion": version, "kind": kind, "metadata": metadata, "spec": spec}
