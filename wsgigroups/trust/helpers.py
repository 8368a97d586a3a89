"""Helper processes that look at what belongs to a tenant, as that tenant: bounded in time and output, with no way back.

Each has a session of its own and so no terminal, no new privileges, an empty bounding set, no input but what it is
given, and is killed with everything in its process group when it is late. Runs in the manager and in commands.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wsgigroups.runtime import kernel
from wsgigroups.trust.judging import ROOT_ALONE
from wsgigroups.trust.regular import NOT_REGULAR, open_regular
from wsgigroups.trust.walking import UntrustedPathError, follow

if TYPE_CHECKING:
    from collections.abc import Sequence

TIMEOUT_S = 10.0
SCAN_TIMEOUT_S = 20.0
_MAXIMUM_SCAN_BYTES = 16 * 1024 * 1024
_LAUNCHER = Path(__file__).with_name("launcher.py")
_TOO_LARGE = "it is larger than {} KiB"
_SAID = {65: NOT_REGULAR, 66: _TOO_LARGE, 67: "user {user} cannot read it"}  # by the launcher's exit codes
_READ_BYTES = 65536


class HelperError(Exception):
    """A helper that gave no answer; the text says why."""


@dataclass(frozen=True, slots=True)
class Account:
    """Who a helper becomes. groups: the exact list for setgroups(2); name: for messages."""

    uid: int
    gid: int
    groups: tuple[int, ...] = ()
    name: str = ""


STRANGER = Account(2**32 - 2, 2**32 - 2, (), "nobody in particular")  # the last number: who owns nothing, in no group


def run_helper(
    account: Account | None,
    program: Sequence[str],
    data: bytes,
    timeout_s: float,
    maximum_bytes: int,
    keep: Sequence[int] = (),
    stop: int = -1,
) -> tuple[int, bytes]:
    """Run a program as an account (None: as we are) with `data` as its standard input; return its status and output.

    keep: descriptors that it has as well, and leaves alone; stop: one that can be read when it is to end. Raises
    HelperError: it did not end in time, it wrote too much, it was stopped.
    """
    return _run(account, ["execute", *program], data, timeout_s, maximum_bytes, keep, stop)


def scan_files(account: Account, question: dict[str, Any]) -> dict[str, Any]:
    """Return what `scanner.answer` says to a tenant who asks. Raises HelperError.

    What comes back is a tenant's word about his own files, in the shape that it should have.
    """
    status, output = _run(account, ["scan"], json.dumps(question).encode(), SCAN_TIMEOUT_S, _MAXIMUM_SCAN_BYTES)
    try:
        answer = json.loads(output)
        answers, seen = answer["answers"], answer["seen"]
        shaped = isinstance(seen, dict) and len(answers) == len(question["orders"])
        shaped = shaped and all(isinstance(item.get("files", {}), dict) for item in answers)
    except (ValueError, TypeError, KeyError, AttributeError):
        shaped = False
    if status or not shaped:
        raise HelperError(f"the helper that looks at it as {account.name} ended with status {status}")
    return {"answers": answers, "seen": seen}


def read_file(path: str, account: Account, maximum_bytes: int) -> bytes:
    """Return the content of a file that a tenant may see, without giving the tenant our eyes.

    As root a path that others can change is read as that account. Raises OSError, its strerror the reason: no regular
    file, too large, not to be read in time.
    """
    if os.geteuid() != 0:
        return _read_here(path, maximum_bytes)
    try:
        with follow(path, ROOT_ALONE) as place:
            if place.missing:
                raise FileNotFoundError(2, os.strerror(2), path)
            if place.entry < 0:
                raise IsADirectoryError(21, NOT_REGULAR, path)
            return _read_here(f"/proc/self/fd/{place.entry}", maximum_bytes)
    except UntrustedPathError:
        return read_as(path, account, maximum_bytes)


def matching_as(pattern: str, account: Account, maximum: int) -> list[str]:
    """Return the paths that a pattern of the shell stands for, sorted, as an account sees them; at most so many.

    Raises HelperError.
    """
    status, output = _run(account, ["match", pattern, str(maximum)], b"", TIMEOUT_S, _MAXIMUM_SCAN_BYTES)
    if status:
        raise HelperError(f"the helper that looks for it ended with status {status}")
    return [str(path) for path in json.loads(output)]


def _read_here(path: str, maximum_bytes: int) -> bytes:
    with os.fdopen(open_regular(path), "rb") as file:
        data = file.read(maximum_bytes + 1)
    if len(data) > maximum_bytes:
        raise OSError(0, _TOO_LARGE.format(maximum_bytes // 1024))
    return data


def read_as(path: str, account: Account, maximum_bytes: int) -> bytes:
    """Return the content of a file as an account sees it, wherever it is. Raises OSError as `read_file`."""
    try:
        status, data = _run(account, ["read", path, str(maximum_bytes)], b"", TIMEOUT_S, maximum_bytes)
    except HelperError as error:
        raise OSError(0, str(error)) from None
    if status:
        said = _SAID.get(status, f"the helper that reads it ended with status {status}")
        raise OSError(0, said.format(maximum_bytes // 1024, user=account.name))
    return data


def _run(
    account: Account | None,
    order: list[str],
    data: bytes,
    timeout_s: float,
    maximum_bytes: int,
    keep: Sequence[int] = (),
    stop: int = -1,
) -> tuple[int, bytes]:
    who = ["-", "-", "-"]
    if account is not None:
        who = [str(account.uid), str(account.gid), ",".join(map(str, account.groups))]
    given = os.memfd_create("wsgigroups-helper", os.MFD_CLOEXEC)
    try:
        with os.fdopen(os.dup(given), "wb") as file:
            file.write(data)
        os.lseek(given, 0, os.SEEK_SET)
        child = subprocess.Popen(
            [sys.executable, "-I", "-S", str(_LAUNCHER), *who, *order],
            stdin=given,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"},
            cwd="/",
            start_new_session=True,
            pass_fds=keep,
        )
    except OSError as error:
        raise HelperError(f"a helper cannot be started: {error.strerror}") from None
    finally:
        os.close(given)
    until = time.monotonic() + timeout_s
    try:
        output = _collect(child, until, maximum_bytes, stop)
        status = child.wait(max(0.0, until - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise HelperError(f"there was no answer within {timeout_s:g} s") from None
    finally:
        _end(child)
    return status, output


def _collect(child: subprocess.Popen[bytes], until: float, maximum_bytes: int, stop: int = -1) -> bytes:
    """Read what it writes to the end, which a process that it left behind could postpone for ever."""
    assert child.stdout is not None
    output = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ)
        if stop >= 0:
            selector.register(stop, selectors.EVENT_READ)
        while True:
            left_s = until - time.monotonic()
            found = selector.select(left_s) if left_s > 0 else []
            if not found:
                raise subprocess.TimeoutExpired(child.args, 0)
            if any(key.fd == stop for key, _events in found):
                raise HelperError("it was stopped")
            chunk = os.read(child.stdout.fileno(), _READ_BYTES)
            if not chunk:
                return bytes(output)
            output += chunk
            if len(output) > maximum_bytes:
                raise HelperError(f"it wrote more than {maximum_bytes // 1024} KiB")


def _end(child: subprocess.Popen[bytes]) -> None:
    if child.stdout is not None:
        child.stdout.close()
    if child.returncode is None:
        pidfd = os.pidfd_open(child.pid)  # not reaped yet, so the number is its own
        try:
            kernel.pidfd_signal_group(pidfd, signal.SIGKILL)
        except OSError:  # before Linux 6.9: by the number, which the child has until the next line
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(child.pid, signal.SIGKILL)
        finally:
            os.close(pidfd)
        child.wait()
