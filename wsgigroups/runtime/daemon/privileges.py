"""Becoming somebody else for good: chroot, capabilities, groups, group, user, and the proof of it.

Runs in the forked child, one thread, before a byte of any application has been read. Every call is checked by its
result and once more by what the kernel says afterwards. The order is that of systemd's exec_invoke; the proof that of
OpenSSH's permanently_set_uid, which tries to come back.
"""

from __future__ import annotations

import errno
from typing import Callable, Dict, List, Optional, Tuple

from .. import kernel
from ..originals import os
from ..wire.spec import Identity
from .failure import StepError, step

_UNCHANGED = 2**32 - 1  # (uid_t) -1 leaves an id as it is (setresuid(2)): root, that is


class Witness:
    """/proc/self/status, opened while /proc is there and readable to the end: a second source for the proof."""

    def __init__(self) -> None:
        try:
            self._fd: Optional[int] = os.open("/proc/self/status", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:  # no /proc in this container: the system calls alone have to do
            self._fd = None

    def fields(self) -> Dict[str, str]:
        """Return the fields as they are now, empty without /proc."""
        if self._fd is None:
            return {}
        text = os.pread(self._fd, 65536, 0).decode("ascii", "replace")
        return {key: value.strip() for key, _colon, value in (line.partition(":") for line in text.splitlines())}

    def close(self) -> None:
        """Close the file."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None


def enter_chroot(root: str) -> None:
    """chroot(2) and chdir("/") in it. Raises StepError("chroot")."""
    with step("chroot", "change the root directory to %r" % root):
        wanted = os.stat(root)
        os.chroot(root)
        os.chdir("/")
        present = os.stat("/")
    if (present.st_dev, present.st_ino) != (wanted.st_dev, wanted.st_ino):
        raise StepError("chroot", "cannot change the root directory to %r: it was not changed" % root)


def refuse_root(identity: Optional[Identity]) -> None:
    """Raise StepError("user") or ("group") if the daemon would be root, whatever the manager has checked."""
    if identity is None:
        if 0 in os.getresuid():
            raise StepError("user", "cannot run as root: no user was given for this process")
        return
    if not 0 < identity.uid < _UNCHANGED:
        raise StepError("user", "cannot run as uid %d" % identity.uid)
    for group in (identity.gid, *identity.groups):
        if not 0 < group < _UNCHANGED:
            raise StepError("group", "cannot run with gid %d" % group)


def leave_keyring() -> None:
    """Leave the session keyring of whoever started the manager, whose keys its possessor may read and overwrite.

    To be called before `become`, so that nothing stands in the way. Raises StepError("keyring"). A kernel without
    keyrings has nothing to protect, nor has an ordinary user's daemon that finds its user's quota used up (keyrings(7):
    200 keys): it stays in the spawner's keyring, which is that user's.
    """
    with step("keyring", "leave the session keyring"):
        try:
            inherited = kernel.session_keyring()
            joined = kernel.join_new_session_keyring()
            present = kernel.session_keyring()
        except OSError as error:
            if error.errno == errno.ENOSYS or (error.errno == errno.EDQUOT and os.geteuid() != 0):
                return
            raise
    if joined == inherited or present != joined:
        raise StepError("keyring", "cannot leave the session keyring: the process is in %d still" % present)


def own_keyring() -> None:
    """Have a keyring that belongs to the new user; one that has no quota left keeps the empty one of `leave_keyring`.

    Raises StepError("keyring").
    """
    with step("keyring", "join a keyring of its own"):
        try:
            kernel.join_new_session_keyring()
        except OSError as error:
            if error.errno not in (errno.ENOSYS, errno.EDQUOT):
                raise


def become(identity: Optional[Identity]) -> None:
    """Drop to `identity`, or keep the present one; no capability is left either way. Raises StepError."""
    if identity is not None:
        with step("capabilities", "empty the bounding set"):
            for capability in kernel.bounding_set():
                kernel.drop_from_bounding_set(capability)
        with step("groups", "set the groups %s" % (list(identity.groups),)):
            os.setgroups(identity.groups)
        with step("group", "set the group %d" % identity.gid):
            os.setresgid(identity.gid, identity.gid, identity.gid)
        with step("user", "set the user %d" % identity.uid):
            os.setresuid(identity.uid, identity.uid, identity.uid)
    with step("capabilities", "give up capabilities"):
        # A user other than root has no effective ones now, but inheritable ones survive setresuid (capabilities(7)).
        kernel.clear_capabilities()


def prove(identity: Optional[Identity], was: Tuple[int, int], witness: Witness) -> None:
    """Show that `become` did what it said and cannot be undone; `was` is the former (uid, gid).

    Raises StepError("proof").
    """
    if identity is not None:
        _compare("user ids", os.getresuid(), (identity.uid,) * 3)
        _compare("group ids", os.getresgid(), (identity.gid,) * 3)
        _compare("groups", sorted(set(os.getgroups())), sorted(set(identity.groups)))
        _compare("bounding set", kernel.bounding_set(), [])
        try_to_come_back(was)
        _compare("user ids", os.getresuid(), (identity.uid,) * 3)
        _compare("group ids", os.getresgid(), (identity.gid,) * 3)
    if 0 in os.getresuid():
        raise StepError("proof", "cannot run as root")
    _compare("capabilities", kernel.capabilities(), (0, 0, 0))
    _compare_status(identity, witness.fields())


def try_to_come_back(was: Tuple[int, int]) -> None:
    uid, gid = was
    attempts: List[Tuple[str, Callable[[int], None], int]] = [
        (name, getattr(os, name), number)
        for numbers, names in (((uid, 0), ("setuid", "seteuid")), ((gid, 0), ("setgid", "setegid")))
        for number in sorted(set(numbers))
        for name in names
    ]
    for name, call, number in attempts:
        if number in ((os.getuid(),) if name.endswith("uid") else (os.getgid(),)):
            continue  # that is who we are now
        try:
            call(number)
        except PermissionError:
            continue
        raise StepError("proof", "cannot be sure of the privileges: %s(%d) still works" % (name, number))
    try:
        os.setgroups([0])
    except PermissionError:
        return
    raise StepError("proof", "cannot be sure of the privileges: setgroups([0]) still works")


def _compare_status(identity: Optional[Identity], status: Dict[str, str]) -> None:
    if not status:
        return
    for name in ("CapEff", "CapPrm", "CapInh", "CapAmb") + (("CapBnd",) if identity is not None else ()):
        _compare(name, int(status.get(name, "0"), 16), 0)
    if identity is not None:
        _compare("Uid", status["Uid"].split(), [str(identity.uid)] * 4)
        _compare("Gid", status["Gid"].split(), [str(identity.gid)] * 4)


def forbid_new_privileges(witness: Witness) -> None:
    """Set no_new_privs and see that it is set. Raises StepError("no-new-privileges")."""
    with step("no-new-privileges", "set no_new_privs"):
        kernel.set_no_new_privileges()
        is_set = kernel.has_no_new_privileges() and witness.fields().get("NoNewPrivs", "1") == "1"
    if not is_set:
        raise StepError("no-new-privileges", "cannot set no_new_privs: the kernel says it is not set")


def _compare(what: str, present: object, wanted: object) -> None:
    if present != wanted:
        raise StepError("proof", "cannot be sure of the privileges: %s are %s, not %s" % (what, present, wanted))
