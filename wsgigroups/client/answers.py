"""What the control API answers with, as types: made by `make schemas` from manager/control/documents.py."""

from __future__ import annotations

from typing import Literal, TypedDict


class AddressesAnswer(TypedDict):
    """The addresses of all groups and of the gateway, as the configuration writes them."""

    schema_version: Literal[1]
    addresses: list[str]


class BegunAnswer(TypedDict):
    """What a call that changes something has begun."""

    change: int | None
    revision: int
    moved: list[str]
    plan: PlanAnswer | None


class BusyThreadAnswer(TypedDict):
    """A request thread with a request in the application. What it says of it is the process's own word."""

    thread: int
    asked: str
    age_s: float
    frame: FrameAnswer | None


class CertificateAnswer(TypedDict):
    """A certificate that sites have."""

    file: str
    expires_at: str
    days_left: int
    sites: list[str]


class ChangeAnswer(TypedDict):
    """One change and how far each of its groups is."""

    id: int
    kind: str
    outcome: Literal["pending", "done", "failed", "rolled-back", "overtaken"]
    finished: bool
    revision: int | None
    groups: dict[str, ChangedGroupAnswer]
    first_life: int
    running_revision: int
    paused: bool
    seen: str


class ChangedGroupAnswer(TypedDict):
    """How far a group is in a change."""

    state: Literal["pending", "done", "failed", "rolled-back", "overtaken"]
    error: LastErrorAnswer | None
    wanted: int
    ready: int
    leaving: int
    processes: list[ChangedProcessAnswer]
    watched_s: float | None


class ChangedProcessAnswer(TypedDict):
    """A process of a group that changes."""

    slot: int
    life: int
    pid: int | None
    state: Literal["starting", "ready", "draining", "stopping", "backoff", "failed"]


class ConfigurationAnswer(TypedDict):
    """The configuration that runs, or is being rolled out, secrets included."""

    schema_version: Literal[1]
    revision: int
    configuration: dict[str, object]


class ConfinementAnswer(TypedDict):
    """What became of one option of confinement in a process, as the process says."""

    state: Literal["enforced", "partly", "missing", "unknown"]
    reason: str


class CostAnswer(TypedDict):
    """What a step takes."""

    processes_started: int
    processes_stopped: int
    processes_replaced: int
    surge_processes: int
    surge_bytes: int | None
    duration_s: float | None


class DashboardAnswer(TypedDict):
    """A link to the manager's dashboard."""

    schema_version: Literal[1]
    url: str


class DeathAnswer(TypedDict):
    """How one process ended. What it has of requests, stacks and the log is the process's own word."""

    at: str
    group: str
    slot: int
    life: int
    pid: int | None
    up_s: float | None
    cause: Literal[
        "crashed",
        "killed",
        "out-of-memory",
        "exited",
        "not-started",
        "startup-timeout",
        "deadlock-timeout",
        "request-timeout",
        "board",
        "reports",
        "cut-off",
        "recycled",
        "replaced",
        "stopped",
        "unknown",
    ]
    asked: bool
    reason: str | None
    message: str
    step: str | None
    exit_code: int | None
    signal: str | None
    managed: bool
    requests: list[RequestAtDeathAnswer]
    requests_total: int
    stack: list[FrameAnswer]
    rss_bytes: int | None
    cpu_s: float | None
    revision: int | None
    log: list[str] | None


class DeathsAnswer(TypedDict):
    """How processes ended, oldest first."""

    schema_version: Literal[1]
    deaths: list[DeathAnswer]


class DifferenceAnswer(TypedDict):
    """What one revision has that the one before it had not."""

    schema_version: Literal[1]
    revision: RevisionAnswer
    before: int | None
    changes: list[OptionChangeAnswer]


class EventAnswer(TypedDict):
    """One thing that happened; null is what it does not concern."""

    number: int
    at: str
    kind: Literal[
        "started",
        "ready",
        "refused",
        "judged",
        "worn",
        "slow",
        "died",
        "ended",
        "group-added",
        "group-removed",
        "change-begun",
        "change-ended",
        "rolled-back",
        "failed",
        "proved",
        "scaled",
        "manager-started",
        "manager-ended",
        "adopted",
        "certificate-made",
        "certificate-failed",
        "audit",
    ]
    group: str | None
    slot: int | None
    life: int | None
    pid: int | None
    change: int | None
    text: str


class EventsAnswer(TypedDict):
    """What happened, oldest first."""

    schema_version: Literal[1]
    events: list[EventAnswer]
    last: int


class FrameAnswer(TypedDict):
    """One call of a stack, or several in a row that are not the application's."""

    kind: Literal["application", "library", "server"]
    place: str
    function: str
    count: int


class GatewayAnswer(TypedDict):
    """What the gateway serves; its processes are those of the group @gateway."""

    listeners: list[ListenerAnswer]
    sites: list[SiteAnswer]
    certificates: list[CertificateAnswer]
    orders: list[OrderAnswer]


class GroupDetailsAnswer(TypedDict):
    """One group: how it is set, and what its processes do now."""

    schema_version: Literal[1]
    name: str
    options: dict[str, str]
    variables: list[str]
    application: str
    home: str
    python_home: str
    processes: list[ThreadsAnswer]


class GroupAnswer(TypedDict):
    """One group and its processes."""

    name: str
    state: Literal["ready", "degraded", "starting", "failed", "asleep", "stopped"]
    processes_wanted: int
    processes_ready: int
    threads: int
    user: str | None
    group: str | None
    listen: list[str]
    python: str
    interpreter: str
    spawner: str
    requests_total: int
    status_1xx: int
    status_2xx: int
    status_3xx: int
    status_4xx: int
    status_5xx: int
    received_bytes: int
    sent_bytes: int
    queue_time_s: float
    application_time_s: float
    requests_active: int
    requests_queued: int
    connections: int
    queue_timeouts: int
    refused: int
    started_total: int
    aborted: int
    interrupted: int
    send_time_s: float
    wakes: int
    late_s: float
    slow_requests: int
    requests_per_s: float | None
    application_p99_s: float | None
    restarts: int
    last_error: LastErrorAnswer | None
    log: str
    files: list[str]
    scaled: bool
    scaling: ScalingAnswer | None
    cleanup: Literal["cgroup", "session"]
    strays: list[int]
    not_in_force: dict[str, str]
    confinement: dict[str, str]
    processes: list[ProcessAnswer]
    molds: list[MoldAnswer]
    proved: bool
    rollout: RolloutAnswer | None
    unknown: bool
    unreachable: dict[str, str]
    unresolved: str | None


class HistoryAnswer(TypedDict):
    """The accepted configurations that are kept, newest first."""

    schema_version: Literal[1]
    revisions: list[RevisionAnswer]


class LastErrorAnswer(TypedDict):
    """How a life ended that was not asked to."""

    slot: int
    life: int
    message: str
    step: str | None
    traceback: str | None
    requests: list[str]


class ListenerAnswer(TypedDict):
    """An address of the gateway."""

    address: str
    tls: bool
    sites: list[str]


class LogAnswer(TypedDict):
    """What a group's log has."""

    schema_version: Literal[1]
    lines: list[str]
    after: str


class ManagerAnswer(TypedDict):
    """The manager that answers."""

    pid: int
    version: str
    uptime_s: float
    cleanup: Literal["cgroup", "session"]
    cleanup_reason: str | None
    handovers: int
    stopping: bool
    drains_in_s: float | None


class MoldAnswer(TypedDict):
    """A process that has a group's application loaded and forks its processes (preload)."""

    pid: int
    started_at: str
    rss_bytes: int
    pss_bytes: int


class OptionChangeAnswer(TypedDict):
    """One key that differs. Of variables of the environment there are no values."""

    key: str
    sign: Literal["+", "-", "~"]
    old: str | None
    new: str | None


class OrderAnswer(TypedDict):
    """A certificate that an authority makes (RFC 8555)."""

    sites: list[str]
    names: list[str]
    state: Literal["waiting", "ordering", "made"]
    failures: int
    error: str | None
    next_at: str


class PlanAnswer(TypedDict):
    """What applying a configuration would change."""

    schema_version: Literal[1]
    empty: bool
    steps: list[StepAnswer]
    counts: dict[str, int]
    notices: list[str]
    unrecorded: bool
    precondition: PreconditionAnswer | None


class PreconditionAnswer(TypedDict):
    """What a plan was made against; an apply that is given it is refused elsewhere."""

    revision: int
    observed: dict[str, str]
    desired: dict[str, str]
    keyed: bool


class ProcessAnswer(TypedDict):
    """One process, or a slot without one that waits for its next."""

    slot: int
    pid: int | None
    life: int
    state: Literal["starting", "ready", "draining", "stopping", "backoff", "failed"]
    started_at: str | None
    uptime_s: float
    heartbeat_age_s: float | None
    requests_total: int
    status_1xx: int
    status_2xx: int
    status_3xx: int
    status_4xx: int
    status_5xx: int
    received_bytes: int
    sent_bytes: int
    queue_time_s: float
    application_time_s: float
    requests_active: int
    requests_queued: int
    connections: int
    queue_timeouts: int
    refused: int
    last_activity_age_s: float | None
    started_total: int
    aborted: int
    loading_s: float | None
    interrupted: int
    send_time_s: float
    wakes: int
    late_s: float
    slow_requests: int
    rss_bytes: int
    pss_bytes: int
    cpu_s: float
    failures: int
    last_exit: str | None
    retry_in_s: float | None
    last_death: LastErrorAnswer | None
    confinement: dict[str, ConfinementAnswer]
    former_runtime: bool


class ReasonAnswer(TypedDict):
    """One option that differs; old is null for what is added, new for what is taken away."""

    option: str
    old: str | None
    new: str | None
    effect: Literal["replace", "rebind", "live", "scale", "start", "none"]
    why: str
    files: list[str]
    files_more: int
    unit: Literal["", "s", "bytes", "%"]


class RequestAtDeathAnswer(TypedDict):
    """A request that was in the application when the process was judged, or ended."""

    asked: str
    age_s: float
    thread: int
    frame: FrameAnswer | None
    stack: list[FrameAnswer]


class RevisionAnswer(TypedDict):
    """One accepted configuration, without its text."""

    revision: int
    accepted_at: str
    outcome: str
    by: str
    ended_at: str | None
    error: str
    running: bool


class RolledBackAnswer(TypedDict):
    """A revision that did not come true."""

    revision: int
    ended_at: str | None


class RolloutAnswer(TypedDict):
    """How far the replacement of a group's processes is by what has still to show that it lasts."""

    new_ready: int
    old_ready: int
    watched_s: float | None
    returns: bool
    surge: int
    unavailable: int
    short_of_memory: bool


class ScalingAnswer(TypedDict):
    """Of a group whose processes follow the load."""

    processes_min: int
    processes_max: int
    pinned: bool
    asleep: bool
    reason: str
    held: str | None
    queue_wait_s: float | None
    delay_s: float | None


class SiteAnswer(TypedDict):
    """What is served under one host name."""

    name: str
    server_name: str
    aliases: list[str]
    listen: list[str]
    mounts: dict[str, str]
    static: dict[str, str]
    certificate: str | None
    requests_total: int


class StatusAnswer(TypedDict):
    """All groups and processes."""

    schema_version: Literal[1]
    revision: int
    manager: ManagerAnswer
    groups: list[GroupAnswer]
    gateway: GatewayAnswer | None
    rolled_back: RolledBackAnswer | None
    paused_change: int | None


class StepAnswer(TypedDict):
    """What happens to one group."""

    group: str
    kind: Literal["remove", "start", "live", "adopt", "scale", "rebind", "replace", "add"]
    sign: str
    reasons: list[ReasonAnswer]
    cost: CostAnswer
    files: list[str]


class ThreadsAnswer(TypedDict):
    """One process, and what its request threads do now."""

    slot: int
    life: int
    pid: int
    state: Literal["starting", "ready", "draining", "stopping", "backoff", "failed"]
    threads: int
    busy: list[BusyThreadAnswer]


class UpgradeAnswer(TypedDict):
    """What an upgrade comes to. The answer is sent before the manager executes the installed version."""

    schema_version: Literal[1]
    former_version: str
    version: str
    pid: int
    handovers: int
    groups: list[str]
    begun: bool
