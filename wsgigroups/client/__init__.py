"""Synchronous client of the control API; what commands and tests use. Standard library only, so that it starts fast."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from typing import TYPE_CHECKING, Any

from wsgigroups.errors import ExitCode, WsgigroupsError

if TYPE_CHECKING:
    from pathlib import Path

SOCKET_NAME = "control.sock"


class _UnixConnection(http.client.HTTPConnection):
    """HTTP over a UNIX socket."""

    def __init__(self, path: str, timeout_s: float) -> None:
        super().__init__("localhost", timeout=timeout_s)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class Client:
    """Calls to the manager of one run directory. Each raises WsgigroupsError with the manager's sentence."""

    def __init__(self, run_dir: Path, timeout_s: float = 90.0) -> None:
        self.path = run_dir / SOCKET_NAME
        self._timeout_s = timeout_s

    def running(self) -> bool:
        """Whether a manager answers. Raises WsgigroupsError when this user may not ask."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(5.0)
            try:
                probe.connect(str(self.path))
            except PermissionError:
                raise self._not_permitted() from None
            except OSError:
                return False
        return True

    def get(self, path: str) -> dict[str, Any]:
        """GET a route."""
        return self._call("GET", path, None)

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """POST to a route."""
        return self._call("POST", path, body)

    def status(self) -> dict[str, Any]:
        """The status document."""
        return self.get("/v1/status")

    def wait(self, change: int, seen: str = "", wait_s: float = 30.0) -> dict[str, Any]:
        """The change, as soon as it differs from what was seen or is finished, at the latest after wait_s."""
        from urllib.parse import quote

        return self.get(f"/v1/changes/{change}?wait_s={wait_s:.3f}&seen={quote(seen)}")

    def _call(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        connection = _UnixConnection(str(self.path), self._timeout_s)
        with contextlib.closing(connection):
            try:
                data = None if body is None else json.dumps(body)
                connection.request(method, path, data, {"Content-Type": "application/json"} if data else {})
                response = connection.getresponse()
                answer = json.loads(response.read())
            except PermissionError:
                raise self._not_permitted() from None
            except TimeoutError:
                raise WsgigroupsError(
                    f"cannot hear from the manager on {self.path} within {self._timeout_s:g} s",
                    exit_code=ExitCode.TIMED_OUT,
                ) from None
            except (OSError, http.client.HTTPException, ValueError) as error:
                raise WsgigroupsError(
                    f"cannot reach a manager on {self.path}: {error}",
                    hint="`wsgigroups apply FILE` starts one; --run-dir names another",
                    exit_code=ExitCode.NO_MANAGER,
                ) from None
        if response.status != http.client.OK:
            raise WsgigroupsError(
                str(answer.get("error", response.reason)),
                hint=answer.get("hint"),
                exit_code=ExitCode(answer.get("exit_code", ExitCode.FAILED)),
            )
        result: dict[str, Any] = answer
        return result

    def _not_permitted(self) -> WsgigroupsError:
        return WsgigroupsError(
            f"cannot use {self.path}: permission denied",
            hint="run the command as the user who started the manager, or as root",
            exit_code=ExitCode.NOT_PERMITTED,
        )
