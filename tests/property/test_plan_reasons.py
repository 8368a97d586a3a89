"""Properties of plans: their reasons are all that differs, their kinds the strongest of them, their costs add up."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from support.targets import small_target

from wsgigroups.plan.desired import GroupTarget, ListenerTarget, RolloutTarget, Share
from wsgigroups.plan.effects import effect_of, in_fingerprint, unit_of, why
from wsgigroups.plan.observed import ObservedGroup, ObservedProcess
from wsgigroups.plan.planner import CODE, Plan, Reason, Step, StepKind, needs_replacement, plan, sign_of
from wsgigroups.plan.precondition import covered, moved, precondition

STRENGTH = ["replace", "rebind", "scale", "live", "none"]
KIND = {"replace": StepKind.REPLACE, "rebind": StepKind.REBIND, "scale": StepKind.SCALE}
ORDER = [
    StepKind.REMOVE, StepKind.START, StepKind.LIVE, StepKind.ADOPT, StepKind.SCALE, StepKind.REBIND,
    StepKind.REPLACE, StepKind.ADD,
]  # fmt: skip
# of each effect some, and a limit of which it depends on the direction
OPTIONS = (
    "threads", "home", "environment.A", "python", "listen", "listen-backlog", "display-name", "restart-interval",
    "rollout.canary-time", "response-flush-delay", "limit-nofile", "limit-core",
)  # fmt: skip
NUMBERS = st.integers(0, 3).map(str)

options = st.dictionaries(st.sampled_from(OPTIONS), NUMBERS, max_size=6)
code = st.dictionaries(st.sampled_from(["application", "environment"]), st.sampled_from(["x1", "x2"]), max_size=2)
rollouts = st.builds(
    RolloutTarget,
    max_surge=st.sampled_from([Share(0), Share(1), Share(2), Share(25, percent=True), Share(100, percent=True)]),
    min_ready_time_s=st.sampled_from([0.0, 5.0]),
    canary_time_s=st.sampled_from([0.0, 3.0]),
)
wishes = st.builds(
    lambda drawn, processes, known, rollout: (drawn, processes, known, rollout),
    options, st.integers(1, 9), code, rollouts,
)  # fmt: skip
worlds = st.dictionaries(st.sampled_from("abcd"), wishes, max_size=4)
Wish = tuple[dict[str, str], int, dict[str, str], RolloutTarget]
Drawn = dict[str, Wish]
Change = tuple[dict[str, "str | None"], int, str]  # options, processes (0: as they are), and what of the code differs


def _before(new: Drawn, changes: dict[str, Change | None], others: Drawn) -> tuple[Drawn, Drawn]:
    """What is asked for, and what there was: mostly the same groups, with a few things that differ."""
    old = {name: wish for name, wish in others.items() if name not in new}
    for name, (values, processes, known, rollout) in new.items():
        change = changes[name]
        if change is not None:
            drawn = {key: value for key, value in {**values, **change[0]}.items() if value is not None}
            old[name] = (drawn, change[1] or processes, known | {change[2]: "x3"} if change[2] else known, rollout)
    return new, old


one_change = st.dictionaries(st.sampled_from(OPTIONS), st.none() | NUMBERS, max_size=1)
some_changes = st.dictionaries(st.sampled_from(OPTIONS), st.none() | NUMBERS, max_size=4)
changed = st.tuples(
    one_change | some_changes, st.sampled_from([0, 0, 0, 1, 4, 9]), st.sampled_from(["", "", "", "application"])
)
pairs = st.builds(
    _before,
    st.dictionaries(st.sampled_from("abcd"), wishes, min_size=1, max_size=4),
    st.fixed_dictionaries({name: changed if name in "ab" else st.none() | changed for name in "abcd"}),
    worlds,
)
Pair = tuple[Drawn, Drawn]


def fingerprint(drawn: dict[str, str]) -> str:
    """Over the options that make other processes, as resolution takes it."""
    return ",".join(f"{name}={drawn[name]}" for name in sorted(drawn) if in_fingerprint(name) or name == "listen")


def target(name: str, drawn: dict[str, str], processes: int, known: dict[str, str], how: RolloutTarget) -> GroupTarget:
    return small_target(
        name, processes=processes, options=drawn, fingerprint=fingerprint(drawn), code=known, rollout=how
    )


def desired(world: Drawn) -> dict[str, GroupTarget]:
    return {name: target(name, *drawn) for name, drawn in world.items()}


def running(wanted: GroupTarget, *, scaled: bool = False) -> ObservedGroup:
    """A group whose processes are what this target asks for."""
    slots = range(1, wanted.processes + 1)
    members = tuple(ObservedProcess(n, n, wanted.fingerprint, True, 0.5, 1000, wanted.code) for n in slots)
    return ObservedGroup(
        wanted.options, wanted.fingerprint, wanted.processes, scaled, False, members,
        wanted=wanted.processes, ready=wanted.processes, code=wanted.code,
    )  # fmt: skip


def observed(world: Drawn) -> dict[str, ObservedGroup]:
    return {name: running(wanted) for name, wanted in desired(world).items()}


def carried_out(step: Step, group: ObservedGroup | None, wanted: GroupTarget | None) -> ObservedGroup | None:
    """What a group is when its step has been done, told from the reasons alone."""
    if step.kind is StepKind.REMOVE:
        return None
    assert wanted is not None
    if group is None:
        assert step.kind is StepKind.ADD
        return running(wanted)
    values, processes, known = dict(group.options), group.processes, dict(group.code)
    for reason in step.reasons:
        if reason.option == "processes":
            processes = int(reason.new or 0)
        elif reason.option == CODE:
            known |= wanted.code
        elif reason.new is None:
            del values[reason.option]
        else:
            values[reason.option] = reason.new
    known = known if known.keys() >= wanted.code.keys() else {**known, **wanted.code}
    done = target(wanted.name, values, processes, known, wanted.rollout)
    return running(done)


@given(worlds)
def test_equal_targets_need_nothing(world: Drawn) -> None:
    planned = plan(desired(world), observed(world))
    assert planned.empty
    assert not planned.repairs
    assert planned.to_json()["empty"] is True
    assert sum(planned.to_json()["counts"].values()) == 0


@given(pairs)
def test_what_a_plan_names_is_all_that_has_to_be_done(pair: Pair) -> None:
    new, old = pair
    wanted, found = desired(new), observed(old)
    after = dict(found)
    for step in plan(wanted, found).steps:
        group = carried_out(step, found.get(step.group), wanted.get(step.group))
        after.pop(step.group, None)
        if group is not None:
            after[step.group] = group
    assert after.keys() == wanted.keys()
    assert plan(wanted, after).empty


@given(pairs)
def test_each_field_that_differs_is_named_once_with_its_effect(pair: Pair) -> None:
    new, old = pair
    for step in plan(desired(new), observed(old)).steps:
        if step.kind in (StepKind.ADD, StepKind.REMOVE):
            continue
        named = Counter(reason.option for reason in step.reasons)
        assert set(named.values()) <= {1}
        (after, processes, known, _), (before, former, known_before, _) = new[step.group], old[step.group]
        differ = {name for name in {*before, *after} if before.get(name) != after.get(name)}
        differ |= {"processes"} if processes != former else set()
        differ |= {CODE} if any(known[part] != known_before[part] for part in known.keys() & known_before) else set()
        assert set(named) == differ
        for reason in step.reasons:
            if reason.option in before or reason.option in after:
                values = before.get(reason.option), after.get(reason.option)
                assert (reason.old, reason.new) == values
                assert (reason.effect, reason.why) == (effect_of(reason.option, *values), why(reason.option))
                assert reason.unit == unit_of(reason.option)


@given(pairs)
def test_a_step_does_what_the_strongest_of_its_reasons_asks_for(pair: Pair) -> None:
    new, old = pair
    for step in plan(desired(new), observed(old)).steps:
        effects = [reason.effect for reason in step.reasons]
        if step.kind not in (StepKind.ADD, StepKind.REMOVE):
            strongest = min(effects, key=STRENGTH.index)
            assert step.kind is KIND.get(strongest, StepKind.LIVE)
        moves = any(reason.option == "listen" for reason in step.reasons)
        signs = {StepKind.ADD: "+", StepKind.REMOVE: "-", StepKind.REPLACE: "±", StepKind.REBIND: "±" if moves else "~"}
        assert sign_of(step) == signs.get(step.kind, "~")


@given(pairs)
def test_what_a_step_costs_adds_up(pair: Pair) -> None:
    new, old = pair
    wanted = desired(new)
    for step in plan(wanted, observed(old)).steps:
        before = old[step.group][1] if step.group in old else 0
        after = new[step.group][1] if step.group in new else 0
        cost = step.cost
        assert before + cost.processes_started - cost.processes_stopped == after
        assert 0 in (cost.processes_started, cost.processes_stopped)
        others = (
            step.group in new
            and step.group in old
            and wanted[step.group].fingerprint != fingerprint(old[step.group][0])
        )
        replaced = step.kind is StepKind.REPLACE or others
        assert cost.processes_replaced == (min(before, after) if replaced else 0)
        policy = new[step.group][3] if step.group in new else RolloutTarget()
        extra = min(cost.processes_replaced, policy.max_surge.up(after)) if replaced else 0
        assert cost.surge_processes == extra
        assert cost.surge_bytes == (1000 * extra if replaced else None)
        if replaced:
            rounds = -(-cost.processes_replaced // max(1, extra))
            assert cost.duration_s == policy.min_ready_time_s + policy.canary_time_s + 0.5 * rounds


@given(pairs)
def test_groups_do_not_change_each_other_and_have_their_order(pair: Pair) -> None:
    new, old = pair
    planned = plan(desired(new), observed(old))
    alone = [
        step
        for name in sorted({*new, *old})
        for step in plan(
            {key: value for key, value in desired(new).items() if key == name},
            {key: value for key, value in observed(old).items() if key == name},
        ).steps
    ]
    assert Counter(map(repr, planned.steps)) == Counter(map(repr, alone))
    assert list(planned.steps) == sorted(planned.steps, key=lambda step: (ORDER.index(step.kind), step.group))
    turned = plan(dict(reversed(desired(new).items())), dict(reversed(observed(old).items())))
    assert planned == turned


@given(pairs)
def test_processes_are_replaced_where_the_plan_says_so(pair: Pair) -> None:
    new, old = ({name: (wish[0], wish[1], {}, wish[3]) for name, wish in world.items()} for world in pair)
    replaced = {step.group for step in plan(desired(new), observed(old)).steps if step.cost.processes_replaced}
    for name in new.keys() & old.keys():
        found = observed(old)[name]
        assert needs_replacement(desired(new)[name], found.options, found.fingerprint) == (name in replaced)


@given(wishes, st.integers(0, 9), st.booleans())
def test_what_is_missing_is_started_unless_somebody_stopped_it(wish: Wish, ready: int, stopped: bool) -> None:
    wanted = target("a", *wish)
    ready = min(ready, wanted.processes)
    group = replace(
        running(wanted), ready=ready, stopped=stopped, wanted=0 if stopped else wanted.processes, trouble="x"
    )
    planned = plan({"a": wanted}, {"a": group})
    if stopped or ready == wanted.processes:
        assert planned.empty
        assert any("stopped by hand" in notice for notice in planned.notices) == stopped
        return
    (step,) = planned.steps
    assert step.kind is StepKind.START
    assert step.reasons == (Reason("processes", str(ready), str(wanted.processes), "start", "x"),)
    assert step.cost.processes_started == wanted.processes - ready
    assert planned.repairs


@given(wishes, st.integers(1, 9))
def test_a_group_that_was_scaled_by_hand_goes_back_and_says_so(wish: Wish, processes: int) -> None:
    wanted = target("a", *wish)
    found = running(replace(wanted, processes=processes), scaled=True)
    reasons = [reason for step in plan({"a": wanted}, {"a": found}).steps for reason in step.reasons]
    if processes == wanted.processes:
        assert not reasons
    else:
        assert reasons == [Reason("processes", str(processes), str(wanted.processes), "scale", "scaled by hand")]


@given(pairs)
def test_an_unknown_group_is_left_alone_unless_it_is_asked_for_or_in_the_way(pair: Pair) -> None:
    new, old = pair
    wanted = {
        name: replace(t, listeners=(ListenerTarget(f"127.0.0.1:{ord(name)}"),)) for name, t in desired(new).items()
    }
    way = sorted(wanted)[:1]
    address = [f"127.0.0.1:{ord(name)}" for name in way] or ["127.0.0.1:1"]
    found = {
        name: replace(group, unknown=True, options={}, listen=(address[0],) if name == "d" else ("127.0.0.1:9",))
        for name, group in observed(old).items()
    }
    planned = plan(wanted, found)
    kinds = {step.group: step.kind for step in planned.steps}
    for name, group in found.items():
        if name in wanted:
            same = group.fingerprint == wanted[name].fingerprint
            assert kinds[name] is (StepKind.ADOPT if same else StepKind.REPLACE)
        elif name == "d" and way:
            assert kinds[name] is StepKind.REMOVE
        else:
            assert name not in kinds
            assert sum(f"`wsgigroups stop {name}`" in notice for notice in planned.notices) == 1


def _shown(planned: Plan) -> dict[str, object]:
    return planned.to_json()


@given(pairs, worlds)
def test_consent_covers_what_was_shown_and_less(pair: Pair, other: Drawn) -> None:
    new, old = pair
    shown, now = plan(desired(new), observed(old)), plan(desired(new), observed(other))
    assert covered(_shown(shown), _shown(shown))
    before = {step.group: step.kind for step in shown.steps}
    if covered(_shown(shown), _shown(now)):
        for step in now.steps:
            assert step.group in before
            assert (step.kind is StepKind.REMOVE) == (before[step.group] is StepKind.REMOVE)
            assert ORDER.index(step.kind) <= ORDER.index(before[step.group])


@given(pairs, worlds)
def test_a_plan_holds_where_it_was_made_and_nowhere_else(pair: Pair, other: Drawn) -> None:
    new, old = pair
    made = precondition(3, desired(new), observed(old))
    assert moved(made, precondition(3, desired(new), observed(old))) == ()
    assert moved(made, precondition(4, desired(new), observed(old)))
    groups = {name: (g.fingerprint, g.processes, g.options) for name, g in observed(old).items()}
    others = {name: (g.fingerprint, g.processes, g.options) for name, g in observed(other).items()}
    assert bool(moved(made, precondition(3, desired(new), observed(other)))) == (groups != others)
