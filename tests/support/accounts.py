"""Accounts that exist only for one command and its children: passwd and group files of a private mount namespace.

Used by root's tests. Nothing on the machine is changed, and nothing is left when the processes have ended.
"""

from __future__ import annotations

from pathlib import Path

ALICE_UID, BOB_UID = 61001, 61002
STAFF_GID, EXTRA_GID = 61100, 61101

_PASSWD = f"""
alice:x:{ALICE_UID}:{ALICE_UID}:Alice:{{alice_home}}:/usr/sbin/nologin
bob:x:{BOB_UID}:{BOB_UID}:Bob:{{bob_home}}:/usr/sbin/nologin
toor:x:0:0:another root:/root:/bin/sh
"""
_GROUP = f"""
alice:x:{ALICE_UID}:
bob:x:{BOB_UID}:
staffers:x:{STAFF_GID}:alice,bob
extras:x:{EXTRA_GID}:
"""


class Accounts:
    """Files with the machine's accounts and ours, and the command that puts them in place for another command."""

    def __init__(self, directory: Path) -> None:
        self._passwd, self._group = directory / "passwd", directory / "group"
        homes = {}
        for name in ("alice", "bob"):
            homes[name] = directory / name
            homes[name].mkdir()
            homes[name].chmod(0o755)
        texts = {
            self._passwd: Path("/etc/passwd").read_text()
            + _PASSWD.format(alice_home=homes["alice"], bob_home=homes["bob"]),
            self._group: Path("/etc/group").read_text() + _GROUP,
        }
        for path, text in texts.items():
            path.write_text(text)
            path.chmod(0o644)
        self.homes = homes

    @property
    def binds(self) -> list[tuple[str, str]]:
        """Our files, and in place of which they are seen."""
        return [(str(self._passwd), "/etc/passwd"), (str(self._group), "/etc/group")]

    def command(self) -> list[str]:
        """Return the words before a command that runs it with these accounts."""
        mounts = " && ".join(f"mount --bind {file} {place}" for file, place in self.binds)
        script = f'{mounts} && exec "$@"'
        return ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script, "sh"]
