"""What runs while no manager does: as the stored state and the spawners tell. Changes nothing, takes nothing over.

Runs in a command, for `plan`.
"""

from __future__ import annotations

import contextlib
import os
import socket
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.store import Store, Stored
from wsgigroups.manager.supervision.connected_spawners import Inventory
from wsgigroups.manager.supervision.recovery import is_in_force
from wsgigroups.manager.supervision.remembering import group_from_json
from wsgigroups.manager.supervision.spawners import uid_of_socket
from wsgigroups.manager.supervision.unknown import unknown_groups
from wsgigroups.plan.code import code_of
from wsgigroups.plan.observed import Observed, ObservedGroup, ObservedProcess
from wsgigroups.runtime.wire import frames, messages
from wsgigroups.trust.peers import peer_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from wsgigroups.manager.core.model import GroupState

ANSWER_TIMEOUT_S = 3.0


@dataclass(frozen=True, slots=True)
class _Teller:
    """A spawner that lives; empty words where it does not tell. told: whether it has named all that it keeps."""

    key: str
    executable: str = ""
    python: str = ""
    told: bool = False


def left_running(sockets: Sequence[Path], run_dir: Path, state_dir: Path) -> tuple[Observed, list[str]]:
    """Return what is there of groups, and what is to be said of it. sockets: of spawners that may live."""
    found = list(_look(sockets))
    if not found:
        return {}, []
    notices: list[str] = []
    try:
        stored = Store(state_dir).load()
    except WsgigroupsError as error:
        stored = Stored()
        notices.append(error.message)
    groups = {}
    for name, item in stored.groups.items():
        if is_in_force(item, run_dir):
            with contextlib.suppress(KeyError, TypeError, ValueError, AttributeError):  # then it is unknown
                groups[name] = group_from_json(item)
    groups.update(unknown_groups(found, groups))
    members = _members(found)
    running = sum(len(there) for there in members.values())
    all_told = all(teller.told for teller, _inventory in found)
    notices.append(
        f"no manager runs, {_what(running, all_told=all_told)}; `wsgigroups apply` starts one, which adopts what runs"
    )
    return {name: _observed(group, tuple(members.get(name, ()))) for name, group in groups.items()}, notices


def _what(running: int, *, all_told: bool) -> str:
    """What goes on, in a clause."""
    known = f"{running} {'process serves' if running == 1 else 'processes serve'} on"
    if all_told:
        return known
    untold = "what a spawner of another version has"
    return f"{known}, and {untold}" if running else f"{untold} serves on"


def _observed(group: GroupState, members: tuple[ObservedProcess, ...]) -> ObservedGroup:
    override = group.processes_override
    return ObservedGroup(
        options=group.target.options,
        fingerprint=group.target.fingerprint,
        processes=group.wanted_if_started,
        scaled=override is not None,
        stopped=group.stopped,
        members=members,
        wanted=group.wanted,
        ready=sum(member.fingerprint == group.target.fingerprint for member in members),
        trouble="not running",
        unknown=group.unknown,
        listen=tuple(listener.address for listener in group.target.listeners) if group.unknown else (),
        code=group.target.code,
        follows_load=group.target.scaling is not None and override is None,
    )


def _members(found: list[tuple[_Teller, Inventory]]) -> dict[str, list[ObservedProcess]]:
    members: dict[str, list[ObservedProcess]] = {}
    for _spawner, inventory in found:
        for kept, _fds in inventory.kept:
            if kept.kind == "process":
                info = kept.info
                slot, fingerprint = int(info["slot"]), str(info["fingerprint"])
                process = ObservedProcess(slot, int(kept.key), fingerprint, ready=True, code=code_of(info))
                members.setdefault(str(info["group"]), []).append(process)
    return members


def _look(paths: Sequence[Path]) -> Iterator[tuple[_Teller, Inventory]]:
    """Ask every spawner; those that are users' have nothing to tell that the keeper does not."""
    for path in paths:
        if uid_of_socket(path) is not None:
            continue
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(ANSWER_TIMEOUT_S)
            try:
                sock.connect(str(path))
                if peer_of(sock).uid not in (0, os.geteuid()):
                    continue
            except OSError:
                continue  # nobody is there
            yield _ask(path.stem, sock)


def _ask(key: str, sock: socket.socket) -> tuple[_Teller, Inventory]:
    teller, inventory = _Teller(key), Inventory()
    receiver = frames.Receiver()
    try:
        frames.send(sock, messages.Look().to_frame())
        while True:
            data, fds = frames.receive_some(sock)
            if not data:
                return teller, inventory
            for body, _fds in receiver.feed(data, fds):
                match messages.decode(body):
                    case messages.Hello() as hello:
                        teller = _Teller(hello.key or key, hello.executable, hello.python)
                    case messages.Kept() as kept:
                        inventory.kept.append((kept, []))
                    case messages.InventoryEnded():
                        return replace(teller, told=True), inventory
    except (OSError, frames.FrameError, messages.MessageError):
        return teller, inventory  # one of an earlier version does not know the question
    finally:
        receiver.close()
