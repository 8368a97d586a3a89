"""What commands that write files share: a file that overwrites nothing, or takes the old one's place; a free port.

Runs in the user's process. Root writes nothing where another user could change the way to it: what is a directory one
moment would be a link the next.
"""

from __future__ import annotations

import contextlib
import os
import socket
import tempfile
from typing import TYPE_CHECKING

import click

from wsgigroups.errors import WsgigroupsError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FIRST_PORT = 8000


def refuse_others_way(target: Path) -> None:
    """Raise WsgigroupsError where root would write to what another user could change."""
    from wsgigroups.config.reading import untrusted

    doubt = untrusted(target)
    if doubt is not None:
        raise WsgigroupsError(
            f"cannot write {target} as root: another user could change {doubt}",
            hint="run the command as that user, or write it elsewhere",
        )


def write_new(target: Path, text: str, *, force: bool, mode: int = 0o644) -> None:
    """Write a new file, or replace the old one at once. Raises WsgigroupsError."""
    try:
        if force:
            replace_at_once(target, text.encode("utf-8"), mode)
            return
        refuse_others_way(target)
        fd = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise WsgigroupsError(f"cannot write {target}: it is there already", hint="--force overwrites it") from None
    except OSError as error:
        raise WsgigroupsError(f"cannot write {target}: {(error.strerror or str(error)).lower()}") from None


def replace_at_once(target: Path, data: bytes, mode: int) -> None:
    """Put a file in the place of another one, or of none. Raises WsgigroupsError, OSError.

    It is made under a name that nobody can have made before, so nobody else has it open.
    """
    refuse_others_way(target)
    fd, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}-")
    try:
        with os.fdopen(fd, "wb") as file:
            file.write(data)
            os.fchmod(fd, mode)  # by descriptor: whoever owns the directory could exchange the name
        os.replace(name, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise


def addresses(listen: Sequence[str]) -> list[str]:
    """Return what was asked for; a port alone is one of 127.0.0.1. Raises click.UsageError."""
    from wsgigroups.config.addresses import parse

    try:
        return [str(parse(f"127.0.0.1:{text.removeprefix(':')}" if _is_port(text) else text)) for text in listen]
    except ValueError as error:
        raise click.UsageError(f"--listen: {error}.") from None


def _is_port(text: str) -> bool:
    return text.removeprefix(":").isdecimal()


def free_port() -> int:
    """The first port from 8000 on that nobody listens on, so that the file applies as it is."""
    return next((port for port in range(FIRST_PORT, FIRST_PORT + 100) if is_free(port)), FIRST_PORT)


def is_free(port: int) -> bool:
    """Whether somebody who begins to listen on this loopback port now would get it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
