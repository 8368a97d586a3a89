"""`plan(desired, observed)`: the ordered steps from what runs to what is asked for, each with its reasons. Pure."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from typing import TYPE_CHECKING, Any

from wsgigroups.plan.code import FilesOf, code_change, nothing_known
from wsgigroups.plan.effects import effect_of, unit_of, why
from wsgigroups.plan.load import law_of, under_load
from wsgigroups.plan.routing import ROUTES

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from wsgigroups.plan.desired import Desired, GroupTarget
    from wsgigroups.plan.observed import Observed, ObservedGroup


class StepKind(Enum):
    """What a step does to its group; the value is what JSON says."""

    REMOVE = "remove"
    START = "start"
    LIVE = "live"
    ADOPT = "adopt"
    SCALE = "scale"
    REBIND = "rebind"
    REPLACE = "replace"
    ADD = "add"


SIGN = {
    StepKind.ADD: "+",
    StepKind.REPLACE: "±",
    StepKind.REBIND: "±",
    StepKind.SCALE: "~",
    StepKind.START: "~",
    StepKind.LIVE: "~",
    StepKind.ADOPT: "~",
    StepKind.REMOVE: "-",
}


@dataclass(frozen=True, slots=True)
class Reason:
    """One option that differs. old is None for what is added, new for what is taken away."""

    option: str
    old: str | None
    new: str | None
    effect: str  # replace, rebind, live, scale, start, none
    why: str = ""
    files: tuple[str, ...] = ()  # of new code: the first that differ
    files_more: int = 0  # and how many others
    unit: str = ""  # of old and new: s, bytes, %


@dataclass(frozen=True, slots=True)
class Cost:
    """What the step costs. Seconds and bytes are estimates from what runs; None when nothing runs to learn from."""

    processes_started: int = 0
    processes_stopped: int = 0
    processes_replaced: int = 0
    surge_processes: int = 0
    surge_bytes: int | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Step:
    """What happens to one group."""

    group: str
    kind: StepKind
    reasons: tuple[Reason, ...]
    cost: Cost = Cost()


def sign_of(step: Step) -> str:
    """The sign of a step: a listener that is only set anew replaces nobody."""
    if step.kind is StepKind.REBIND and not any(reason.option == "listen" for reason in step.reasons):
        return "~"
    return SIGN[step.kind]


@dataclass(frozen=True, slots=True)
class Plan:
    """Ordered steps: removals free addresses first, additions come last."""

    steps: tuple[Step, ...]
    notices: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether there is nothing to do."""
        return not self.steps

    @property
    def repairs(self) -> bool:
        """Whether there are steps, and all of them only start what should be there."""
        return bool(self.steps) and all(step.kind is StepKind.START for step in self.steps)

    @property
    def with_new_code(self) -> frozenset[str]:
        """Groups whose processes are to be replaced because of new code."""
        return frozenset(step.group for step in self.steps if any(r.option == CODE for r in step.reasons))

    def to_json(self) -> dict[str, Any]:
        """Return plain data with a summary."""
        steps = [
            {
                "group": step.group,
                "kind": step.kind.value,
                "reasons": tuple(_plain(reason) for reason in step.reasons),  # of ten thousand sites there are many
                "cost": _plain(step.cost),
                "sign": sign_of(step),
            }
            for step in self.steps
        ]
        counts = {kind.value: sum(step.kind is kind for step in self.steps) for kind in StepKind}
        return {"schema_version": 1, "empty": self.empty, "steps": steps, "counts": counts, "notices": self.notices}


def with_memory(found: Plan, sizes: Mapping[str, int]) -> Plan:
    """Return a plan with the memory that replacements take meanwhile. sizes: by group, of one process, in bytes."""
    steps = tuple(
        replace(step, cost=replace(step.cost, surge_bytes=step.cost.surge_processes * sizes[step.group]))
        if sizes.get(step.group)
        else step
        for step in found.steps
    )
    return replace(found, steps=steps)


def _plain(item: Reason | Cost) -> dict[str, Any]:
    """Return its fields by name. They hold nothing that somebody could change, so nothing is copied."""
    return {name: getattr(item, name) for name in item.__slots__}


CODE = "code"  # the reason that is no option
RESOLVED_OF_A_NEW_GROUP = ("application", "listen", "user", "group", "python", "interpreter", "spawner", "sites")
ALREADY_THERE = "the processes that run are that"
LISTED_NAMES = 3
_ORDER = list(StepKind)
_STRONGEST = ("replace", "rebind", "scale", "live", "none")


def plan(desired: Desired, observed: Observed, files_of: FilesOf = nothing_known) -> Plan:
    """Return the plan. The same inputs in any order give the same plan; nothing is mutated.

    files_of: names what differs in new code, where that is known.
    """
    wanted = {listener.address for target in desired.values() for listener in target.listeners}
    left_alone = {name for name in observed if name not in desired and not _asked_to_end(observed[name], wanted)}
    steps = [_remove(name, observed[name]) for name in sorted(observed) if name not in {*desired, *left_alone}]
    for name in sorted(desired):
        target, group = desired[name], observed.get(name)
        step = _add(target) if group is None else _change(under_load(target, group), group, files_of)
        if step is None and name in observed:
            step = _start(name, observed[name])
        if step:
            steps.append(step)
    steps.sort(key=lambda step: (_ORDER.index(step.kind), step.group))
    notices = _notices(desired)
    notices += [f"{name}: {text}" for name in sorted(desired) if (text := law_of(desired[name], observed.get(name)))]
    notices += [
        f"{name}: stopped by hand and stays so; `wsgigroups start {name}` starts it"
        for name in sorted(desired)
        if name in observed and observed[name].stopped
    ]
    notices += [
        f"{name}: it runs and no configuration that is known has it; it is left alone, `wsgigroups stop {name}` ends it"
        for name in sorted(left_alone)
    ]
    return Plan(tuple(steps), tuple(notices))


def _asked_to_end(group: ObservedGroup, wanted: Collection[str]) -> bool:
    """Whether a group that nothing desires is to go: an unknown one only if another wants an address of it."""
    return not group.unknown or any(address in wanted for address in group.listen)


def _notices(desired: Desired) -> list[str]:
    """Each text once, with the groups that it is about: what is inherited is said a single time."""
    about: dict[str, list[str]] = {}
    for name in sorted(desired):
        for text in desired[name].notices:
            about.setdefault(text, []).append(name)
    return [f"{listed(names)}: {text}" for text, names in about.items()]


def listed(names: list[str]) -> str:
    """Return some names in a clause, of many the first."""
    shown = names if len(names) <= LISTED_NAMES + 1 else names[:LISTED_NAMES]
    more = len(names) - len(shown)
    return ", ".join(shown) + (f" and {more} more groups" if more else "")


def needs_replacement(target: GroupTarget, options: Mapping[str, str], fingerprint: str) -> bool:
    """Whether running processes cannot be made to match by live means."""
    return target.fingerprint != fingerprint or any(
        reason.effect == "replace" for reason in _differences(options, target.options)
    )


def _add(target: GroupTarget) -> Step:
    """A new group, with what its names and defaults came to: whose processes, which interpreter, where they listen."""
    reasons = [Reason("processes", None, str(target.processes), "scale", "new group")]
    reasons += [
        Reason(option, None, target.options[option], effect_of(option), "new group")
        for option in RESOLVED_OF_A_NEW_GROUP
        if option in target.options
    ]
    reasons += [
        Reason(option, None, text, effect_of(option), "new route")
        for option, text in target.options.items()
        if option.startswith(ROUTES)
    ]
    return Step(target.name, StepKind.ADD, tuple(reasons), Cost(processes_started=target.processes))


def _remove(name: str, group: ObservedGroup) -> Step:
    running = len(group.members)
    reason = Reason("processes", str(running), None, "scale", "not in the configuration any more")
    return Step(name, StepKind.REMOVE, (reason,), Cost(processes_stopped=running))


def _differences(old: Mapping[str, str], new: Mapping[str, str]) -> list[Reason]:
    reasons: list[Reason] = []
    if old is new or old == new:
        return reasons
    for option in sorted({*old, *new}):
        before, after = old.get(option), new.get(option)
        if before != after:
            effect = effect_of(option, before, after)
            reasons.append(Reason(option, before, after, effect, why(option), unit=unit_of(option)))
    return reasons


def _take_over(target: GroupTarget, group: ObservedGroup) -> Step:
    """An unknown group: what it was started with is known by its fingerprint alone."""
    others = sorted({member.fingerprint for member in group.members} - {target.fingerprint})
    reasons = [
        Reason("fingerprint", other[:12], target.fingerprint[:12], "replace", "found running, and started otherwise")
        for other in others
    ]
    if target.processes != group.processes:
        reasons.append(Reason("processes", str(group.processes), str(target.processes), "scale"))
    replaced = bool(others)
    if not replaced:
        reasons.insert(0, Reason("fingerprint", target.fingerprint[:12], target.fingerprint[:12], "none", "as it runs"))
    kind = StepKind.REPLACE if replaced else StepKind.ADOPT
    return Step(target.name, kind, tuple(reasons), _cost(target, group, replaced=replaced))


def _new_code(target: GroupTarget, group: ObservedGroup, files_of: FilesOf) -> list[Reason]:
    change = code_change(target, group, files_of)
    if change is None:
        return []
    text = f"new: {', '.join(change.parts)}"
    return [Reason(CODE, change.old, change.new, "replace", text, change.files, change.more)]


def _change(target: GroupTarget, group: ObservedGroup, files_of: FilesOf) -> Step | None:
    if group.unknown:
        return _take_over(target, group)
    reasons = [reason for reason in _differences(group.options, target.options) if reason.option != "processes"]
    reasons += _new_code(target, group, files_of)
    if target.processes != group.processes:
        text = "scaled by hand" if group.scaled else ""
        reasons.append(Reason("processes", str(group.processes), str(target.processes), "scale", text))
    elif target.scaling and group.scaled:
        limits = f"from {target.scaling.minimum} to {target.scaling.maximum}"
        reasons.append(Reason("processes", str(group.processes), limits, "scale", "given by hand; the load says again"))
    staying = _staying(target, group, reasons)
    there = 0 < staying == sum(member.ready for member in group.members)  # successors that are not wanted only stop
    if there:
        reasons = [replace(r, effect="none", why=ALREADY_THERE) if r.effect == "replace" else r for r in reasons]
    replaced = any(reason.effect == "replace" for reason in reasons)
    another = target.fingerprint != group.fingerprint and not there
    if another and not any(r.effect in ("replace", "rebind") for r in reasons):
        reasons.append(Reason("fingerprint", group.fingerprint[:12], target.fingerprint[:12], "replace", "resolution"))
        replaced = True
    if not reasons:
        return None
    strongest = min(reasons, key=lambda reason: _STRONGEST.index(reason.effect)).effect
    kind = {"replace": StepKind.REPLACE, "rebind": StepKind.REBIND, "scale": StepKind.SCALE}.get(
        strongest, StepKind.LIVE
    )
    replaced = replaced or another
    return Step(target.name, kind, tuple(reasons), _cost(target, group, replaced=replaced, staying=staying))


def _staying(target: GroupTarget, group: ObservedGroup, reasons: list[Reason]) -> int:
    """How many ready processes are what is asked for, though their group is to be something else by now."""
    if target.fingerprint == group.fingerprint or any(reason.option in (CODE, "listen") for reason in reasons):
        return 0
    return sum(member.ready and member.fingerprint == target.fingerprint for member in group.members)


def _start(name: str, group: ObservedGroup) -> Step | None:
    """What is asked for is what there should be, and is not there: it is waited for, or tried again."""
    if group.ready >= group.wanted:
        return None
    reason = Reason("processes", str(group.ready), str(group.wanted), "start", group.trouble or "not ready yet")
    return Step(name, StepKind.START, (reason,), Cost(processes_started=group.wanted - group.ready))


def _cost(target: GroupTarget, group: ObservedGroup, *, replaced: bool, staying: int = 0) -> Cost:
    started = max(0, target.processes - group.processes)
    stopped = max(0, group.processes - target.processes)
    if group.stopped:
        return Cost()
    if not replaced:
        return Cost(processes_started=started, processes_stopped=stopped)
    kept = max(1, min(target.processes, group.processes) - staying)
    extra = min(kept, target.rollout.max_surge.up(target.processes))
    watched_s = target.rollout.min_ready_time_s + target.rollout.canary_time_s
    sizes = [member.rss_bytes for member in group.members if member.rss_bytes]
    starts = [member.start_s for member in group.members if member.start_s is not None]
    return Cost(
        processes_started=started,
        processes_stopped=stopped,
        processes_replaced=kept,
        surge_processes=extra,
        surge_bytes=extra * (sum(sizes) // len(sizes)) if sizes else None,
        duration_s=round(watched_s + -(-kept // max(extra, 1)) * (sum(starts) / len(starts)), 3) if starts else None,
    )
