"""Files that others reach a manager and its spawners by: made again when somebody has removed them.

A cleaner of temporary directories, or a mistaken `rm`, may take the run directory away under a manager. Without its
files no command reaches the manager, no next one finds what runs, and a second one would not see that there is a first.
Runs in the manager's only thread, every few seconds.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.supervision import reachable
from wsgigroups.trust.walking import private_directory

if TYPE_CHECKING:
    from wsgigroups.manager.applying import Applying
    from wsgigroups.manager.control.server import ControlServer
    from wsgigroups.manager.lock import HeldLock

PERIOD_S = 3.0


@dataclass(slots=True)
class Guard:
    """locks: of the run directory and of the state directory."""

    applying: Applying
    server: ControlServer
    locks: tuple[HeldLock, ...]
    _said: str = field(default="")

    async def watch(self) -> None:
        """Look again and again; what cannot be mended is said once."""
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                self.look()
            except (OSError, WsgigroupsError) as error:
                text = error.message if isinstance(error, WsgigroupsError) else f"{error.strerror} ({error.filename})"
                if text != self._said:
                    self.applying.log("error", f"what was lost of the run directory cannot be made again: {text}")
                self._said = text
            else:
                self._said = ""

    def look(self) -> None:
        """Make again what is lost. The locks come first: where another manager has one, the rest is that one's."""
        shell, store, log = self.applying.shell, self.applying.store, self.applying.log
        private_directory(str(shell.outside.run_dir), 0o755)
        if not store.revisions.is_dir():
            store.prepare()
            self.applying.save()
            log("warning", f"{store.revisions} was lost: it is made again, without former revisions")
        store.keep_digest_key(self.applying.around.digest_key)
        for lock in self.locks:
            if lock.lost:
                lock.take_again()
                log("warning", "the file of a lock was lost: it is made again, and held")
        if self.server.lost:
            self.server.listen_again()
            log("warning", "control.sock was lost: it is made again")
        for key in shell.pool.listen_again():
            log("warning", f"the socket of spawner {key} was lost: it is made again")
        if shell.logs.writer.listen_again():
            log("warning", "the socket of the log writer was lost: it is made again")
        reachable.look(shell)
        shell.remains.note_again()
