"""The documents that the control API answers with, typed: `schemas/control.openapi.json` is made from them.

Pure.
"""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from wsgigroups.manager.control.document import Document, Text
from wsgigroups.manager.control.figures import GroupFigures, ProcessFigures
from wsgigroups.manager.core.deaths import Cause  # noqa: TC001  (pydantic reads it)
from wsgigroups.manager.core.happenings import Kind  # noqa: TC001
from wsgigroups.manager.core.stacks import FrameKind  # noqa: TC001

ProcessState = Literal["starting", "ready", "draining", "stopping", "backoff", "failed"]
Cleanup = Literal["cgroup", "session"]
GroupStateName = Literal["ready", "degraded", "starting", "failed", "asleep", "stopped"]
Outcome = Literal["pending", "done", "failed", "rolled-back", "overtaken"]


class HolderDocument(Document):
    """The apply under way, or about to begin."""

    change: int | None = Field(description="Null: it has not begun.")
    kind: Text
    uid: int
    pid: int
    command: Text = Field(description="As whoever asked says.")
    for_s: float = Field(description="How long it has been under way.")
    paused: bool = Field(default=False, description="Somebody has paused it: it does not end before `resume`.")


class ErrorDocument(Document):
    """Why a call was refused, or failed."""

    error: Text = Field(description='A sentence for people, "cannot …".')
    hint: Text | None = Field(description="What to do next.")
    exit_code: int = Field(description="What a command ends with: docs/exit-codes.md.")
    holder: HolderDocument | None = Field(default=None, description="Who applies, where that is why this was refused.")
    moved: list[Text] = Field(default=[], description="What is not as the precondition of the call has it.")


class LastErrorDocument(Document):
    """How a life ended that was not asked to."""

    slot: int
    life: int
    message: Text
    step: Text | None = Field(description="On its way up: the step that failed.")
    traceback: Text | None
    requests: list[Text] = Field(description="In the application when the process was judged, a line each.")


class ConfinementDocument(Document):
    """What became of one option of confinement in a process, as the process says."""

    state: Literal["enforced", "partly", "missing", "unknown"]
    reason: Text


class _Process(Document):
    slot: int
    pid: int | None
    life: int
    state: ProcessState
    started_at: Text | None = Field(description="UTC, in whole seconds.")
    uptime_s: float


class ProcessDocument(ProcessFigures, _Process):
    """One process, or a slot without one that waits for its next."""

    rss_bytes: int
    pss_bytes: int
    cpu_s: float
    failures: int = Field(description="Ends in a row that nobody asked for.")
    last_exit: Text | None
    retry_in_s: float | None = Field(description="In backoff: until the next start.")
    last_death: LastErrorDocument | None = Field(description="Of this slot.")
    confinement: dict[Text, ConfinementDocument] = Field(description="By the options that the group sets.")
    former_runtime: bool = Field(
        default=False, description="It was started by another version of wsgigroups; a restart replaces it."
    )


class MoldDocument(Document):
    """A process that has a group's application loaded and forks its processes (preload)."""

    pid: int
    started_at: Text = Field(description="When the process was started that made it: UTC, in whole seconds.")
    rss_bytes: int
    pss_bytes: int


class RolloutDocument(Document):
    """How far the replacement of a group's processes is by what has still to show that it lasts."""

    new_ready: int = Field(description="Processes that are new and ready.")
    old_ready: int = Field(description="Processes that they replace, and that serve meanwhile.")
    watched_s: float | None = Field(description="Until the first new ones have lasted; null: none is ready yet.")
    returns: bool = Field(description="Whether a target is there to return to when this one fails.")
    surge: int = Field(description="Processes more than wanted that may be there meanwhile.")
    unavailable: int = Field(description="Processes that may be missing meanwhile.")
    short_of_memory: bool = Field(description="There is no memory for as many more as max-surge says.")


class ScalingDocument(Document):
    """Of a group whose processes follow the load."""

    processes_min: int
    processes_max: int
    pinned: bool = Field(description="The number is one given by hand: the load changes nothing until the next apply.")
    asleep: bool = Field(description="There is no process; who connects has one started.")
    reason: Text = Field(description="What the number of processes comes from, a clause.")
    held: Text | None = Field(description="Why there are not more, where the load asks for more; else null.")
    queue_wait_s: float | None = Field(description="How long requests wait for a thread; null: not known.")
    delay_s: float | None = Field(description="For how long fewer have to be enough before one goes; null: not known.")


class _Group(Document):
    name: Text
    state: GroupStateName
    processes_wanted: int
    processes_ready: int
    threads: int
    user: Text | None
    group: Text | None
    listen: list[Text]
    python: Text
    interpreter: Text = Field(description="The executable that forks the processes.")
    spawner: Text = Field(description="Whose process it is that forks them, and who shares it.")


class GroupDocument(GroupFigures, _Group):
    """One group and its processes."""

    requests_per_s: float | None = Field(
        default=None, description="Requests that have ended in a second, of the last ten; null: not known yet."
    )
    application_p99_s: float | None = Field(
        default=None,
        description="99 of 100 requests that ended in the last minute were in the application for at most so long, "
        "read from the ranges of `application` on the boards; 10.0 is that or longer; null: none has ended.",
    )
    restarts: int = Field(description="Lives that followed one that was not asked to end.")
    last_error: LastErrorDocument | None
    log: Text
    files: list[Text] = Field(default=[], description="Those that it came from; empty: unknown.")
    scaled: bool = Field(description="The number of processes is one given by hand.")
    scaling: ScalingDocument | None = Field(
        default=None, description="Null: the number of processes does not follow the load."
    )
    cleanup: Cleanup = Field(description="How what its processes leave behind is ended: docs/cgroups.md.")
    strays: list[int] = Field(
        default=[],
        description="Processes of its user whose parent has ended, by pid: what is left of processes that have ended, "
        "or helpers of one that runs. They end with the last process of this user. None where cleanup is cgroup.",
    )
    not_in_force: dict[Text, Text] = Field(description="Limits of its cgroup that do not hold, and why.")
    confinement: dict[Text, Text] = Field(description="The options of confinement that are set, as text.")
    processes: list[ProcessDocument]
    molds: list[MoldDocument] = Field(default=[], description="Of a group with preload; serving nothing.")
    proved: bool = Field(
        default=False, description="Its configuration has come up and lasted: a rollout returns to it."
    )
    rollout: RolloutDocument | None = Field(default=None, description="Of its processes, while it is under way.")
    unknown: bool = Field(
        default=False,
        description="It was found running and nothing says what it should be: it is left alone, until an apply has it, "
        "or `stop`. processes_wanted is what was found.",
    )
    unreachable: dict[Text, Text] = Field(
        default_factory=dict,
        description="Addresses at which nobody can connect at present, and why: docs/listeners.md.",
    )
    unresolved: Text | None = Field(
        default=None, description="Why the configuration in force cannot be followed here; it is tried again."
    )


class ManagerDocument(Document):
    """The manager that answers."""

    pid: int
    version: Text
    uptime_s: float
    cleanup: Cleanup = Field(description="How what processes leave behind is ended: docs/cgroups.md.")
    cleanup_reason: Text | None = Field(description="Why it is not by cgroup.")
    handovers: int = Field(default=0, description="How often this process has become another version: docs/upgrade.md.")
    stopping: bool = Field(default=False, description="Whether it was asked to end.")
    drains_in_s: float | None = Field(
        default=None,
        description="While it stops: for how long all serve on before they drain (drain-delay). Else null.",
    )


class UpgradeDocument(Document):
    """What an upgrade comes to. The answer is sent before the manager executes the installed version."""

    schema_version: Literal[1] = 1
    former_version: Text = Field(description="Of the manager that answers.")
    version: Text = Field(description="Of what is installed, as it said in the rehearsal.")
    pid: int = Field(description="Of the manager, before and after.")
    handovers: int = Field(
        description="How often this process has handed over before: manager.handovers of the status."
    )
    groups: list[Text] = Field(description="Groups with processes whose runtime is not that of the installed version.")
    begun: bool = Field(description="Whether it hands over now.")


class ListenerDocument(Document):
    """An address of the gateway."""

    address: Text
    tls: bool
    sites: list[Text] = Field(description="In the order of the file: the first answers for hosts that no site has.")


class CertificateDocument(Document):
    """A certificate that sites have."""

    file: Text
    expires_at: Text = Field(description="UTC, in whole seconds.")
    days_left: int = Field(description="Whole days until it ends, below 0 when it has ended.")
    sites: list[Text]


class SiteDocument(Document):
    """What is served under one host name."""

    name: Text
    server_name: Text
    aliases: list[Text]
    listen: list[Text]
    mounts: dict[Text, Text] = Field(description="The group that answers, by path.")
    static: dict[Text, Text] = Field(description="The directory, by path.")
    certificate: Text | None
    requests_total: int = Field(
        ge=0,
        description="Requests to the site that have been answered, whoever answered: of all processes of the gateway, "
        "also of those that have ended, since it was first served by them.",
        json_schema_extra={"x-kind": "counter"},
    )


class OrderDocument(Document):
    """A certificate that an authority makes (RFC 8555)."""

    sites: list[Text]
    names: list[Text]
    state: Literal["waiting", "ordering", "made"] = Field(
        description="waiting: there is none yet; ordering: the authority is asked now; made: it is in use."
    )
    failures: int = Field(description="Orders since the last certificate that came to nothing.")
    error: Text | None = Field(description="Why the last order came to nothing.")
    next_at: Text = Field(description="When it is ordered, or renewed, at the earliest; UTC, in whole seconds.")


class GatewayDocument(Document):
    """What the gateway serves; its processes are those of the group @gateway."""

    listeners: list[ListenerDocument]
    sites: list[SiteDocument]
    certificates: list[CertificateDocument]
    orders: list[OrderDocument] = Field(description="Of the certificates that an authority makes.")


class RolledBackDocument(Document):
    """A revision that did not come true."""

    revision: int
    ended_at: Text | None = Field(description="UTC, in whole seconds; null: it is not known.")


class StatusDocument(Document):
    """All groups and processes."""

    schema_version: Literal[1] = 1
    revision: int = Field(description="The revision whose configuration runs, or is being rolled out.")
    manager: ManagerDocument
    groups: list[GroupDocument]
    gateway: GatewayDocument | None = Field(default=None, description="Null: there are no sites.")
    rolled_back: RolledBackDocument | None = Field(
        default=None, description="The newest revision, where its groups returned to what they were."
    )
    paused_change: int | None = Field(default=None, description="The apply under way, where somebody has paused it.")


class RevisionDocument(Document):
    """One accepted configuration, without its text."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    revision: int
    accepted_at: Text
    outcome: Text = Field(
        description="pending, done, failed, rolled-back, overtaken, interrupted (the manager died), or unreadable."
    )
    by: Text
    ended_at: Text | None = Field(default=None, description="When its outcome came to be; null: not yet, or not known.")
    error: Text = Field(default="", description="Why the revision cannot be read.")
    running: bool = Field(default=False, description="Its configuration is the one that runs.")


class HistoryDocument(Document):
    """The accepted configurations that are kept, newest first."""

    schema_version: Literal[1] = 1
    revisions: list[RevisionDocument]


class EventDocument(Document):
    """One thing that happened; null is what it does not concern."""

    number: int = Field(description="It grows, also from one manager to the next.")
    at: Text = Field(description="UTC, in milliseconds.")
    kind: Kind
    group: Text | None
    slot: int | None
    life: int | None
    pid: int | None
    change: int | None
    text: Text


class EventsDocument(Document):
    """What happened, oldest first."""

    schema_version: Literal[1] = 1
    events: list[EventDocument]
    last: int = Field(description="The number of the newest event, chosen or not: `after` of the next question.")


class FrameDocument(Document):
    """One call of a stack, or several in a row that are not the application's."""

    kind: FrameKind
    place: Text = Field(description="File and line; of several calls the names of their packages.")
    function: Text
    count: int = Field(description="How many calls it is.")


class RequestAtDeathDocument(Document):
    """A request that was in the application when the process was judged, or ended."""

    asked: Text = Field(description="Method and path, without the query; empty where that is not known.")
    age_s: float
    thread: int = Field(description="The number of its request thread.")
    frame: FrameDocument | None = Field(description="Where in the application it was, where that is known.")
    stack: list[FrameDocument] = Field(description="The innermost call last.")


class DeathDocument(Document):
    """How one process ended. What it has of requests, stacks and the log is the process's own word."""

    at: Text = Field(description="UTC, in milliseconds.")
    group: Text
    slot: int
    life: int
    pid: int | None
    up_s: float | None = Field(description="For how long it was there.")
    cause: Cause
    asked: bool = Field(description="Whether the manager or a person wanted it to end.")
    reason: Text | None = Field(description="The option or the wish behind it.")
    message: Text
    step: Text | None = Field(description="On its way up: the step that failed.")
    exit_code: int | None
    signal: Text | None = Field(description="Its name, as SIGSEGV.")
    managed: bool = Field(description="False: it ended while there was no manager.")
    requests: list[RequestAtDeathDocument] = Field(description="Those under way for longest; the one of a fault first.")
    requests_total: int = Field(description="How many were under way.")
    stack: list[FrameDocument] = Field(description="Of the thread that crashed, or that loaded the application.")
    rss_bytes: int | None = Field(description="The most that was resident.")
    cpu_s: float | None
    revision: int | None = Field(description="The configuration that it was started with.")
    log: list[Text] | None = Field(description="What it said last; null for whoever may not read logs.")


class DeathsDocument(Document):
    """How processes ended, oldest first."""

    schema_version: Literal[1] = 1
    deaths: list[DeathDocument]


class ChangedProcessDocument(Document):
    """A process of a group that changes."""

    slot: int
    life: int
    pid: int | None
    state: ProcessState


class ChangedGroupDocument(Document):
    """How far a group is in a change."""

    state: Outcome
    error: LastErrorDocument | None
    wanted: int
    ready: int
    leaving: int
    processes: list[ChangedProcessDocument]
    watched_s: float | None = Field(
        default=None, description="How long the first new processes have to last in all, while they are watched."
    )


class ChangeDocument(Document):
    """One change and how far each of its groups is."""

    id: int
    kind: Text
    outcome: Outcome
    finished: bool
    revision: int | None
    groups: dict[Text, ChangedGroupDocument]
    first_life: int = Field(
        default=0, description="Lives from this one on began since the change did; 0: not known, of an earlier version."
    )
    running_revision: int = Field(default=0, description="The revision whose configuration runs now.")
    paused: bool = Field(default=False, description="No further process is replaced until somebody resumes it.")
    seen: Text = Field(default="", description="To be given back in the next question, to be told what is new.")


class ReasonDocument(Document):
    """One option that differs; old is null for what is added, new for what is taken away."""

    option: Text
    old: Text | None
    new: Text | None
    effect: Literal["replace", "rebind", "live", "scale", "start", "none"]
    why: Text
    files: list[Text] = Field(default=[], description="Of new code: the first files that differ.")
    files_more: int = Field(default=0, description="Of new code: how many files differ besides.")
    unit: Literal["", "s", "bytes", "%"] = Field(default="", description="Of old and new.")


class CostDocument(Document):
    """What a step takes."""

    processes_started: int
    processes_stopped: int
    processes_replaced: int
    surge_processes: int
    surge_bytes: int | None
    duration_s: float | None


class StepDocument(Document):
    """What happens to one group."""

    group: Text
    kind: Literal["remove", "start", "live", "adopt", "scale", "rebind", "replace", "add"]
    sign: Text
    reasons: list[ReasonDocument]
    cost: CostDocument
    files: list[Text] = Field(default=[], description="Those that the group comes from, or came from; empty: unknown.")


class PreconditionDocument(Document):
    """What a plan was made against; an apply that is given it is refused elsewhere."""

    revision: int
    observed: dict[Text, str] = Field(description="By group: a digest of what it is.")
    desired: dict[Text, str] = Field(description="By group: a digest of what it is to be, its code included.")
    keyed: bool


class PlanDocument(Document):
    """What applying a configuration would change."""

    schema_version: Literal[1] = 1
    empty: bool
    steps: list[StepDocument]
    counts: dict[Text, int] = Field(description="Of steps, by kind.")
    notices: list[Text]
    unrecorded: bool = Field(
        default=False,
        description="Groups come from other files than is recorded; an apply records it, also an empty one.",
    )
    precondition: PreconditionDocument | None = Field(default=None, description="To be given back with the apply.")


class BegunDocument(Document):
    """What a call that changes something has begun."""

    change: int | None = Field(description="The number of the change to wait for; null: there was nothing to do.")
    revision: int = Field(description="The revision whose configuration runs, or is being rolled out.")
    moved: list[Text] = Field(default=[], description="What has moved since the plan that was shown.")
    plan: PlanDocument | None = Field(
        default=None, description="The plan that is carried out instead, where the state has moved."
    )
