"""What a plan was made against, so that it is carried out only there, and what has moved since. Pure."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from wsgigroups.plan.planner import StepKind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from wsgigroups.plan.desired import Desired
    from wsgigroups.plan.observed import Observed, ObservedGroup

_DIGEST = 16  # characters
# What a step may turn into unseen: into one that does less, and never into a removal.
_LESS = (
    StepKind.START, StepKind.ADOPT, StepKind.LIVE, StepKind.SCALE, StepKind.REBIND, StepKind.REPLACE, StepKind.ADD,
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Precondition:
    """The world of a plan. observed, desired: group → digest of what it was, and of what it is to be.

    keyed: with digests of secrets that the manager understands; a plan that was made without its key has none.
    """

    revision: int
    observed: Mapping[str, str] = field(default_factory=dict)
    desired: Mapping[str, str] = field(default_factory=dict)
    keyed: bool = True

    def to_json(self) -> dict[str, Any]:
        """Return plain data."""
        return asdict(self)


def precondition(revision: int, desired: Desired, observed: Observed, *, keyed: bool = True) -> Precondition:
    """Return what a plan for these depends on. Which processes there are just now is no part of it."""
    return Precondition(
        revision,
        {name: _of_group(group) for name, group in observed.items()},
        _of_targets(desired, keyed=keyed),
        keyed,
    )


@dataclass(slots=True)
class Preconditions:
    """Makes preconditions one after the other: of a group that is as it was, the digest is the one that it had."""

    _observed: dict[str, tuple[ObservedGroup, str]] = field(default_factory=dict)

    def of(self, revision: int, desired: Desired, observed: Observed, *, keyed: bool = True) -> Precondition:
        """Return what `precondition` does."""
        digests = {name: self._of_group(name, group) for name, group in observed.items()}
        self._observed = {name: (group, digests[name]) for name, group in observed.items()}
        return Precondition(revision, digests, _of_targets(desired, keyed=keyed), keyed)

    def _of_group(self, name: str, group: ObservedGroup) -> str:
        known = self._observed.get(name)
        # the same options are the same object: they are those of the target in force
        if known and known[0].options is group.options and _rest(known[0]) == _rest(group):
            return known[1]
        return _of_group(group)


def moved(planned: Precondition, now: Precondition) -> tuple[str, ...]:
    """Return a sentence for each thing that is not as it was planned against."""
    said = []
    if planned.revision != now.revision:
        said.append(f"revision {now.revision} is in force, not {planned.revision}")
    for name in sorted({*planned.observed, *now.observed}):
        before, after = planned.observed.get(name), now.observed.get(name)
        if before is None:
            said.append(f"{name} is there now")
        elif after is None:
            said.append(f"{name} is gone")
        elif before != after:
            said.append(f"{name} was changed, scaled, stopped or started")
    said += [
        f"what {name} would start with has changed: its code, its environment files or its interpreter"
        for name in sorted(planned.desired.keys() & now.desired.keys())
        if planned.desired[name] != now.desired[name]
    ]
    return tuple(said)


def covered(shown: Mapping[str, Any], now: Mapping[str, Any]) -> bool:
    """Whether a plan does nothing to a group that the one which was shown did not announce, or more than that.

    Both as `Plan.to_json` has them.
    """
    return does_no_more(kinds_of(shown), kinds_of(now))


def kinds_of(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return what a plan does: group → kind of its step. The plan as `Plan.to_json` has it."""
    return {step["group"]: step["kind"] for step in plan["steps"]}


def does_no_more(shown: Mapping[str, str], now: Mapping[str, str]) -> bool:
    """As `covered`, of what `kinds_of` tells of the two plans."""

    def is_covered(group: str, kind: StepKind) -> bool:
        before = StepKind(shown[group]) if group in shown else None
        if before is None or StepKind.REMOVE in (before, kind):
            return before is kind
        return _LESS.index(kind) <= _LESS.index(before)

    return all(is_covered(group, StepKind(kind)) for group, kind in now.items())


def _of_targets(desired: Desired, *, keyed: bool) -> dict[str, str]:
    return {name: _digest(target.fingerprint if keyed else "", target.code) for name, target in desired.items()}


def _of_group(group: ObservedGroup) -> str:
    return _digest(_rest(group), sorted(group.options.items()))


def _rest(group: ObservedGroup) -> list[object]:
    processes = 0 if group.follows_load else group.processes  # what the load does, nobody has asked for
    return [group.fingerprint, processes, group.scaled, group.stopped, group.unknown]


def _digest(*parts: object) -> str:
    text = json.dumps(parts, sort_keys=True, default=dict)
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()[:_DIGEST]
