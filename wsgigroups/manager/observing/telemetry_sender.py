"""Sends what boards say to mod_wsgi's telemetry service, once a second, if a group's configuration has one.

Runs in the manager's only thread. Nothing waits: a datagram for which there is no room, or nobody, is lost, which the
service sees by the numbers. Paths of requests are among what is sent, so a socket is believed only if it is root's or
the manager's own, or is in a directory where only root and the manager's user can make one.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import stat
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import wsgigroups
from wsgigroups.lifecycle.table import Tenancy
from wsgigroups.metrics import telemetry
from wsgigroups.runtime.wire.in_flight import in_flight

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from wsgigroups.lifecycle.step import Record
    from wsgigroups.manager.core.model import GroupState
    from wsgigroups.manager.supervision.processes import Process
    from wsgigroups.manager.supervision.shell import Shell

OPTION = "telemetry-service"
PERIOD_S = 1.0
AT_A_TIME = 20  # processes; then others have their turn
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
_TROUBLE_AGAIN_S = 60.0


@dataclass(slots=True)
class _Followed:
    """One life that is reported on."""

    whose: telemetry.Whose
    look: telemetry.Observation
    began_s: float  # monotonic
    number: int = 0
    most_rss_bytes: int = 0
    leaves: str = ""  # why, once it was told that it does
    slow: dict[tuple[int, int], dict[str, telemetry.Value]] = field(default_factory=dict)


class TelemetrySocket:
    """One service: a socket that takes datagrams, or none, at a path."""

    def __init__(self, address: str, log: Callable[[str, str], None]) -> None:
        """address: as in the configuration, unix:/path."""
        self.address = address
        self._log = log
        self._sock: socket.socket | None = None
        self._said_until = 0.0

    def send(self, data: bytes) -> bool:
        """Send it, if anybody is there and has room. Raises nothing; whether it went."""
        for _attempt in range(2):  # a service that began anew has another socket at the same path
            try:
                if self._sock is None:
                    self._sock = _connected(self.address.removeprefix("unix:"))
                self._sock.send(data)
            except BlockingIOError:
                return False
            except (ConnectionError, FileNotFoundError):
                self.close()
            except OSError as error:
                self.close()
                self._say(error)
                return False
            else:
                return True
        return False

    def _say(self, error: OSError) -> None:
        now = time.monotonic()
        if now >= self._said_until:
            self._said_until = now + _TROUBLE_AGAIN_S
            self._log("warning", f"{OPTION} {self.address}: {error.strerror or error}")

    def close(self) -> None:
        """Let go of it."""
        if self._sock is not None:
            self._sock.close()
            self._sock = None


def _connected(path: str) -> socket.socket:
    """Connect to the very file that was looked at. Raises OSError, PermissionError for one that is not believed."""
    fd = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        found, own = os.fstat(fd), (0, os.geteuid())
        if not stat.S_ISSOCK(found.st_mode):
            raise OSError(0, "it is no socket")
        if found.st_uid not in own:
            directory = os.stat(os.path.dirname(path))
            if directory.st_uid not in own or directory.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                raise PermissionError(0, "the socket is another user's, in a directory where others can make one")
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
        try:
            sock.connect(f"/proc/self/fd/{fd}")
        except BaseException:
            sock.close()
            raise
        return sock
    finally:
        os.close(fd)


def _wanted(groups: Mapping[str, GroupState]) -> dict[str, str]:
    """Return the address of the service of each group that has one."""
    return {name: address for name, group in groups.items() if (address := group.target.options.get(OPTION, ""))}


@dataclass(slots=True)
class TelemetrySender:
    """Of one manager."""

    shell: Shell
    log: Callable[[str, str], None]
    _drains: dict[str, TelemetrySocket] = field(default_factory=dict)  # by address
    _followed: dict[int, _Followed] = field(default_factory=dict)  # by life
    _latest: Mapping[str, GroupState] = field(default_factory=dict)  # the groups that were there at the last look
    _wanted: Mapping[str, str] = field(default_factory=dict)  # by group: the address of its service
    _boot_s: float = field(default_factory=lambda: time.time() - time.monotonic())

    async def watch(self) -> None:
        """Send for ever. An error of ours costs one round."""
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await self.round()
            except Exception as error:  # noqa: BLE001 - what nobody may notice that does not ask for it
                self.log("error", f"{OPTION}: {error!r}")
                await asyncio.sleep(_TROUBLE_AGAIN_S)

    async def round(self) -> None:
        """Look at each process of each group that has a service, and send what it did."""
        groups = self.shell.state.groups
        if groups is not self._latest:
            self._latest, self._wanted = groups, _wanted(groups)
        wanted = self._wanted
        if not wanted and not self._followed:
            return
        for address in self._drains.keys() - set(wanted.values()):
            self._drains.pop(address).close()
        lives: set[int] = set()
        for name, address in wanted.items():
            drain = self._drains.setdefault(address, TelemetrySocket(address, self.log))
            group = self.shell.state.groups.get(name)
            for record in group.records if group else ():
                process = self.shell.processes.get(record.life)
                if group and process and process.pid and not process.exited and record.state in _SERVING:
                    lives.add(record.life)
                    self._report(drain, group, record, process)
                    if len(lives) % AT_A_TIME == 0:
                        await asyncio.sleep(0)
        for life in self._followed.keys() - lives:
            self._gone(self._followed.pop(life), self._drains)

    def _report(self, drain: TelemetrySocket, group: GroupState, record: Record, process: Process) -> None:
        followed = self._followed.get(record.life)
        threads = int(process.info["threads"])
        snapshot = process.snapshot()
        if snapshot is None:
            return
        user_s, system_s, rss_bytes = _used(process.pid)
        look = telemetry.Observation(
            time.monotonic_ns(),
            snapshot.values,
            snapshot.busy,
            user_s,
            system_s,
            rss_bytes,
            _asked(process, snapshot.busy),
        )
        if followed is None:
            whose = _whose(group, process, threads)
            followed = self._followed[record.life] = _Followed(whose, look, time.monotonic())
            self._send(drain, followed, telemetry.STARTED, telemetry.identity(whose))
            return
        if record.reason and not followed.leaves:
            followed.leaves = record.reason
            self._send(drain, followed, telemetry.STOPPING, self._stopping(followed, look))
        before, followed.look = followed.look, look
        followed.most_rss_bytes = max(followed.most_rss_bytes, rss_bytes)
        followed.number += 1
        fields = telemetry.sample(followed.whose, before, look, PERIOD_S, followed.most_rss_bytes)
        self._send(drain, followed, telemetry.REQUEST, fields)
        for each in self._slow(followed):
            self._send(drain, followed, telemetry.SLOW_REQUEST, each)

    def _slow(self, followed: _Followed) -> Iterator[Mapping[str, telemetry.Value]]:
        """The records of slow requests, and once more of each that is over."""
        now = telemetry.slow_requests(followed.whose, followed.look, self._boot_s)
        over = [telemetry.ended(each) for key, each in followed.slow.items() if key not in now]
        followed.slow = now
        yield from now.values()
        yield from over

    def _stopping(self, followed: _Followed, look: telemetry.Observation) -> dict[str, telemetry.Value]:
        whose = followed.whose
        return {
            "hostname": whose.hostname,
            "process_group": whose.group,
            "shutdown_reason": followed.leaves.replace("-", "_"),
            "active_requests_at_decision": min(len(look.busy), whose.threads),
        }

    def _gone(self, followed: _Followed, drains: Mapping[str, TelemetrySocket]) -> None:
        whose, look = followed.whose, followed.look
        fields: dict[str, telemetry.Value] = {
            "hostname": whose.hostname,
            "process_group": whose.group,
            "shutdown_reason": (followed.leaves or "died").replace("-", "_"),
            "process_uptime": time.monotonic() - followed.began_s,
            "lifetime_request_count": look.words.get("requests_total", 0),
            "active_requests_at_exit": min(len(look.busy), whose.threads),
            "graceful_drain": int(bool(followed.leaves) and not look.busy),
        }
        group = self.shell.state.groups.get(whose.group)
        drain = drains.get(group.target.options.get(OPTION, "")) if group else next(iter(drains.values()), None)
        if drain:
            self._send(drain, followed, telemetry.STOPPED, fields)

    @staticmethod
    def _send(drain: TelemetrySocket, followed: _Followed, kind: int, fields: Mapping[str, telemetry.Value]) -> None:
        drain.send(telemetry.datagram(kind, followed.whose.pid, followed.number, time.time(), fields))

    def close(self) -> None:
        """Let go of all sockets."""
        for drain in self._drains.values():
            drain.close()


_SERVING = (Tenancy.READY, Tenancy.DRAINING, Tenancy.KILLING)


def _whose(group: GroupState, process: Process, threads: int) -> telemetry.Whose:
    spec = group.target.spec
    return telemetry.Whose(
        pid=process.pid,
        group=group.target.name,
        hostname=socket.gethostname(),
        parent_pid=os.getpid(),
        version=wsgigroups.__version__,
        python=group.target.spawner.version,
        threads=threads,
        slow_s=spec.serving.slow_request_s,
        switch_interval_s=spec.switch_interval_s,
    )


def _asked(process: Process, busy: Mapping[int, int]) -> dict[int, str]:
    """What the requests under way have asked, by thread; of the oldest ones."""
    if not busy:
        return {}
    flight = in_flight(process.board_fd, int(process.info["threads"]))
    return {int(each["thread"]): str(each["asked"]) for each in flight["requests"]}


def _used(pid: int) -> tuple[float, float, int]:
    """CPU seconds of a process in user and in system mode, and resident bytes; 0 of one that is gone (proc(5))."""
    with contextlib.suppress(OSError, IndexError, ValueError), open(f"/proc/{pid}/stat", "rb") as file:
        numbers = file.read().rpartition(b")")[2].split()
        return int(numbers[11]) / _TICKS_PER_S, int(numbers[12]) / _TICKS_PER_S, int(numbers[21]) * _PAGE_BYTES
    return 0.0, 0.0, 0
