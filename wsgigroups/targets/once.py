"""What is remembered while targets are made: answers of the host within one look, and targets from one to the next.

A target depends on what the configuration says of its group and on facts of the host, and on nothing else: where both
are as they were, it is the one that was made before. The facts are asked for again each time.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from wsgigroups.plan.desired import OperatorsTarget

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Hashable

    from wsgigroups.config import Configuration, Group
    from wsgigroups.config.models.server import ServerDefaults
    from wsgigroups.host.interpreters import Interpreter
    from wsgigroups.plan.desired import GroupTarget, ListenerTarget, SpawnerTarget
    from wsgigroups.runtime.wire.spec import Application
    from wsgigroups.targets.identity import Person

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Once:
    """Answers of this host, each asked for once. For one configuration at one time: a host changes."""

    _answers: dict[Hashable, Any] = field(default_factory=dict)

    def of(self, key: Hashable, ask: Callable[[], Answer]) -> Answer:
        """Return the answer that is known by this key, or ask; what it raises is not remembered."""
        if key not in self._answers:
            self._answers[key] = ask()
        answer: Answer = self._answers[key]
        return answer


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What a group's names and defaults come to, on this host and in this configuration."""

    root: bool  # whether processes become somebody else
    person: Person
    interpreter: Interpreter
    spawner: SpawnerTarget
    applications: tuple[Application, ...]  # sites may mount some for it
    home: str
    locale: dict[str, str]
    environment: dict[str, str]
    listeners: tuple[ListenerTarget, ...]
    script_user: int | None
    script_group: int | None
    log_path: str
    notices: tuple[str, ...]
    processes: int = 1
    operators: OperatorsTarget = field(default_factory=OperatorsTarget)
    gateway_uid: int | None = None  # who asks it for the clients of sites; None: nobody does


@dataclass(frozen=True, slots=True)
class _Made:
    group: Group
    server: ServerDefaults
    facts: HostFacts
    digest_key: bytes
    target: GroupTarget


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets that were made last, by group. Not for two threads at once."""

    _made: dict[str, _Made] = field(default_factory=dict)
    # of what configuration and facts the gateway's was made last; a plan and the apply behind it ask for the same
    _gateway: list[tuple[Configuration, object, GroupTarget]] = field(default_factory=list)

    def get(
        self,
        name: str,
        group: Group,
        server: ServerDefaults,
        facts: HostFacts,
        digest_key: bytes,
        make: Callable[[], GroupTarget],
    ) -> GroupTarget:
        """Return a group's target: the last one, if it was made of the same."""
        made = self._made.get(name)
        same = (
            made is not None
            and (made.group is group or made.group == group)
            and (made.server is server or made.server == server)
            and made.facts == facts
            and made.digest_key == digest_key
        )
        if made is None or not same:
            made = self._made[name] = _Made(group, server, facts, digest_key, make())
        return made.target

    def gateway(self, configuration: Configuration, facts: object, make: Callable[[], GroupTarget]) -> GroupTarget:
        """Return the gateway's target: the last one, if it is of this very configuration, and of the same facts."""
        for made in self._gateway:
            if made[0] is configuration and made[1] == facts:
                return made[2]
        self._gateway[:] = [(configuration, facts, make())]
        return self._gateway[0][2]

    def forget_others(self, names: Collection[str]) -> None:
        """Forget groups that are not among these."""
        for name in self._made.keys() - names:
            del self._made[name]
