"""What a change of an option costs: as the models say, in both directions of a limit."""

from __future__ import annotations

import pytest
from support.targets import small_target

from wsgigroups.config import OPTIONS
from wsgigroups.plan.desired import GroupTarget
from wsgigroups.plan.effects import effect_of, in_fingerprint, why
from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.planner import StepKind, needs_replacement, plan

LIMITS = ("memory-limit", "virtual-memory-limit", "limit-nproc", "limit-nofile", "limit-fsize", "limit-core")
MIB = 2**20
# old and new value of a limit, and whether running processes have to go; 0 is no limit
CHANGES = [
    (512 * MIB, 256 * MIB, False),
    (256 * MIB, 512 * MIB, True),
    (0, 256 * MIB, False),
    (256 * MIB, 0, True),
]


def target(**options: str) -> GroupTarget:
    written = {name.replace("_", "-"): value for name, value in options.items()}
    return small_target(processes=2, options=written)


def running(**options: str) -> ObservedGroup:
    members = tuple(ObservedProcess(slot, slot, "f", ready=True) for slot in (1, 2))
    return ObservedGroup(target(**options).options, "f", 2, scaled=False, stopped=False, members=members)


CORE_CHANGES = [(512 * MIB, 256 * MIB, False), (0, 256 * MIB, True), (256 * MIB, 0, False)]  # 0 is no core file


@pytest.mark.parametrize(
    ("limit", "old", "new", "replaced"),
    [(limit, *change) for limit in LIMITS for change in (CORE_CHANGES if limit == "limit-core" else CHANGES)],
)
def test_raising_a_limit_replaces_processes_and_lowering_does_not(
    limit: str, old: int, new: int, replaced: bool
) -> None:
    name = limit.replace("-", "_")
    wanted, found = target(**{name: str(new)}), running(**{name: str(old)})
    (step,) = plan({"blog": wanted}, {"blog": found}).steps
    assert step.kind is (StepKind.REPLACE if replaced else StepKind.LIVE)
    assert [(reason.option, reason.effect) for reason in step.reasons] == [(limit, "replace" if replaced else "live")]
    assert step.cost.processes_replaced == (2 if replaced else 0)
    assert needs_replacement(wanted, found.options, "f") is replaced
    assert why(limit) == OPTIONS[limit].effect_reason


def test_limits_with_two_directions_are_those_of_the_models() -> None:
    """What the planner does and what people read comes from one place."""
    both = {name for name, option in OPTIONS.items() if effect_of(name, "1", "2") != effect_of(name, "2", "1")}
    assert both == set(LIMITS)
    for name in LIMITS:
        assert OPTIONS[name].effect_text == "live when lowered, replace when raised"
        assert not in_fingerprint(name), "a lower limit makes no other process"


@pytest.mark.parametrize("name", OPTIONS)
def test_every_other_option_has_one_effect(name: str) -> None:
    if name not in LIMITS:
        assert effect_of(name) == effect_of(name, "1", "2") == effect_of(name, "2", "1") == OPTIONS[name].effect.value
        assert in_fingerprint(name) == (OPTIONS[name].effect.value == "replace")


def test_what_is_no_option_has_an_effect_too() -> None:
    assert effect_of("environment.A") == effect_of("environment")
    assert effect_of("wsgi.multiprocess") == "replace"
    with pytest.raises(KeyError):
        effect_of("threadz")
