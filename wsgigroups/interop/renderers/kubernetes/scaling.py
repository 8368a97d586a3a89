"""What sets the number of a group's pods: busy request threads, not processors. Pure.

Python that waits for others uses no processor while its threads run out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wsgigroups.interop.renderers.kubernetes.workload import Workload

_UP_S, _DOWN_S = 0, 300
_POLL_S = 15
_FAILURES = 3  # of Prometheus in a row, before KEDA keeps what there was at least
_BEHAVIOR = {
    "scaleUp": {"stabilizationWindowSeconds": _UP_S},
    "scaleDown": {"stabilizationWindowSeconds": _DOWN_S},
}


def autoscaler(workload: Workload) -> dict[str, Any]:
    """A HorizontalPodAutoscaler (autoscaling/v2), for which an adapter has to bring the metric of pods."""
    metric = {"name": "wsgigroups_requests_active", "selector": {"matchLabels": {"group": workload.group_name}}}
    target = {"type": "AverageValue", "averageValue": _quantity(workload.busy_threads)}
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": workload.name, "labels": workload.labels},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
            "minReplicas": workload.replicas,
            "maxReplicas": workload.replicas_max,
            "metrics": [{"type": "Pods", "pods": {"metric": metric, "target": target}}],
            "behavior": _BEHAVIOR,
        },
    }


def scaled_object(workload: Workload, prometheus: str, namespace: str) -> dict[str, Any]:
    """A ScaledObject (keda.sh/v1alpha1), which asks Prometheus for requests that run, and that wait for a thread."""
    labels = f'group="{workload.group_name}"' + (f',namespace="{namespace}"' if namespace else "")
    query = " + ".join(f"sum(wsgigroups_requests_{state}{{{labels}}})" for state in ("active", "queued"))
    trigger = {
        "type": "prometheus",
        "metricType": "AverageValue",
        "metadata": {"serverAddress": prometheus, "query": query, "threshold": f"{workload.busy_threads:g}"},
    }
    return {
        "apiVersion": "keda.sh/v1alpha1",
        "kind": "ScaledObject",
        "metadata": {"name": workload.name, "labels": workload.labels},
        "spec": {
            "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": workload.name},
            "minReplicaCount": workload.replicas,
            "maxReplicaCount": workload.replicas_max,
            "pollingInterval": _POLL_S,
            "fallback": {"failureThreshold": _FAILURES, "replicas": workload.replicas},
            "advanced": {"horizontalPodAutoscalerConfig": {"behavior": _BEHAVIOR}},
            "triggers": [trigger],
        },
    }


def _quantity(number: float) -> str:
    """As the API server writes it: whole, or in thousandths."""
    return f"{number:g}" if number == int(number) else f"{round(number * 1000)}m"
