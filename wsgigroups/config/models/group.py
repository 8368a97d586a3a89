"""A group: everything that one `WSGIDaemonProcess` line says, and what mod_wsgi keeps elsewhere. Pure."""

from __future__ import annotations

from pydantic import Field

from wsgigroups.config.models.cgroups import CgroupOptions
from wsgigroups.config.models.cluster import GroupClusterOptions
from wsgigroups.config.models.confinement import ConfinementOptions, ResourceOptions
from wsgigroups.config.models.identity import IdentityOptions
from wsgigroups.config.models.lifetime import EndingOptions, RecyclingOptions, StuckOptions
from wsgigroups.config.models.requests import RequestOptions
from wsgigroups.config.models.rollout import RolloutOptions
from wsgigroups.config.models.scaling import ScalingOptions
from wsgigroups.config.models.tracing import TracingOptions
from wsgigroups.config.models.traffic import ConnectionOptions, LimitOptions, ObservationOptions, QueueOptions
from wsgigroups.config.models.work import ApplicationOptions, ProcessOptions, PythonOptions


# pydantic takes fields from the last base to the first; this order is that of the documentation
class Group(
    TracingOptions,
    ObservationOptions,
    CgroupOptions,
    ConfinementOptions,
    ResourceOptions,
    LimitOptions,
    ConnectionOptions,
    RequestOptions,
    QueueOptions,
    EndingOptions,
    StuckOptions,
    RecyclingOptions,
    PythonOptions,
    IdentityOptions,
    ScalingOptions,
    ProcessOptions,
    ApplicationOptions,
):
    """One group. Attributes are the options in snake_case; durations in seconds, sizes in bytes."""

    rollout: RolloutOptions = Field(default_factory=RolloutOptions)
    kubernetes: GroupClusterOptions = Field(default_factory=GroupClusterOptions)
