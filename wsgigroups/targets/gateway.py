"""The target of the gateway: to the manager it is one more group, whose processes share all addresses of the sites.

Runs in the manager and in `plan`. Executes nothing of a tenant.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wsgigroups import __version__
from wsgigroups.config import Group
from wsgigroups.config.sites import has_acme
from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.routing import HostOfSites, addresses, routing_of, served_sites
from wsgigroups.gateway.texts import site_texts
from wsgigroups.lifecycle.watch import Rules
from wsgigroups.plan.desired import GroupTarget, ListenerTarget, RolloutTarget
from wsgigroups.plan.effects import in_fingerprint
from wsgigroups.plan.routing import GATEWAY
from wsgigroups.runtime.wire.spec import Identity, Serving, Spec
from wsgigroups.targets.environment import build_environment
from wsgigroups.targets.nginx import ask_nginx, confinement, nginx_target, nginx_texts
from wsgigroups.targets.site_files import SiteFiles, places_of
from wsgigroups.trust.helpers import Account

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from wsgigroups.config import Configuration
    from wsgigroups.plan.desired import SpawnerTarget
    from wsgigroups.runtime.wire.spec import Application
    from wsgigroups.targets.identity import Person
    from wsgigroups.targets.interpreters import Chooser
    from wsgigroups.targets.nginx import NginxProgram
    from wsgigroups.targets.once import Targets
    from wsgigroups.trust.judging import Doubt

NGINX = "nginx"  # as the value of engine
BACKLOG = 4096  # as much as the system lets through: whoever waits here has cost nobody anything yet
_STARTUP_TIMEOUT_S = 60.0
_MIN_READY_TIME_S = 1.0
_MAXIMUM_DESCRIPTORS = 1024 * 1024  # one or two for each connection
_UMASK = 0o027


@dataclass(frozen=True, slots=True)
class LinkedGroup:
    """A group that the gateway asks: what it loads, and whose its processes are (None: that cannot be told now)."""

    applications: Sequence[Application]
    uid: int | None


def root_of(run_dir: Path) -> Path:
    """Return the directory that a gateway's paths begin in."""
    return run_dir / "gateway"


def gateway_person(configuration: Configuration) -> tuple[str | None, str | None]:
    """Return the user and group that the gateway's processes are to have, as they are written."""
    return configuration.gateway.user or configuration.server.user, configuration.gateway.group


def gateway_target(
    configuration: Configuration,
    linked: Mapping[str, LinkedGroup],
    person: Person,
    chooser: Chooser,
    locale: Mapping[str, str],
    run_dir: Path,
    log_dir: Path,
    orders: Path,
    known: Targets,
) -> GroupTarget | None:
    """Return the gateway's target, None where there is no site with an address. Raises WsgigroupsError.

    orders: the directory of certificates that an authority makes; known: the one that was made last.
    """
    sites = served_sites(configuration)
    if not sites:
        return None
    root = chooser.root
    interpreter, doubt = chooser.find(GATEWAY, Group(), person)
    spawner = chooser.spawner(interpreter, dict(locale), person, doubt)
    account = Account(person.uid, person.gid, person.groups, person.user_name)
    files = SiteFiles(account, str(orders), configuration.gateway.acme_directory)
    certificates = {}
    for name, site in sites.items():
        certificate = files.certificate(name, site)
        if certificate:
            certificates[name] = certificate
        files.read_pages(name, site)
    manager = os.geteuid()
    program = ask_nginx(account if root else None) if configuration.gateway.engine == NGINX else None
    nginx = nginx_target(configuration, linked, program) if program else None
    host = HostOfSites(
        applications={name: item.applications for name, item in linked.items()},
        # who called listen(2) is who is there (unix(7): SO_PEERCRED), and a group's own processes may have again
        uids={
            name: tuple(sorted({manager} | ({item.uid} if item.uid is not None else set())))
            for name, item in linked.items()
        },
        certificates=certificates,
        pages=files.pages,
        places=places_of(sites),
        root=str(root_of(run_dir)),
        gid=person.gid if root else None,
        orders=str(orders),
        nginx=nginx,
    )
    facts = (linked, person, spawner, doubt, locale, host, program, log_dir, root, manager)

    def make() -> GroupTarget:
        return _target(configuration, linked, person, spawner, doubt, locale, host, program, log_dir, root=root)

    return known.gateway(configuration, facts, make)


def _target(
    configuration: Configuration,
    linked: Mapping[str, LinkedGroup],
    person: Person,
    spawner: SpawnerTarget,
    doubt: Doubt | None,
    locale: Mapping[str, str],
    host: HostOfSites,
    program: NginxProgram | None,
    log_dir: Path,
    *,
    root: bool,
) -> GroupTarget:
    sites = served_sites(configuration)
    nginx = host.nginx
    notices = []
    ignored = [option for option in ("user", "group") if getattr(configuration.gateway, option)]
    if ignored and not root:
        named = " and ".join(f"[gateway] {option}" for option in ignored)
        notices.append(f"{named} ignored: the manager is not root, processes run as {person.user_name}")
    if doubt:
        notices.append(f"it has no root directory of its own: its interpreter is {person.user_name}'s: {doubt}")
    jailed = root and not doubt and nginx is None  # nginx needs what it was linked with
    spec = _spec(configuration, linked, person, host, locale, addresses(sites), root=root, jailed=jailed)
    if program is not None:
        spec = replace(spec, nginx=program.path, confinement=confinement(host.root, person.uid))
    if spawner.uid is not None:
        spec = replace(spec, became=True, oom_score_adj=None)
    options = _options(configuration, spec, spawner, person, host, len(sites))
    if program is not None and nginx is not None:
        options.update(nginx_texts(nginx, program, spec.confinement))
    relevant = {key: value for key, value in options.items() if in_fingerprint(key)}
    relevant["listen"] = " ".join(spec.listen)
    digest = hashlib.sha256(json.dumps(relevant, sort_keys=True).encode()).hexdigest()
    owner = person.uid if root else None
    return GroupTarget(
        name=GATEWAY,
        processes=configuration.gateway.processes,
        fingerprint=digest,
        options=options,
        spec=replace(spec, fingerprint=digest),
        listeners=tuple(
            ListenerTarget(address, BACKLOG, owner_uid=owner if address.startswith("unix:") else None)
            for address in spec.listen
        ),
        spawner=spawner,
        rules=Rules(threads=1),
        startup_timeout_s=_STARTUP_TIMEOUT_S,
        log_path=str(log_dir / f"{GATEWAY}.log"),
        user=person.user_name,
        group=person.group_name,
        notices=tuple(notices),
        release=f"wsgigroups {__version__}",
        # applications answer with errors, too, which says nothing of a new gateway
        rollout=RolloutTarget(min_ready_time_s=_MIN_READY_TIME_S, abort_error_rate=0),
        routing=routing_of(configuration, host),
    )


def _spec(
    configuration: Configuration,
    linked: Mapping[str, LinkedGroup],
    person: Person,
    host: HostOfSites,
    locale: Mapping[str, str],
    listen: tuple[str, ...],
    *,
    root: bool,
    jailed: bool,
) -> Spec:
    gateway = configuration.gateway
    return Spec(
        group=GATEWAY,
        slot=0,
        life=0,
        fingerprint="",
        title="",
        applications=(),
        serving=_serving(configuration, linked),
        environment=build_environment(GATEWAY, person, {}, [], locale, None),
        listen=listen,
        identity=Identity(person.uid, person.gid, person.groups) if root else None,
        home=None if jailed else host.root,
        umask=_UMASK,
        chroot=host.root if jailed else None,
        rlimits={"CORE": (0, 0), "NOFILE": _descriptors()},
        oom_score_adj=0 if root else None,
        processes=gateway.processes,
        shutdown_timeout_s=gateway.shutdown_timeout,
        gateway=True,
    )


def _descriptors() -> tuple[int, int]:
    """As many descriptors as a process may have here."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MAXIMUM_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _MAXIMUM_DESCRIPTORS)
    return most, most


def _serving(configuration: Configuration, linked: Mapping[str, LinkedGroup]) -> Serving:
    """What a gateway lets through is what any of its groups does: each has limits of its own behind it."""
    groups = configuration.all_groups()
    asked = [groups[name] for name in linked]
    fresh = Serving()
    return Serving(
        threads=1,
        multiprocess=configuration.gateway.is_set("processes"),
        socket_timeout_s=configuration.server.timeout,
        trusted_proxies=tuple(str(item) for item in configuration.gateway.trusted_proxies),
        limit_request_line=max((group.limit_request_line for group in asked), default=fresh.limit_request_line),
        limit_request_field_size=max(
            (group.limit_request_field_size for group in asked), default=fresh.limit_request_field_size
        ),
        limit_request_fields=max((group.limit_request_fields for group in asked), default=fresh.limit_request_fields),
    )


def _options(
    configuration: Configuration,
    spec: Spec,
    spawner: SpawnerTarget,
    person: Person,
    host: HostOfSites,
    sites: int,
) -> dict[str, str]:
    gateway = configuration.gateway
    return {
        "engine": gateway.engine,
        "processes": str(gateway.processes),
        "user": f"{person.user_name} ({person.uid})",
        "group": f"{person.group_name} ({person.gid})",
        "chroot": spec.chroot or "none",
        "limit-nofile": str(spec.rlimits["NOFILE"][0]),
        "listen": ", ".join(spec.listen),
        "shutdown-timeout": f"{spec.shutdown_timeout_s:g}",
        "socket-timeout": f"{spec.serving.socket_timeout_s:g}",
        "trusted-proxies": ", ".join(spec.serving.trusted_proxies) or "none",
        "limit-request-line": str(spec.serving.limit_request_line),
        "limit-request-field-size": str(spec.serving.limit_request_field_size),
        "limit-request-fields": str(spec.serving.limit_request_fields),
        "python": spawner.version,
        "interpreter": spawner.executable,
        "spawner": spawner.whose,
        "sites": str(sites),
        **_authority_texts(configuration),
        **site_texts(configuration, host),
    }


def _authority_texts(configuration: Configuration) -> dict[str, str]:
    """What orders of certificates go by, where there are any."""
    if not any(has_acme(site) for site in served_sites(configuration).values()):
        return {}
    gateway = configuration.gateway
    return {
        "acme-directory": gateway.acme_directory,
        "acme-challenge": gateway.acme_challenge,
        "acme-contact": gateway.acme_contact or "none",
        "acme-ca-file": gateway.acme_ca_file or "those of the web",
    }


def described_gateway(configuration: Configuration, log_dir: Path) -> GroupTarget:
    """What can be told of the gateway without looking at the host; no process can be started with it."""
    from wsgigroups.plan.desired import SpawnerTarget

    user, group = gateway_person(configuration)
    listen = addresses(served_sites(configuration))
    return GroupTarget(
        name=GATEWAY,
        processes=configuration.gateway.processes,
        fingerprint="",
        options={},
        spec=Spec(GATEWAY, 0, 0, "", "", (), Serving(threads=1), {}, listen, gateway=True),
        listeners=(),
        spawner=SpawnerTarget("", ""),
        log_path=str(log_dir / f"{GATEWAY}.log"),
        user=user,
        group=group,
    )


def refuse_foreign_owner(name: str, owner: int, gateway: int) -> None:
    """Raise WsgigroupsError where the socket of a group would be one that the gateway cannot connect to."""
    if owner != gateway:
        raise WsgigroupsError(
            f"cannot mount group {name!r}: its socket-user is uid {owner}, and the gateway runs as uid {gateway}",
            hint="leave socket-user out, or give the group a listen address of its own for that user",
        )
