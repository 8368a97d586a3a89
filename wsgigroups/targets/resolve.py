"""From a configuration to targets: names become numbers, interpreters are found, environments are read.

Runs in the manager (apply, plan) and in the command line (plan without a manager). Executes nothing of a tenant.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.lifecycle.watch import Rules
from wsgigroups.plan.desired import CgroupTarget, Desired, GroupTarget, ListenerTarget, SpawnerTarget
from wsgigroups.plan.effects import in_fingerprint
from wsgigroups.runtime.wire.spec import Identity, Serving, Spec
from wsgigroups.targets.confinement import confinement_of
from wsgigroups.targets.environment import build_environment
from wsgigroups.targets.home import home_of
from wsgigroups.targets.identity import (
    Person,
    of_group,
    own_person,
    refuse_root,
    resolve_gid,
    resolve_person,
    resolve_uid,
)
from wsgigroups.targets.interpreters import Chooser
from wsgigroups.targets.mounted import applications_of, mounts_of
from wsgigroups.targets.once import HostFacts, Once, Targets
from wsgigroups.targets.option_texts import option_texts
from wsgigroups.targets.rollout import health_of, rollout_of
from wsgigroups.trust.walking import untrusted_component

if TYPE_CHECKING:
    from collections.abc import Collection

    from wsgigroups.config import Configuration, Group
    from wsgigroups.config.models.site import ServerDefaults


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What resolution depends on besides the configuration."""

    log_dir: Path
    cwd: Path  # of the manager when it started: `home` where neither home nor user is set
    locale: dict[str, str]  # the manager's own LANG and LC_ALL: inherited
    # of the digests that stand for secrets: the manager keeps its own, so that equal values stay equal
    digest_key: bytes = field(default_factory=lambda: os.urandom(32), repr=False)


def surroundings(log_dir: Path, digest_key: bytes | None = None) -> Surroundings:
    """Those of this process. digest_key None: digests are compared with nothing that is stored."""
    inherited = {name: os.environ[name] for name in ("LANG", "LC_ALL") if os.environ.get(name)}
    return Surroundings(log_dir, Path.cwd(), inherited, digest_key or os.urandom(32))


def resolve(configuration: Configuration, around: Surroundings, known: Targets | None = None) -> Desired:
    """Return the targets of all groups that have an application. Raises WsgigroupsError for the first that fails.

    known: those of the last time, so that only what differs is made anew.
    """
    _check_shared_names(configuration)
    look = _Look(configuration, around, Targets() if known is None else known)
    targets = {name: look.target(name, group) for name, group in _served(configuration).items()}
    look.known.forget_others(targets.keys())
    return targets


def resolve_each(
    configuration: Configuration, around: Surroundings, names: Collection[str] | None = None
) -> tuple[Desired, dict[str, str]]:
    """Return the targets that can be had on this host, and why the others cannot, by group; names: of these alone.

    What groups inherit is not looked at by itself: a name that means nothing concerns those that inherit it.
    """
    look = _Look(configuration, around, Targets())
    targets, failed = {}, {}
    for name, group in _served(configuration).items():
        if names is not None and name not in names:
            continue
        try:
            targets[name] = look.target(name, group)
        except WsgigroupsError as error:
            failed[name] = error.message
        except OSError as error:
            failed[name] = f"cannot use {error.filename}: {error.strerror}" if error.filename else str(error)
    return targets, failed


def described(name: str, configuration: Configuration, around: Surroundings) -> GroupTarget:
    """What can be told of a group without looking at the host; no process can be started with it."""
    group = configuration.all_groups()[name]
    listen = tuple(str(address) for address in group.listen)
    return GroupTarget(
        name=name,
        processes=group.processes,
        fingerprint="",
        options={},
        spec=Spec(name, 0, 0, "", "", (), Serving(threads=group.threads), {}, listen),
        listeners=(),
        spawner=SpawnerTarget("", ""),
        log_path=_log_path(name, group, configuration, around),
        user=group.user or configuration.server.user,
        group=group.group or configuration.server.group,
    )


def _served(configuration: Configuration) -> dict[str, Group]:
    """The groups with something to answer with: others can only be reached through the addresses of sites."""
    groups, mounts = configuration.all_groups().items(), mounts_of(configuration)
    return {name: group for name, group in groups if applications_of(group, mounts.get(name, ()))}


def _log_path(name: str, group: Group, configuration: Configuration, around: Surroundings) -> str:
    site = next((model for model in configuration.sites.values() if name in model.groups), None)
    error_log = group.error_log or (site.error_log if site else None) or configuration.server.error_log
    return str(error_log) if error_log else str(around.log_dir / f"{name}.log")


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
        python_home = str(interpreter.python_home) if interpreter.python_home else None
        files = [str(path) for path in group.environment_files]
        return HostFacts(
            root=root,
            person=person,
            interpreter=interpreter,
            spawner=self.chooser.spawner(interpreter, locale, person, doubt),
            applications=applications_of(group, self.mounts.get(name, ())),
            home=home,
            locale=locale,
            environment=build_environment(name, person, group.environment, files, locale, python_home),
            listeners=self._listeners(name, group),
            script_user=resolve_uid(of_group("script-user", name), group.script_user) if group.script_user else None,
            script_group=resolve_gid(of_group("script-group", name), group.script_group)
            if group.script_group
            else None,
            log_path=_log_path(name, group, configuration, around),
            notices=tuple(notices),
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
        return tuple(
            ListenerTarget(
                str(address),
                group.listen_backlog,
                group.receive_buffer_size,
                group.send_buffer_size,
                owner if str(address).startswith("unix:") else None,
            )
            for address in group.listen
        )

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
    owners = {0} | {person.uid if item.owner_uid is None else item.owner_uid for item in facts.listeners}
    spec = replace(spec, serving=replace(spec.serving, trusted_uids=tuple(sorted(owners))))
    options = option_texts(group, spec, person, spawner, digest_key)
    relevant = {key: value for key, value in options.items() if in_fingerprint(key)}
    relevant["listen"] = " ".join(spec.listen)
    digest = hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()
    return GroupTarget(
        name=name,
        processes=group.processes,
        fingerprint=digest,
        options=options,
        spec=replace(spec, fingerprint=digest),
        listeners=facts.listeners,
        spawner=spawner,
        rules=_rules(group),
        startup_timeout_s=group.startup_timeout,
        log_path=facts.log_path,
        user=person.user_name,
        group=person.group_name,
        notices=facts.notices,
        release=group.release or "",
        watch=tuple(str(path) for path in group.watch),
        rollout=rollout_of(group),
        cgroup=CgroupTarget(group.memory_high, group.memory_max, group.cpu_weight, group.cpu_quota, group.tasks_max),
    )


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


def _rules(group: Group) -> Rules:
    return Rules(
        threads=group.threads,
        deadlock_timeout_s=group.deadlock_timeout,
        request_timeout_s=group.request_timeout,
        request_timeout_mode=group.request_timeout_mode,
        interrupt_timeout_s=group.interrupt_timeout,
        inactivity_timeout_s=group.inactivity_timeout,
        restart_interval_s=group.restart_interval,
        memory_soft_limit_bytes=group.memory_soft_limit,
        startup_timeout_s=group.startup_timeout if group.load == "lazy" else 0.0,
    )


def _limits(group: Group) -> dict[str, tuple[int, int]]:
    limits = {"CORE": (group.limit_core, group.limit_core)}
    for name, value in (("NPROC", group.limit_nproc), ("NOFILE", group.limit_nofile), ("FSIZE", group.limit_fsize)):
        if value:
            limits[name] = (value, value)
    if group.cpu_time_limit:
        soft = int(group.cpu_time_limit)
        behind = int(group.graceful_timeout + group.shutdown_timeout) * group.threads + 2
        limits["CPU"] = (soft, soft + behind)
    if group.memory_limit:
        limits["DATA"] = (group.memory_limit, group.memory_limit)
    if group.virtual_memory_limit:
        limits["AS"] = (group.virtual_memory_limit, group.virtual_memory_limit)
    return limits


def _serving(group: Group, server: ServerDefaults) -> Serving:
    socket_timeout_s = group.socket_timeout if group.is_set("socket_timeout") else server.timeout
    return Serving(
        threads=group.threads,
        multiprocess=group.is_set("processes"),
        run_once=group.threads == 1 and group.maximum_requests == 1,
        stack_size_bytes=group.stack_size,
        listen_backlog=group.listen_backlog,
        connect_timeout_s=group.connect_timeout,
        socket_timeout_s=socket_timeout_s,
        queue_timeout_s=group.queue_timeout,
        # A kept connection is accepted once, and that is when "wait" looks for new code.
        keep_alive_timeout_s=0.0 if group.script_reloading == "wait" else group.keep_alive_timeout,
        response_socket_timeout_s=group.response_socket_timeout or 0.0,
        header_buffer_size_bytes=group.header_buffer_size or 32768,
        response_buffer_size_bytes=group.response_buffer_size or 65536,
        maximum_requests=group.maximum_requests,
        trusted_proxies=tuple(str(item) for item in group.trusted_proxies),
        access_log=group.access_log,
        interruptible=group.interrupt_timeout > 0,
        limit_request_line=group.limit_request_line,
        limit_request_field_size=group.limit_request_field_size,
        limit_request_fields=group.limit_request_fields,
        limit_request_body=group.limit_request_body,
        chunked_bodies=group.chunked_bodies,
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
        serving=_serving(group, server),
        environment=facts.environment,
        listen=tuple(str(address) for address in group.listen),
        identity=Identity(person.uid, person.gid, person.groups) if person else None,
        home=facts.home,
        home_on_path=group.home is not None,
        umask=int(group.umask, 8) if group.umask is not None else None,
        chroot=str(group.chroot) if group.chroot and person else None,
        rlimits=_limits(group),
        confinement=confinement_of(group),
        cpu_priority=group.cpu_priority,
        oom_score_adj=0 if person else None,
        python_home=str(python_home) if python_home else None,
        python_path=tuple(str(path) for path in group.python_path),
        python_eggs=str(group.python_eggs) if group.python_eggs else None,
        lang=group.lang,
        locale=group.locale,
        switch_interval_s=group.switch_interval or 0.0,
        load=group.load,
        health=health_of(group),
        script_reloading=group.script_reloading,
        reload=tuple(str(path) for path in group.reload),
        signals=group.signals,
        processes=group.processes,
        script_user=facts.script_user,
        script_group=facts.script_group,
        shutdown_timeout_s=group.shutdown_timeout,
        graceful_timeout_s=graceful_s,
        eviction_timeout_s=group.eviction_timeout if group.is_set("eviction_timeout") else graceful_s,
    )
