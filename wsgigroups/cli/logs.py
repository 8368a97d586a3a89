"""`wsgigroups logs`: the last lines of groups' logs, and what is added to them."""

from __future__ import annotations

import os
import time
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

import click

from wsgigroups.cli.actions import complete_groups
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.runtime.text import clean

if TYPE_CHECKING:
    from wsgigroups.cli.main import Globals
    from wsgigroups.client.answers import StatusAnswer

POLL_S = 0.2  # how often a followed file is looked at; logs may lie on any file system, so no inotify
_TAIL_BYTES = 1024 * 1024


@click.command("logs")
@click.argument("groups", metavar="[GROUP]…", nargs=-1, shell_complete=complete_groups)
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written.")
@click.option("-n", "--lines", type=click.IntRange(0), default=20, show_default=True, help="Lines to begin with.")
@click.option("--manager", is_flag=True, help="The manager's own log.")
@click.option("--reopen", is_flag=True, help="Have all logs opened again, after logrotate has renamed them; show none.")
@click.pass_obj
def command(options: Globals, groups: tuple[str, ...], follow: bool, lines: int, manager: bool, reopen: bool) -> None:
    """Show or follow the logs of groups; without a name, of all."""
    if reopen:
        from wsgigroups.client import Client

        Client(options.run_dir).act("reopen", {})
        return
    files = [_Followed("manager", str(options.log_dir / "manager.log"))] if manager else _files(options, groups)
    several = len(files) > 1
    for file in files:
        for line in file.tail(lines):
            _write(file, line, several)
    while follow:
        wrote = False
        for file in files:
            for line in file.added():
                _write(file, line, several)
                wrote = True
        if not wrote:
            time.sleep(POLL_S)


def _files(options: Globals, groups: tuple[str, ...]) -> list[_Followed]:
    from wsgigroups.cli.status import select
    from wsgigroups.client import Client

    status: StatusAnswer = select(Client(options.run_dir).status(), groups)
    found = []
    for group in status["groups"]:
        if group["log"] in ("/dev/stdout", "/dev/stderr"):  # of the manager, and nobody else has read it
            click.echo(f"{group['name']} logs to the manager's {group['log'][5:]}", err=True)
        else:
            found.append(_Followed(group["name"], group["log"]))
    return found


def _write(file: _Followed, line: bytes, several: bool) -> None:
    # an application's log may hold anything; a terminal must not obey it, behind a pager either
    text = clean(line.decode(errors="replace").rstrip("\n"), "\t")
    click.echo(f"{file.name} | {text}" if several else text)


@dataclass
class _Followed:
    """One log file; opened again when it was replaced."""

    name: str
    path: str
    _file: BinaryIO | None = None

    def tail(self, lines: int) -> list[bytes]:
        file = self._open()
        if file is None:
            return []
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - _TAIL_BYTES))
        return list(deque(file, maxlen=lines))

    def added(self) -> list[bytes]:
        if self._file is None:
            self._open()
        file = self._file
        if file is None:
            return []
        found = file.readlines()
        if not found and self._replaced(file):
            file.close()
            self._file = None
        return found

    def _open(self) -> BinaryIO | None:
        try:
            self._file = open(self.path, "rb")  # noqa: SIM115  (kept open while it is followed)
        except FileNotFoundError:
            return None
        except PermissionError:
            raise WsgigroupsError(
                f"cannot read {self.path}: permission denied",
                hint="run the command as the user who started the manager",
                exit_code=ExitCode.NOT_PERMITTED,
            ) from None
        return self._file

    def _replaced(self, file: BinaryIO) -> bool:
        try:
            now = os.stat(self.path)
        except FileNotFoundError:
            return False
        return now.st_ino != os.fstat(file.fileno()).st_ino or now.st_size < file.tell()
