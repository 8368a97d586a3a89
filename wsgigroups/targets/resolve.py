"""From a configuration to targets: names become numbers, interpreters are found, environments are read.

Runs in the manager (apply, plan) and in the command line (plan without a manager). Executes nothing of a tenant.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.config.addresses import parse
from wsgigroups.config.sites import linked_groups
from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.mounted import applications_of, mounts_of
from wsgigroups.gateway.routing import served_sites
from wsgigroups.plan.desired import CgroupTarget, Desired, GroupTarget, ListenerTarget, SpawnerTarget
from wsgigroups.plan.effects import in_fingerprint
from wsgigroups.plan.routing import GATEWAY, link_path
from wsgigroups.runtime.wire.spec import Identity, Serving, Spec
from wsgigroups.targets.automatic import processes_of
from wsgigroups.targets.confinement import confinement_of
from wsgigroups.targets.counting import VARIABLE, counting_variables
from wsgigroups.targets.environment import build_environment
from wsgigroups.targets.gateway import (
    LinkedGroup,
    described_gateway,
    gateway_person,
    gateway_target,
    refuse_foreign_owner,
    root_of,
)
from wsgigroups.targets.home import home_of
from wsgigroups.targets.identity import (
    Person,
    of_group,
    own_person,
    refuse_root,
    resolve_gid,
    resolve_operators,
    resolve_person,
    resolve_uid,
)
from wsgigroups.targets.interpreters import Chooser
from wsgigroups.targets.logs import with_logs
from wsgigroups.targets.once import HostFacts, Once, Targets
from wsgigroups.targets.option_texts import option_texts, services_of
from wsgigroups.targets.rollout import health_of, rollout_of
from wsgigroups.targets.scaling import first_of, scaling_of, shared_limits
from wsgigroups.targets.settings import limits_of, rules_of, serving_of
from wsgigroups.trust.walking import untrusted_component

if TYPE_CHECKING:
    from collections.abc import Collection

    from wsgigroups.config import Configuration, Group
    from wsgigroups.config.models.server import ServerDefaults
    from wsgigroups.config.models.site import Site
    from wsgigroups.runtime.wire.spec import Application


UNIX = "unix"  # in trusted-proxies: peers on UNIX sockets


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What resolution depends on besides the configuration."""

    run_dir: Path
    log_dir: Path
    cwd: Path  # of the manager when it started: `home` where neither home nor user is set
    locale: dict[str, str]  # the manager's own LANG and LC_ALL: inherited
    # of the digests that stand for secrets: the manager keeps its own, so that equal values stay equal
    digest_key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)
    state_dir: Path = Path("/nonexistent")  # where certificates are kept that an authority has made


def surroundings(run_dir: Path, log_dir: Path, state_dir: Path, digest_key: bytes | None = None) -> Surroundings:
    """Those of this process. digest_key None: digests are compared with nothing that is stored."""
    inherited = {name: os.environ[name] for name in ("LANG", "LC_ALL") if os.environ.get(name)}
    return Surroundings(run_dir, log_dir, Path.cwd(), inherited, digest_key or os.urandom(32), state_dir)


def orders_of(state_dir: Path) -> Path:
    """Return the directory of certificates that an authority makes, in a state directory."""
    return state_dir / "authority" / "certificates"


def resolve(configuration: Configuration, around: Surroundings, known: Targets | None = None) -> Desired:
    """Return the targets of all groups that have an application. Raises WsgigroupsError for the first that fails.

    known: those of the last time, so that only what differs is made anew.
    """
    _check_shared_names(configuration)
    look = _Look(configuration, around, Targets() if known is None else known)
    targets = {name: look.target(name, group) for name, group in look.served().items()}
    look.known.forget_others(targets.keys())
    gateway = look.gateway()
    return with_logs({**targets, GATEWAY: gateway} if gateway else targets, configuration.server)


def resolve_each(
    configuration: Configuration,
    around: Surroundings,
    names: Collection[str] | None = None,
    known: Targets | None = None,
) -> tuple[Desired, dict[str, str]]:
    """Return the targets that can be had on this host, and why the others cannot, by group; names: of these alone.

    known: those of the last time, so that only what differs is made anew.
    What groups inherit is not looked at by itself: a name that means nothing concerns those that inherit it.
    """
    look = _Look(configuration, around, Targets() if known is None else known)
    targets, failed = {}, {}
    for name, group in look.served().items():
        if names is not None and name not in names:
            continue
        try:
            targets[name] = look.target(name, group)
        except WsgigroupsError as error:
            failed[name] = error.message
        except OSError as error:
            failed[name] = f"cannot use {error.filename}: {error.strerror}" if error.filename else str(error)
    if names is None or GATEWAY in names:
        try:
            gateway = look.gateway()
            targets.update({GATEWAY: gateway} if gateway else {})
        except WsgigroupsError as error:
            failed[GATEWAY] = error.message
    return with_logs(targets, configuration.server), failed


def resolve_some(configuration: Configuration, around: Surroundings, names: Collection[str]) -> Desired:
    """Return the targets of these groups. Raises WsgigroupsError for the first that cannot be had."""
    targets, failed = resolve_each(configuration, around, names)
    for name in sorted(failed):
        raise WsgigroupsError(f"cannot start group {name!r}: {failed[name]}")
    return targets


def described(name: str, configuration: Configuration, around: Surroundings) -> GroupTarget:
    """What can be told of a group without looking at the host; no process can be started with it."""
    if name == GATEWAY:
        return described_gateway(configuration, around.log_dir)
    site = next((model for model in configuration.sites.values() if name in model.groups), None)
    group = site.groups[name] if site else configuration.groups[name]
    listen = tuple(str(address) for address in group.listen)
    return GroupTarget(
        name=name,
        processes=max(1, group.processes),
        fingerprint="",
        options={},
        spec=Spec(name, 0, 0, "", "", (), Serving(threads=group.threads), {}, listen),
        listeners=(),
        spawner=SpawnerTarget("", ""),
        log_path=_log_path(name, group, site, configuration, around),
        user=group.user or configuration.server.user,
        group=group.group or configuration.server.group,
    )


def _log_path(name: str, group: Group, site: Site | None, configuration: Configuration, around: Surroundings) -> str:
    error_log = group.error_log or (site.error_log if site else None) or configuration.server.error_log
    return str(error_log) if error_log else f"{around.log_dir}/{name}.log"


class _Look:
    """One look at a configuration and at this host."""

    def __init__(self, configuration: Configuration, around: Surroundings, known: Targets) -> None:
        self.configuration = configuration
        self.around = around
        self.known = known
        self.root = os.geteuid() == 0
        self.chooser = Chooser(root=self.root, per_user=configuration.server.spawners == "per-user")
        self.once = Once()
        self.mounts = mounts_of(configuration)
        self.linked = linked_groups(configuration.sites)
        self.groups = configuration.all_groups()
        # whose they are; all that is asked of sites is asked once, for all groups
        self.sites = {name: site for site in configuration.sites.values() for name in site.groups}

    def served(self) -> dict[str, Group]:
        """The groups with something to answer with: others only have mounts of sites that listen nowhere."""
        return {name: group for name, group in self.groups.items() if self._applications(name, group)}

    def _applications(self, name: str, group: Group) -> tuple[Application, ...]:
        return self.once.of(
            ("applications", name),
            lambda: applications_of(group, self.mounts.get(name, ()), linked=name in self.linked),
        )

    def gateway(self) -> GroupTarget | None:
        """Return the gateway's target, None without sites. Raises WsgigroupsError."""
        configuration, around = self.configuration, self.around
        if not served_sites(configuration):
            return None
        linked = {name: self._linked(name, self.groups[name]) for name in sorted(self.linked & self.groups.keys())}
        person = self._gateway_person()
        return gateway_target(
            *(configuration, linked, person, self.chooser, around.locale, around.run_dir, around.log_dir),
            *(orders_of(around.state_dir), self.known),
        )

    def _linked(self, name: str, group: Group) -> LinkedGroup:
        """A group that the gateway asks; one that cannot be had now may come later, and says why itself."""
        uid = None
        with contextlib.suppress(WsgigroupsError):
            uid = self._person(name, group).uid
        return LinkedGroup(self._applications(name, group), uid)

    def _gateway_person(self) -> Person:
        def ask() -> Person:
            user, primary = gateway_person(self.configuration)
            return resolve_person(GATEWAY, user, primary, ())

        return self.once.of("gateway", ask) if self.root else self.once.of("own person", own_person)

    def target(self, name: str, group: Group) -> GroupTarget:
        """Return a group's target. Raises WsgigroupsError, and OSError."""
        facts, server = self._facts(name, group), self.configuration.server
        key = self.around.digest_key
        return self.known.get(name, group, server, facts, key, lambda: _target(name, group, server, facts, key))

    def _facts(self, name: str, group: Group) -> HostFacts:
        """Ask for all that the target depends on besides the configuration."""
        configuration, around, root = self.configuration, self.around, self.root
        person = self._person(name, group)
        notices = _identity_notices(group, configuration, person, root=root)
        interpreter, doubt = self.chooser.find(name, group, person)
        if doubt:
            notices.append(f"its interpreter is started as {person.user_name}, not as root: {doubt}")
        if group.chroot and not root:
            raise WsgigroupsError(
                f"cannot use the chroot {group.chroot} of group {name!r}: only a manager that runs as root can",
                hint="run the manager as root, or leave chroot out and confine the group (docs/confinement.md)",
            )
        if group.chroot:
            self.once.of(("chroot", group.chroot), lambda: _check_chroot(name, Path(str(group.chroot))))
        locale = dict(around.locale)
        locale.update({key: value for key, value in (("LANG", group.lang), ("LC_ALL", group.locale)) if value})
        home, home_notice = home_of(group, person, around.cwd, self.once, root=root)
        if home_notice:
            notices.append(home_notice)
        processes, reckoned = processes_of(group, self.once)
        python_home = str(interpreter.python_home) if interpreter.python_home else None
        files = [str(path) for path in group.environment_files]
        return HostFacts(
            root=root,
            person=person,
            interpreter=interpreter,
            spawner=self.chooser.spawner(interpreter, locale, person, doubt),
            applications=self._applications(name, group),
            home=home,
            locale=locale,
            environment={
                **build_environment(name, person, group.environment, files, locale, python_home),
                **counting_variables(around.run_dir, name, group),
            },
            listeners=self._listeners(name, group),
            script_user=resolve_uid(of_group("script-user", name), group.script_user) if group.script_user else None,
            script_group=resolve_gid(of_group("script-group", name), group.script_group)
            if group.script_group
            else None,
            log_path=_log_path(name, group, self.sites.get(name), configuration, around),
            notices=(*notices, *reckoned),
            processes=processes,
            operators=self.once.of(("operators", group.operators), lambda: resolve_operators(name, group.operators)),
            gateway_uid=self._gateway_person().uid if name in self.linked else None,
        )

    def _person(self, name: str, group: Group) -> Person:
        """Who the processes are. A manager that is not root has one answer, and still wants names that exist."""
        server = self.configuration.server
        user, primary, others = group.user or server.user, group.group or server.group, group.supplementary_groups or ()

        def ask() -> Person:
            if self.root:
                return resolve_person(name, user, primary, others)
            if user:
                resolve_person(name, user, primary, others)
            else:
                named = [("group", primary)] if primary else []
                for option, text in (*named, *(("supplementary-groups", text) for text in others)):
                    place = of_group(option, name)
                    refuse_root(place, text, resolve_gid(place, text))
            return self.once.of("own person", own_person)

        return self.once.of(("person", user, primary, tuple(others)), ask)

    def _listeners(self, name: str, group: Group) -> tuple[ListenerTarget, ...]:
        owner = None
        if group.socket_user:  # also where it is ignored: a name that means nothing is a mistake
            owner = resolve_uid(of_group("socket-user", name), group.socket_user)
        if not self.root:
            owner = None
        elif owner is None:
            owner = self.once.of("front", lambda: self._front(name))
        listen = [(str(address), owner if str(address).startswith("unix:") else None) for address in group.listen]
        if name in self.linked:
            listen.append(self._link(name, group, owner, own=any(uid is not None for _address, uid in listen)))
        sizes = group.listen_backlog, group.receive_buffer_size, group.send_buffer_size
        return tuple(ListenerTarget(address, *sizes, uid) for address, uid in listen)

    def _link(self, name: str, group: Group, owner: int | None, *, own: bool) -> tuple[str, int | None]:
        """Where the gateway asks a group, and whose the socket is: own: socket-user is about other sockets of it."""
        try:
            address = str(parse(f"unix:{root_of(self.around.run_dir) / link_path(name)}"))
        except ValueError as error:
            raise WsgigroupsError(f"cannot mount group {name!r}: {error}", hint="choose a shorter --run-dir") from None
        if not self.root:
            return address, None
        gateway = self._gateway_person().uid
        if group.socket_user and owner is not None and not own:
            refuse_foreign_owner(name, owner, gateway)
        return address, gateway

    def _front(self, name: str) -> int:
        # names of the configuration as a whole are resolved already, so that a mistake in them is no group's
        front = self.configuration.gateway.user or self.configuration.server.user
        return resolve_uid("the gateway's user", front) if front else resolve_person(name, None, None, ()).uid


def _target(name: str, group: Group, server: ServerDefaults, facts: HostFacts, digest_key: bytes) -> GroupTarget:
    """Put a target together. Pure."""
    person, spawner = facts.person, facts.spawner
    spec = _spec(name, group, server, facts)
    if spawner.uid is not None:  # the manager sets its score before the process is its user's to deny it
        spec = replace(spec, became=True, oom_score_adj=None)
    spec = replace(spec, serving=_trusting(spec.serving, facts))
    options = option_texts(group, spec, person, spawner, digest_key)
    scaling = scaling_of(group, server, facts.processes)
    options.update({**services_of(server), **shared_limits(scaling)})
    relevant = {key: value for key, value in options.items() if in_fingerprint(key)}
    relevant["listen"] = " ".join(spec.listen)
    digest = hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()
    return GroupTarget(
        name=name,
        processes=first_of(scaling, facts.processes),
        fingerprint=digest,
        options=options,
        spec=replace(spec, fingerprint=digest),
        listeners=facts.listeners,
        spawner=spawner,
        rules=rules_of(group),
        startup_timeout_s=group.startup_timeout,
        log_path=facts.log_path,
        user=person.user_name,
        group=person.group_name,
        notices=facts.notices,
        release=group.release or "",
        watch=tuple(str(path) for path in group.watch),
        rollout=rollout_of(group),
        scaling=scaling,
        operators=facts.operators,
        cgroup=CgroupTarget(group.memory_high, group.memory_max, group.cpu_weight, group.cpu_quota, group.tasks_max),
    )


def _trusting(serving: Serving, facts: HostFacts) -> Serving:
    """Whom a group believes on its UNIX sockets: the gateway whatever it says itself, others where it says "unix"."""
    owners = {0} | {facts.person.uid if item.owner_uid is None else item.owner_uid for item in facts.listeners}
    proxies = serving.trusted_proxies
    if facts.gateway_uid is not None and UNIX not in proxies:
        owners, proxies = {0, facts.gateway_uid}, (*proxies, UNIX)
    return replace(serving, trusted_proxies=proxies, trusted_uids=tuple(sorted(owners)))


def _check_shared_names(configuration: Configuration) -> None:
    """Resolve what groups inherit before any group, so that a mistake is blamed on the line that has it.

    Whether or not anybody uses it: a manager that is not root ignores names, but not names that mean nothing.
    """
    for section, model in (("server", configuration.server), ("gateway", configuration.gateway)):
        for option, name, number_of in (("user", model.user, resolve_uid), ("group", model.group, resolve_gid)):
            if name:
                place = f"[{section}] {option}"
                refuse_root(place, name, number_of(place, name))


def _identity_notices(group: Group, configuration: Configuration, person: Person, *, root: bool) -> list[str]:
    server = configuration.server
    if root:
        if not (group.user or server.user):
            return [f"no user is set anywhere, its processes run as {person.user_name}:{person.group_name}"]
        return []
    ignored = [
        option
        for option, value in (
            ("user", group.user),
            ("[server] user", None if group.user else server.user),
            ("group", group.group),
            ("[server] group", None if group.group else server.group),
            ("supplementary-groups", group.supplementary_groups),
            ("socket-user", group.socket_user),
        )
        if value
    ]
    if ignored:
        return [f"{', '.join(ignored)} ignored: the manager is not root, processes run as {person.user_name}"]
    return []


def _check_chroot(name: str, path: Path) -> None:
    """Root enters it, and every program in it is found by paths that must not change: as sshd_config(5) has it."""
    foreign = untrusted_component(path)
    if foreign:
        raise WsgigroupsError(
            f"cannot use the chroot {path} of group {name!r}: {foreign} can be changed by another user",
            hint="give the directory and those above it to root, writable by root alone",
        )


def _spec(name: str, group: Group, server: ServerDefaults, facts: HostFacts) -> Spec:
    person = facts.person if facts.root else None
    python_home = facts.interpreter.python_home
    graceful_s = group.graceful_timeout
    return Spec(
        group=name,
        slot=0,
        life=0,
        fingerprint="",
        title=f"(wsgi:{name})" if group.display_name == "%{GROUP}" else group.display_name or "",
        applications=facts.applications,
        serving=serving_of(group, server),
        environment=facts.environment,
        listen=tuple(listener.address for listener in facts.listeners),
        identity=Identity(person.uid, person.gid, person.groups) if person else None,
        home=facts.home,
        home_on_path=group.home is not None,
        umask=int(group.umask, 8) if group.umask is not None else None,
        chroot=str(group.chroot) if group.chroot and person else None,
        rlimits=limits_of(group),
        confinement=confinement_of(group, facts.environment[VARIABLE] if group.application_metrics else ""),
        cpu_priority=group.cpu_priority,
        oom_score_adj=0 if person else None,
        python_home=str(python_home) if python_home else None,
        python_path=tuple(str(path) for path in group.python_path),
        python_eggs=str(group.python_eggs) if group.python_eggs else None,
        lang=group.lang,
        locale=group.locale,
        switch_interval_s=group.switch_interval or 0.0,
        load=group.load,
        preload=group.preload,
        health=health_of(group),
        script_reloading=group.script_reloading,
        reload=tuple(str(path) for path in group.reload),
        signals=group.signals,
        tracing=group.tracing,
        processes=max(facts.processes, group.processes_max or 0),
        script_user=facts.script_user,
        script_group=facts.script_group,
        shutdown_timeout_s=group.shutdown_timeout,
        graceful_timeout_s=graceful_s,
        eviction_timeout_s=group.eviction_timeout if group.is_set("eviction_timeout") else graceful_s,
    )
