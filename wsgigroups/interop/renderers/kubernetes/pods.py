"""The Deployment of a group. Pure; fields as in the API reference of apps/v1 and core/v1."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from wsgigroups.interop.renderers.first_moment import waiting
from wsgigroups.interop.renderers.kubernetes.deadlines import LIVENESS, READINESS, ProbeTimes, deadlines_of
from wsgigroups.interop.renderers.kubernetes.groups_file import SECRETS, secret_keys

if TYPE_CHECKING:
    from wsgigroups.config import ServerDefaults
    from wsgigroups.interop.renderers.kubernetes.groups_file import Moved
    from wsgigroups.interop.renderers.kubernetes.workload import KubernetesVersion, Workload

FILE = "/etc/wsgigroups/groups.yaml"
_RUN = "/run/wsgigroups"  # every user may write to an emptyDir: ours are below it
_DIRECTORIES = {"RUN": f"{_RUN}/run", "STATE": f"{_RUN}/state", "LOG": f"{_RUN}/log"}


def deployment(workload: Workload, server: ServerDefaults, version: KubernetesVersion, moved: Moved) -> dict[str, Any]:
    """Return the object. It has no replicas where something else sets their number: each apply would set it back."""
    times = deadlines_of(workload.group, server)
    spread: dict[str, Any] = {
        "maxSkew": 1,
        "topologyKey": "kubernetes.io/hostname",
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": workload.selector},
    }
    if version.spreads_by_revision:
        spread["matchLabelKeys"] = ["pod-template-hash"]
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": workload.name, "labels": workload.labels},
        "spec": {
            **({} if workload.scales else {"replicas": workload.replicas}),
            "selector": {"matchLabels": workload.selector},
            "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
            "progressDeadlineSeconds": times.progress_s,
            "template": {
                "metadata": {"labels": workload.labels},
                "spec": {
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": times.grace_s,
                    "securityContext": _of_pod(workload),
                    "topologySpreadConstraints": [spread],
                    "containers": [_container(workload, times.startup, moved)],
                    "volumes": _volumes(workload),
                },
            },
        },
    }


def _of_pod(workload: Workload) -> dict[str, Any]:
    context: dict[str, Any] = {
        "runAsNonRoot": True,
        "runAsUser": workload.user,
        "runAsGroup": workload.user,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    if workload.group.kubernetes.volumes:
        context["fsGroup"] = workload.user
        context["fsGroupChangePolicy"] = "OnRootMismatch"
    return context


def _container(workload: Workload, startup: ProbeTimes, moved: Moved) -> dict[str, Any]:
    secrets = workload.group.kubernetes.environment_secrets
    return {
        "name": "wsgigroups",
        "image": workload.image,
        "command": [*waiting(workload.image), "wsgigroups"],
        "args": ["run", "--group", workload.group_name, FILE],
        "env": [{"name": f"WSGIGROUPS_{name}_DIR", "value": path} for name, path in _DIRECTORIES.items()],
        **({"envFrom": [{"secretRef": {"name": name}} for name in secrets]} if secrets else {}),
        "ports": [
            {"name": "http", "containerPort": workload.port},
            {"name": "health", "containerPort": workload.health_port},
        ],
        "startupProbe": _probe("/servingz", startup),
        "readinessProbe": _probe("/servingz", READINESS),
        "livenessProbe": _probe("/livez", LIVENESS),
        "resources": _resources(workload),
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        },
        "volumeMounts": _mounts(workload, moved),
    }


def _probe(path: str, times: ProbeTimes) -> dict[str, Any]:
    return {
        "httpGet": {"path": path, "port": "health"},
        **({"initialDelaySeconds": times.delay_s} if times.delay_s else {}),
        "periodSeconds": times.period_s,
        "timeoutSeconds": times.timeout_s,
        "failureThreshold": times.failures,
    }


def _resources(workload: Workload) -> dict[str, Any]:
    requests = {"cpu": workload.cpu} if workload.cpu else {}
    if not workload.memory_bytes:
        return {"requests": requests} if requests else {}
    memory = {"memory": f"{-(-workload.memory_bytes // 2**20)}Mi"}
    return {"requests": {**requests, **memory}, "limits": memory}


def _mounts(workload: Workload, moved: Moved) -> list[dict[str, Any]]:
    """Single files are mounted as such: in a mounted directory they are links, which wsgigroups does not follow."""
    mounts: list[dict[str, Any]] = [
        {"name": "run", "mountPath": _RUN},
        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108  # the pod's own
        {"name": "groups", "mountPath": FILE, "subPath": "groups.yaml", "readOnly": True},
    ]
    mounts += [
        {"name": "environment", "mountPath": f"{SECRETS}/{key}", "subPath": key, "readOnly": True}
        for key in secret_keys(workload).values()
    ]
    mounts += [
        {"name": f"data-{number}", "mountPath": moved.path(path)}
        for number, path in enumerate(workload.group.kubernetes.volumes.values())
    ]
    return mounts


def _volumes(workload: Workload) -> list[dict[str, Any]]:
    volumes: list[dict[str, Any]] = [
        {"name": "run", "emptyDir": {"medium": "Memory", "sizeLimit": "16Mi"}},
        {"name": "tmp", "emptyDir": {}},
        {"name": "groups", "configMap": {"name": f"{workload.name}-groups"}},
    ]
    if workload.group.environment_files:
        volumes.append({"name": "environment", "secret": {"secretName": f"{workload.name}-environment"}})
    volumes += [
        {"name": f"data-{number}", "persistentVolumeClaim": {"claimName": claim}}
        for number, claim in enumerate(workload.group.kubernetes.volumes)
    ]
    return volumes
