"""What a Kubernetes cluster needs to know of groups, beside what they say anyway. Pure.

Nothing that runs here depends on it: `wsgigroups render kubernetes` reads it.
"""

from __future__ import annotations

from typing import Annotated, Literal

from wsgigroups.config.cluster_kinds import Claims, ClusterGateway, ClusterName, ClusterNames, Cpu, Image
from wsgigroups.config.effects import Effect
from wsgigroups.config.kinds import AnyPath, Integer, Kind
from wsgigroups.config.models.base import OptionModel, option
from wsgigroups.config.service_kinds import ServiceUrl

DEFAULT_REPLICAS = 2
DEFAULT_USER = 10001
_RENDERED = "render kubernetes reads it"
_MOST_REPLICAS = 10_000
_MOST_USER = 2**31 - 1  # what the API server takes (runAsUser)


class WorkloadOptions(OptionModel):
    """What each group may have of its own, and what holds for groups that have not."""

    image: Image | None = option(
        None,
        "The container image that has the application, its Python and wsgigroups.",
        default_text="none, it is needed; in a group: that of [kubernetes]",
        effect=Effect.NONE,
        reason=_RENDERED,
        example="registry.example.org/blog:1.4",
        related=("run-as-user",),
        extension=True,
    )
    replicas: Integer = option(
        DEFAULT_REPLICAS,
        "How many pods there are; where they follow the load, the fewest.",
        default_text=f"{DEFAULT_REPLICAS}; in a group: that of [kubernetes]",
        effect=Effect.NONE,
        reason=_RENDERED,
        example=3,
        minimum=1,
        maximum=_MOST_REPLICAS,
        related=("replicas-max", "autoscale"),
        extension=True,
    )
    replicas_max: Integer | None = option(
        None,
        "The most pods, where their number follows the load.",
        default_text="none; in a group: that of [kubernetes]",
        effect=Effect.NONE,
        reason=_RENDERED,
        example=10,
        minimum=1,
        maximum=_MOST_REPLICAS,
        related=("replicas", "autoscale"),
        extension=True,
    )
    autoscale: Annotated[Literal["none", "keda", "hpa"], Kind("choice")] = option(
        "none",
        "Whether the number of pods follows the requests that are in the application or wait for a thread: by KEDA, "
        "which asks Prometheus, or by a HorizontalPodAutoscaler, which takes an adapter of custom metrics.",
        default_text="none; in a group: that of [kubernetes]",
        effect=Effect.NONE,
        reason=_RENDERED,
        example="keda",
        choices=("none", "keda", "hpa"),
        related=("replicas-max",),
        extension=True,
    )
    cpu: Cpu | None = option(
        None,
        "The processors that the scheduler keeps for each pod. It is no limit: that would slow a pod down while "
        "processors are idle.",
        default_text="none; in a group: that of [kubernetes]",
        effect=Effect.NONE,
        reason=_RENDERED,
        example="500m",
        extension=True,
    )
    run_as_user: Integer = option(
        DEFAULT_USER,
        "The user and group id of everything in the pod. A name would be one of the image, which the kubelet cannot "
        "look up.",
        default_text=f"{DEFAULT_USER}; in a group: that of [kubernetes], else user where that is a number",
        effect=Effect.NONE,
        reason=_RENDERED,
        example=10001,
        minimum=1,
        maximum=_MOST_USER,
        related=("image",),
        extension=True,
    )


class GroupClusterOptions(WorkloadOptions):
    """The table `kubernetes` of a group."""

    environment_secrets: ClusterNames = option(
        (),
        "Secrets whose entries are variables of the manager, so that `${NAME}` in environment stands for them. The "
        "application has those that environment names, and no others.",
        default_text="none",
        effect=Effect.NONE,
        reason=_RENDERED,
        example=["blog-database"],
        related=("volumes",),
        extension=True,
    )
    volumes: Claims = option(
        None,
        "Claims of volumes (PersistentVolumeClaim), and the directory that each is mounted at.",
        default_text="none",
        effect=Effect.NONE,
        reason=_RENDERED,
        example={"blog-media": "/srv/blog/media"},
        related=("environment-secrets",),
        factory=dict,
        extension=True,
    )


class ClusterOptions(WorkloadOptions):
    """`[kubernetes]`: the cluster, and what holds for all groups."""

    namespace: ClusterName | None = option(
        None,
        "The namespace of everything that is rendered.",
        default_text="none: that of whoever applies it",
        effect=Effect.NONE,
        reason=_RENDERED,
        example="web",
        extension=True,
    )
    gateway: ClusterGateway | None = option(
        None,
        "The Gateway that routes of sites are attached to, as NAME or NAMESPACE/NAME. Where a site redirects to https, "
        "its listeners are http and https.",
        default_text="none, sites need it; with --ingress it is not read",
        effect=Effect.NONE,
        reason=_RENDERED,
        example="infrastructure/public",
        related=("ingress-class",),
        extension=True,
    )
    ingress_class: ClusterName | None = option(
        None,
        "The class of the Ingress of each site, with --ingress.",
        default_text="none: the cluster's default class",
        effect=Effect.NONE,
        reason=_RENDERED,
        example="traefik",
        related=("gateway",),
        extension=True,
    )
    prometheus: ServiceUrl | None = option(
        None,
        "The Prometheus that KEDA asks.",
        default_text='none, autoscale = "keda" needs it',
        effect=Effect.NONE,
        reason=_RENDERED,
        example="http://prometheus-operated.monitoring.svc:9090/",
        related=("autoscale",),
        extension=True,
    )
    directory: AnyPath | None = option(
        None,
        "The directory of the image that has what is beside the configuration file: paths below the directory of that "
        "file, as relative ones are, become paths below this one.",
        default_text="none: paths of the image are those of this machine",
        effect=Effect.NONE,
        reason=_RENDERED,
        example="/app",
        related=("image",),
        extension=True,
    )
