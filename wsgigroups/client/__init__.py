"""Synchronous client of the control API; what commands and tests use. Standard library only, so that it starts fast.

Before a byte is sent it is certain who serves the socket: a configuration holds secrets, and what a manager answers is
believed.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from wsgigroups.client.versions import OtherVersionError, PartialAnswer, is_unknown_call
from wsgigroups.errors import BusyError, ExitCode, MovedError, WsgigroupsError
from wsgigroups.runtime.wire.rights import take_rights
from wsgigroups.trust.peers import peer_of
from wsgigroups.trust.stopped import is_stopped
from wsgigroups.trust.walking import UntrustedPathError, follow, trusted_here

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from wsgigroups.client.answers import (
        AddressesAnswer,
        BegunAnswer,
        ChangeAnswer,
        ConfigurationAnswer,
        DeathsAnswer,
        DifferenceAnswer,
        EventsAnswer,
        GroupDetailsAnswer,
        HistoryAnswer,
        LogAnswer,
        PlanAnswer,
        StatusAnswer,
        UpgradeAnswer,
    )

SOCKET_NAME = "control.sock"
CONNECT_TIMEOUT_S = 5.0
READ_TIMEOUT_S = 20.0  # for what is only looked at; what changes something may take its time
AGAIN_S = 0.1


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: Path, timeout_s: float, *, reads_only: bool) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path
        self._reads_only = reads_only

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        connect(self.sock, self._path, reads_only=self._reads_only)


def connect(sock: socket.socket, path: Path, *, reads_only: bool) -> None:
    """Connect to a manager that is root's or our own; one that is only read from may be its directory's owner's.

    Raises WsgigroupsError (5) when somebody else could stand in for it, and OSError.
    """
    trusted = trusted_here()
    directory = os.path.dirname(os.path.abspath(path))
    try:
        if reads_only:
            trusted = replace(trusted, uids=trusted.uids | {os.stat(directory).st_uid})
        with follow(directory, trusted):
            pass  # nobody else can put a socket there
    except UntrustedPathError as error:
        raise _impostor(path, str(error.doubt)) from None
    take_rights(sock, take=False)  # of a manager that may be another user's
    timeout_s = sock.gettimeout()
    sock.settimeout(CONNECT_TIMEOUT_S)  # its queue may be full
    sock.connect(str(path))
    sock.settimeout(timeout_s)
    peer = peer_of(sock)
    if peer.uid not in trusted.uids:
        raise _impostor(path, f"uid {peer.uid} serves it")
    if is_stopped(peer.pid):
        raise WsgigroupsError(
            f"cannot reach a manager on {path}: pid {peer.pid} is stopped and answers nobody",
            hint=f"its groups serve on; `kill -CONT {peer.pid}` lets it go on",
            exit_code=ExitCode.NO_MANAGER,
        )


def _impostor(path: Path, why: str) -> WsgigroupsError:
    return WsgigroupsError(
        f"cannot trust the manager on {path}: {why}",
        hint="nothing was sent; run the command as the user whose manager it is, or name another --run-dir",
        exit_code=ExitCode.NOT_PERMITTED,
    )


# what operators of a group may call, whose manager may be another user's: nothing but names of groups is sent
_WITHOUT_SECRETS = frozenset({"/v1/start", "/v1/restart", "/v1/reload"})
_NO_SUCH_CALL = (http.client.NOT_FOUND, http.client.METHOD_NOT_ALLOWED)
_ACCEPTS = b"00010000"  # __SO_ACCEPTCON in the flags of /proc/net/unix
_UNKNOWN_KEY = "(WG0201)"
_ABSENT = (FileNotFoundError, NotADirectoryError, ConnectionRefusedError)  # no socket, or nobody who listens on it
_OF_ROOT = "/run/wsgigroups"  # where root's manager is unless it was told otherwise


def no_manager(path: Path) -> WsgigroupsError:
    """What is to be said when nobody serves the control socket at this path: for whom, where, and the way out."""
    hint = "`wsgigroups apply` starts one; --run-dir names the directory of another"
    if _left_alone(path.parent):
        hint = "what its manager had started is still there; `wsgigroups apply` starts one, which adopts that"
    elif str(path.parent) != _OF_ROOT and os.path.lexists(os.path.join(_OF_ROOT, SOCKET_NAME)):
        hint = f"root's manager may run: sudo wsgigroups, or --run-dir {_OF_ROOT}; `wsgigroups apply` starts your own"
    return WsgigroupsError(
        f"no manager is running for {_who()} (looked in {path.parent})", hint=hint, exit_code=ExitCode.NO_MANAGER
    )


def _left_alone(run_dir: Path) -> bool:
    """Whether somebody listens on a spawner's socket there (/proc/net/unix, proc(5))."""
    begins = f"{os.path.abspath(run_dir)}/spawners/".encode(errors="surrogateescape")
    try:
        with open("/proc/net/unix", "rb") as file:
            columns = [line.rstrip(b"\n").split(None, 7) for line in file]
    except OSError:
        return False
    return any(len(line) == 8 and line[3] == _ACCEPTS and line[7].startswith(begins) for line in columns)


def _who() -> str:
    import pwd

    try:
        return f"user {pwd.getpwuid(os.geteuid()).pw_name}"
    except KeyError:
        return f"uid {os.geteuid()}"


class Client:
    """Calls to the manager of one run directory. Each raises WsgigroupsError with the manager's sentence."""

    def __init__(self, run_dir: Path, timeout_s: float = 90.0) -> None:
        self.path = run_dir / SOCKET_NAME
        self._timeout_s = timeout_s

    def running(self) -> bool:
        """Whether a manager answers. Raises WsgigroupsError when this user may not ask."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                connect(probe, self.path, reads_only=True)
            except PermissionError:
                raise self._not_permitted() from None
            except TimeoutError:
                raise self._silent(CONNECT_TIMEOUT_S) from None
            except OSError:
                return False
        return True

    def get(self, path: str, wait_s: float = 0.0) -> dict[str, Any]:
        """GET any route, as plain data; wait_s: how long the manager may wait before it answers."""
        answer: dict[str, Any] = self._call("GET", path, None, wait_s + READ_TIMEOUT_S if wait_s else None)
        return answer

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST to any route, likewise."""
        answer: dict[str, Any] = self._call("POST", path, body)
        return answer

    def status(self, timeout_s: float | None = None) -> StatusAnswer:
        """Groups and processes."""
        answer: StatusAnswer = self._call("GET", "/v1/status", None, timeout_s)
        return answer

    def addresses(self) -> AddressesAnswer:
        """What groups and the gateway listen on."""
        answer: AddressesAnswer = self._call("GET", "/v1/addresses", None)
        return answer

    def group(self, name: str) -> GroupDetailsAnswer:
        """One group: how it is set, and what its threads do now."""
        from urllib.parse import quote

        answer: GroupDetailsAnswer = self._call("GET", f"/v1/groups/{quote(name, safe='')}", None)
        return answer

    def configuration(self) -> ConfigurationAnswer:
        """The configuration that runs, secrets included."""
        answer: ConfigurationAnswer = self._call("GET", "/v1/configuration", None)
        return answer

    def log(self, name: str, after: str = "") -> LogAnswer:
        """The end of a group's log; after: as the last answer has it, for what was added since."""
        from urllib.parse import quote

        answer: LogAnswer = self._call("GET", f"/v1/groups/{quote(name, safe='')}/log?after={quote(after)}", None)
        return answer

    def difference(self, revision: int) -> DifferenceAnswer:
        """What a revision has that the one before it had not."""
        answer: DifferenceAnswer = self._call("GET", f"/v1/history/{revision}", None)
        return answer

    def history(self) -> HistoryAnswer:
        """Accepted revisions, newest first."""
        answer: HistoryAnswer = self._call("GET", "/v1/history", None)
        return answer

    def events(self, query: str = "", wait_s: float = 0.0) -> EventsAnswer:
        """What happened, oldest first; wait_s: how long the manager may wait before it answers, as the query has it."""
        timeout_s = wait_s + READ_TIMEOUT_S if wait_s else None
        answer: EventsAnswer = self._call("GET", f"/v1/events{query}", None, timeout_s)
        return answer

    def deaths(self, query: str = "") -> DeathsAnswer:
        """How processes ended, oldest first."""
        answer: DeathsAnswer = self._call("GET", f"/v1/deaths{query}", None)
        return answer

    def wait(self, change: int, seen: str = "", wait_s: float = 30.0) -> ChangeAnswer:
        """The change, as soon as it differs from what was seen or is finished, at the latest after wait_s."""
        from urllib.parse import quote

        path = f"/v1/changes/{change}?wait_s={wait_s:.3f}&seen={quote(seen)}"
        answer: ChangeAnswer = self._call("GET", path, None, wait_s + READ_TIMEOUT_S)
        return answer

    def plan(self, configuration: dict[str, Any], only: Sequence[str] | None = None) -> PlanAnswer:
        """What applying a configuration would change. only: absolute paths, where it is what these files say."""
        about = {} if only is None else {"only": list(only)}
        answer: PlanAnswer = self._call("POST", "/v1/plan", {"configuration": configuration, **about})
        return answer

    def upgrade(self, *, rehearse_only: bool) -> UpgradeAnswer:
        """Hand over to the version that is installed, or have it show that it could."""
        answer: UpgradeAnswer = self._call("POST", "/v1/upgrade", {"rehearse_only": rehearse_only})
        return answer

    def act(self, action: str, body: dict[str, Any]) -> BegunAnswer:
        """Begin a change: apply, start, stop, restart, reload, scale, rollback, reopen, shutdown."""
        answer: BegunAnswer = self._call("POST", f"/v1/{action}", body)
        return answer

    def _call(
        self, method: str, path: str, body: dict[str, Any] | None, timeout_s: float | None = None, attempts: int = 3
    ) -> Any:
        """attempts: of what a manager did not act on: it was not sent whole, or is a question that was dropped."""
        if timeout_s is None:
            timeout_s = self._timeout_s if body is not None else min(self._timeout_s, READ_TIMEOUT_S)
        connection = _UnixConnection(self.path, timeout_s, reads_only=method == "GET" or path in _WITHOUT_SECRETS)
        with contextlib.closing(connection):
            sent = False
            try:
                data = None if body is None else json.dumps(body)
                connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
                sent = True
                response = connection.getresponse()
                content = response.read()
                if response.status in _NO_SUCH_CALL and is_unknown_call(method, content):
                    raise OtherVersionError(f"cannot ask the manager on {self.path}, which does not know {path}")
                answer = json.loads(content, object_hook=PartialAnswer)
            except PermissionError:
                raise self._not_permitted() from None
            except TimeoutError:
                raise self._silent(timeout_s) from None
            except (BrokenPipeError, ConnectionResetError) as error:  # http.client.RemoteDisconnected is one
                if (sent and method != "GET") or attempts <= 1:
                    raise self._unreachable(error) from None
                time.sleep(AGAIN_S)
                return self._call(method, path, body, timeout_s, attempts - 1)
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise self._unreachable(error) from None
        if answer.get("holder") and response.status != http.client.OK:
            raise BusyError(str(answer["error"]), answer["holder"], hint=answer.get("hint"))
        if answer.get("moved") and response.status != http.client.OK:
            raise MovedError(tuple(answer["moved"]))
        if response.status != http.client.OK:
            if _UNKNOWN_KEY in str(answer.get("error")) and body is not None and "configuration" in body:
                # it was read by this version before it was sent
                raise OtherVersionError(f"cannot be understood by the manager on {self.path}: {answer['error']}")
            raise WsgigroupsError(
                str(answer.get("error", response.reason)),
                hint=answer.get("hint"),
                exit_code=ExitCode(answer.get("exit_code", ExitCode.FAILED)),
            )
        return answer

    def _unreachable(self, error: Exception) -> WsgigroupsError:
        return no_manager(self.path) if isinstance(error, _ABSENT) else self._no_answer(error)

    def _no_answer(self, error: Exception) -> WsgigroupsError:
        return WsgigroupsError(
            f"cannot reach a manager on {self.path}: {error}",
            hint="`wsgigroups apply` starts one; --run-dir names another",
            exit_code=ExitCode.NO_MANAGER,
        )

    def _silent(self, timeout_s: float) -> WsgigroupsError:
        return WsgigroupsError(
            f"cannot hear from the manager on {self.path} within {timeout_s:g} s",
            hint="its groups serve on; its log may say what keeps it busy",
            exit_code=ExitCode.TIMED_OUT,
        )

    def _not_permitted(self) -> WsgigroupsError:
        return WsgigroupsError(
            f"cannot use {self.path}: permission denied",
            hint="run the command as the user who started the manager, or as root",
            exit_code=ExitCode.NOT_PERMITTED,
        )
