"""The directory that a gateway's paths begin in: the groups' sockets and the certificates, and nothing else.

Made by the manager, whose user's it is, before anything of an apply is done; `prepare` may run in another thread. A
certificate is named by what it holds, so that those of before are there until nobody goes by them.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.gateway.engines.supervised import supervised_conf
from wsgigroups.manager.supervision.log_streams import STREAMS
from wsgigroups.plan.routing import CERTIFICATE_DIRECTORY, LINK_DIRECTORY
from wsgigroups.targets.gateway import root_of
from wsgigroups.targets.nginx import DIRECTORY as NGINX_DIRECTORY
from wsgigroups.targets.nginx import nginx_directory
from wsgigroups.trust.certificates import PairError, read_pair
from wsgigroups.trust.helpers import Account
from wsgigroups.trust.public_directories import open_public_directory
from wsgigroups.trust.walking import judging_root, make_directories, open_to_append, private_directory

if TYPE_CHECKING:
    from collections.abc import Iterable

    from wsgigroups.manager.core.model import State
    from wsgigroups.plan.desired import Desired, GroupTarget
    from wsgigroups.plan.routing import CertificateTarget, NginxTarget, RoutingTarget

_ENDINGS = (".crt", ".key")
_KEY_MODE, _CHAIN_MODE = 0o640, 0o644


def prepare(targets: Desired, run_dir: str) -> None:
    """Make what the gateway of these targets needs, and see that all it is to be given can be opened.

    Raises WsgigroupsError; nothing that is in use was touched then.
    """
    root = str(root_of(Path(run_dir)))
    links = f"unix:{root}/{LINK_DIRECTORY}/"
    routed = [target for target in targets.values() if target.routing is not None]
    if routed or any(item.address.startswith(links) for target in targets.values() for item in target.listeners):
        make_root(root)
    for target in routed:
        assert target.routing is not None
        _write_certificates(target, target.routing)
        if target.routing.nginx is not None:
            _try_configuration(target, target.routing, target.routing.nginx)
            _make_nginx_directory(target, root)
        _try_files(target.routing)


def make_root(root: str) -> None:
    """Make the directories. Raises WsgigroupsError."""
    try:
        for path in (root, os.path.join(root, LINK_DIRECTORY), os.path.join(root, CERTIFICATE_DIRECTORY)):
            private_directory(path, 0o755)
    except OSError as error:
        raise WsgigroupsError(f"cannot make the root of the gateway, {root}: {error.strerror}") from None


def _try_configuration(target: GroupTarget, routing: RoutingTarget, nginx: NginxTarget) -> None:
    """See that nginx can be told all of it. Raises WsgigroupsError."""
    supervised_conf(routing, nginx, routing.text, routing.number, target.spec.listen)


def _make_nginx_directory(target: GroupTarget, root: str) -> None:
    """Make the directory of those who keep nginx, which is their user's alone. Raises WsgigroupsError."""
    identity, account = target.spec.identity, account_of(target)
    path = nginx_directory(root, account.uid)
    try:
        private_directory(os.path.dirname(path), 0o755)
        with contextlib.suppress(FileExistsError):
            os.mkdir(path, 0o700)
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if identity is not None:
                os.fchown(fd, identity.uid, identity.gid)
            os.fchmod(fd, 0o700)
        finally:
            os.close(fd)
    except OSError as error:
        raise WsgigroupsError(f"cannot make {path}: {error.strerror}") from None


def _close_to_others(path: str, gid: int | None) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        os.fchown(fd, -1, -1 if gid is None else gid)
        os.fchmod(fd, 0o700 if gid is None else 0o750)
    finally:
        os.close(fd)


def _write_certificates(target: GroupTarget, routing: RoutingTarget) -> None:
    directory = os.path.join(routing.root, CERTIFICATE_DIRECTORY)
    try:
        _close_to_others(directory, routing.gid)
        present = set(os.listdir(directory))
    except OSError as error:
        raise WsgigroupsError(f"cannot use {directory}: {error.strerror}") from None
    for item in routing.certificates:
        if not {item.name + ending for ending in _ENDINGS} <= present:
            write_pair(directory, item, target)


def account_of(target: GroupTarget) -> Account:
    """Return who the gateway's processes are."""
    identity = target.spec.identity
    return Account(identity.uid, identity.gid, identity.groups) if identity else Account(os.geteuid(), os.getegid())


def write_pair(directory: str, item: CertificateTarget, target: GroupTarget) -> None:
    """Read a certificate with its key, and write both for a gateway. Raises WsgigroupsError."""
    gid = target.routing.gid if target.routing else None
    try:
        pair = read_pair(item.certificate, item.key, account_of(target))
        if pair.name != item.name:
            raise WsgigroupsError(f"cannot use {item.certificate}: it was changed in this moment", hint="try it again")
        for content, ending, mode in ((pair.chain, ".crt", _CHAIN_MODE), (pair.key, ".key", _KEY_MODE)):
            _write(os.path.join(directory, item.name + ending), content, mode if gid is not None else 0o600, gid)
    except PairError as error:
        raise WsgigroupsError(f"cannot use a certificate: {error}") from None
    except OSError as error:
        raise WsgigroupsError(f"cannot write certificates to {directory}: {error.strerror}") from None


def write_proof(routing: RoutingTarget, name: str, chain: bytes, key: bytes) -> None:
    """Write what a certificate authority will look for. Raises OSError."""
    beginning = os.path.join(routing.root, CERTIFICATE_DIRECTORY, name)
    for content, ending, mode in ((chain, ".crt", _CHAIN_MODE), (key, ".key", _KEY_MODE)):
        _write(beginning + ending, content, mode if routing.gid is not None else 0o600, routing.gid)


def remove_proofs(routing: RoutingTarget, names: Iterable[str]) -> None:
    """Remove what was written for an authority. Raises nothing."""
    for name in names:
        for ending in _ENDINGS:
            with contextlib.suppress(OSError):
                os.unlink(os.path.join(routing.root, CERTIFICATE_DIRECTORY, name + ending))


def _write(path: str, content: bytes, mode: int, gid: int | None) -> None:
    """Write a file wholly or not at all, readable for its group before it has a name. Raises OSError."""
    temporary = f"{path}.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(temporary)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with os.fdopen(fd, "wb") as file:
        file.write(content)
        file.flush()
        os.fchown(file.fileno(), -1, -1 if gid is None else gid)
        os.fchmod(file.fileno(), mode)
    os.replace(temporary, path)


def _try_files(routing: RoutingTarget) -> None:
    for directory in routing.directories:
        try:
            os.close(open_public_directory(directory.path, root=os.geteuid() == 0))
        except OSError as error:
            raise WsgigroupsError(f"cannot serve the directory {directory.path}: {error.strerror}") from None
    for path in routing.access_logs:
        if path in STREAMS:
            continue
        try:
            os.close(make_directories(os.path.dirname(path), judging_root()))
            os.close(open_to_append(path, judging_root()))
        except OSError as error:
            raise WsgigroupsError(
                f"cannot open the access log {path}: {error.strerror}", hint="set another access-log"
            ) from None


def clean(run_dir: Path, state: State, others: Iterable[str] = ()) -> None:
    """Remove certificates that nobody goes by, or may return to; others: names of some that stay. Raises nothing."""
    used = {item.name for routing in _routings(state) for item in routing.certificates}.union(others)
    directory = root_of(run_dir) / CERTIFICATE_DIRECTORY
    with contextlib.suppress(OSError):
        for name in os.listdir(directory):
            if name.removesuffix(".new").rpartition(".")[0] not in used:
                (directory / name).unlink()


def remove(run_dir: Path) -> None:
    """Remove all that was made here, keys before all; what others have made there stays. Raises nothing."""
    root = root_of(run_dir)
    with contextlib.suppress(OSError):
        for directory in (root / NGINX_DIRECTORY).iterdir():  # each user's is empty: keepers remove what they made
            directory.rmdir()
        (root / NGINX_DIRECTORY).rmdir()
    for name in (CERTIFICATE_DIRECTORY, LINK_DIRECTORY):
        with contextlib.suppress(OSError):
            for file in os.listdir(root / name) if name == CERTIFICATE_DIRECTORY else ():
                (root / name / file).unlink()
            (root / name).rmdir()
    with contextlib.suppress(OSError):
        root.rmdir()


def _routings(state: State) -> Iterable[RoutingTarget]:
    targets = [group.target for group in state.groups.values()]
    targets += [group.proved.target for group in state.groups.values() if group.proved]
    if state.transaction:
        targets += [was.target for was in state.transaction.former.values() if was.target]
        targets += state.transaction.later.values()
    return [target.routing for target in targets if target.routing is not None]
