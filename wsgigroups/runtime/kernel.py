"""The few system calls that this project needs and older interpreters, or all of them, lack.

Runs in spawners and daemons, in one thread, before any application code. Every function raises OSError as os would.
Must not keep state beyond the C library's handle and never retry on its own.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import ctypes
import errno
import struct
from typing import Any, Iterable, List, Optional, Tuple

from .originals import os, signal

# What `signal` is made of: that one makes an object of each number, some 130 for each fork.
signals: Any = _signal

_LIBC = ctypes.CDLL(None, use_errno=True)
_LIBC.syscall.restype = ctypes.c_long

# <linux/prctl.h>
_PR_SET_NAME = 15
_PR_SET_PDEATHSIG = 1
_PR_SET_DUMPABLE = 4
_PR_SET_CHILD_SUBREAPER = 36
_PR_GET_SECCOMP = 21
_PR_SET_SECCOMP = 22
_SECCOMP_MODE_FILTER = 2  # <linux/seccomp.h>
_BPF_INSTRUCTION_BYTES = 8  # <linux/filter.h>
_PR_CAPBSET_READ = 23
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_GET_NO_NEW_PRIVS = 39
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_MNT_DETACH = 2  # <sys/mount.h>
# <linux/capability.h>: version 3 is two 32-bit halves of (effective, permitted, inheritable)
_CAPABILITY_VERSION = 0x20080522
_CAPABILITY_SETS = struct.Struct("=6I")
CAPABILITIES = range(64)

# The generic numbers are the same on every architecture since Linux 5.1; pidfd_send_signal is one of the first.
_NR_CLOSE_RANGE = 436
_MAXIMUM_FD = (1 << 32) - 1  # the arguments of close_range(2) are unsigned
_NR_PIDFD_SEND_SIGNAL = 424
_NR_PIDFD_OPEN = 434
_PIDFD_SIGNAL_PROCESS_GROUP = 1 << 2  # <linux/pidfd.h>
_NR_OPENAT2 = 437
RESOLVE_NO_MAGICLINKS, RESOLVE_BENEATH = 0x02, 0x08  # <linux/openat2.h>
_OPEN_HOW = struct.Struct("=QQQ")  # flags, mode, resolve
_openat2 = _LIBC["syscall"]  # made for each static file, so that types are told once
_openat2.restype = ctypes.c_long
_openat2.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_size_t)
# keyctl(2) is older; where a machine is not named, the number is the generic one of <asm-generic/unistd.h>
_NR_KEYCTL = {"x86_64": 250, "i386": 288, "i686": 288, "armv7l": 311, "armv6l": 311, "ppc64le": 271, "s390x": 280}
_KEYCTL_GET_KEYRING_ID, _KEYCTL_JOIN_SESSION_KEYRING = 0, 1
_KEY_SPEC_SESSION_KEYRING = -3


def _checked(result: int, what: str) -> int:
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, "%s: %s" % (what, os.strerror(number)))
    return result


def _prctl(what: str, option: int, *arguments: int) -> int:
    unused = (0,) * (4 - len(arguments))  # the kernel wants them to be 0 for some of the options
    return _checked(_LIBC.prctl(option, *[ctypes.c_ulong(value) for value in arguments + unused]), what)


def system_call(what: str, number: int, *arguments: Any) -> int:
    """Make a system call by its number; an int is passed as a long, and what ctypes knows as it is."""
    values = [ctypes.c_long(value) if isinstance(value, int) else value for value in arguments]
    return _checked(_LIBC.syscall(ctypes.c_long(number), *values), what)


def unshare(flags: int) -> None:
    """Leave namespaces for new ones (unshare(2)); os.unshare is of Python 3.12."""
    _checked(_LIBC.unshare(flags), "unshare")


def unmount(path: str) -> None:
    """Take the uppermost mount on `path` out of sight (umount2(2) with MNT_DETACH)."""
    _checked(_LIBC.umount2(os.fsencode(path), _MNT_DETACH), "umount2")


def set_system_call_filter(program: bytes) -> None:
    """Have every system call of this thread go through a BPF program (seccomp(2)). Needs no_new_privs."""
    instructions = ctypes.create_string_buffer(program, len(program))
    described = ctypes.create_string_buffer(
        struct.pack("@HP", len(program) // _BPF_INSTRUCTION_BYTES, ctypes.addressof(instructions))
    )
    _prctl("prctl(PR_SET_SECCOMP)", _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.addressof(described))


def has_system_call_filter() -> bool:
    """Tell what the kernel says about it."""
    return _prctl("prctl(PR_GET_SECCOMP)", _PR_GET_SECCOMP) == _SECCOMP_MODE_FILTER


def openat2(directory_fd: int, path: bytes, flags: int, resolve: int) -> int:
    """Open a path below a directory as openat(2) does, with rules for its resolution (openat2(2), Linux 5.6)."""
    if b"\0" in path:
        raise OSError(errno.ENOENT, "openat2: %s" % os.strerror(errno.ENOENT))
    how = _OPEN_HOW.pack(flags, 0, resolve)
    return _checked(_openat2(_NR_OPENAT2, directory_fd, path, how, _OPEN_HOW.size), "openat2")


def pidfd_open(pid: int) -> int:
    """Return a close-on-exec descriptor of a process (pidfd_open(2), Linux 5.3)."""
    if hasattr(os, "pidfd_open"):
        return os.pidfd_open(pid)
    return _checked(_LIBC.syscall(ctypes.c_long(_NR_PIDFD_OPEN), pid, 0), "pidfd_open")


def pidfd_send_signal(pidfd: int, number: int, flags: int = 0) -> None:
    """Signal exactly the process behind the descriptor (pidfd_send_signal(2), Linux 5.1)."""
    if hasattr(signal, "pidfd_send_signal"):
        signal.pidfd_send_signal(pidfd, number, None, flags)
        return
    _checked(_LIBC.syscall(ctypes.c_long(_NR_PIDFD_SEND_SIGNAL), pidfd, number, None, flags), "pidfd_send_signal")


def pidfd_signal_group(pidfd: int, number: int) -> None:
    """Signal the group that this process leads, or led: a process that is not reaped yet will do (Linux 6.9)."""
    pidfd_send_signal(pidfd, number, _PIDFD_SIGNAL_PROCESS_GROUP)


def close_all_except(kept: Iterable[int]) -> None:
    """Close every descriptor that is not in `kept`.

    With close_range(2) where there is such a call, because a spawner has six for each of its processes, and whoever is
    forked has them all. Else with /proc, or each number up to the limit, which may be a million.
    """
    keep = sorted(set(kept))
    try:
        for first, last in _between(keep, _MAXIMUM_FD):
            system_call("close_range", _NR_CLOSE_RANGE, first, last, 0)
    except OSError:  # before Linux 5.9, or a filter of system calls that does not know it
        _close_one_by_one(keep)


def _close_one_by_one(keep: List[int]) -> None:
    listed = _open_descriptors()
    if listed is not None:
        for fd in listed:
            if fd not in keep:
                try:
                    os.close(fd)
                except OSError:  # the descriptor of the listing itself
                    continue
        return
    for first, last in _between(keep, os.sysconf("SC_OPEN_MAX")):
        os.closerange(first, last + 1)


def _between(keep: List[int], maximum: int) -> List[Tuple[int, int]]:
    """Return the ranges of numbers, first and last, that none of these sorted ones is in."""
    firsts = [0, *(fd + 1 for fd in keep)]
    lasts = [*(fd - 1 for fd in keep), maximum]
    return [(first, last) for first, last in zip(firsts, lasts) if first <= last]


def _open_descriptors() -> Optional[List[int]]:
    try:
        return [int(name) for name in os.listdir("/proc/self/fd")]
    except OSError:
        return None


def set_name(name: str) -> None:
    """Set /proc/PID/comm, cut to 15 bytes (PR_SET_NAME)."""
    data = ctypes.create_string_buffer(name.encode("utf-8", "replace")[:15])
    _prctl("prctl(PR_SET_NAME)", _PR_SET_NAME, ctypes.addressof(data))


def bounding_set() -> List[int]:
    """Return the capabilities in the bounding set."""
    found = []
    for capability in CAPABILITIES:
        try:
            if _prctl("prctl(PR_CAPBSET_READ)", _PR_CAPBSET_READ, capability) == 1:
                found.append(capability)
        except OSError as error:
            if error.errno == errno.EINVAL:  # beyond the last capability of this kernel
                break
            raise
    return found


def drop_from_bounding_set(capability: int) -> None:
    """Remove one capability for good (PR_CAPBSET_DROP; needs CAP_SETPCAP)."""
    _prctl("prctl(PR_CAPBSET_DROP, %d)" % capability, _PR_CAPBSET_DROP, capability)


def clear_capabilities() -> None:
    """Empty the effective, permitted, inheritable and ambient sets of this thread."""
    _prctl("prctl(PR_CAP_AMBIENT_CLEAR_ALL)", _PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0))
    data = ctypes.create_string_buffer(bytes(_CAPABILITY_SETS.size))
    _checked(_LIBC.capset(header, data), "capset")


def capabilities() -> Tuple[int, int, int]:
    """Return the effective, permitted and inheritable sets as bit masks (capget(2))."""
    header = ctypes.create_string_buffer(struct.pack("=Ii", _CAPABILITY_VERSION, 0))
    data = ctypes.create_string_buffer(_CAPABILITY_SETS.size)
    _checked(_LIBC.capget(header, data), "capget")
    low = _CAPABILITY_SETS.unpack(data.raw[: _CAPABILITY_SETS.size])
    return low[0] | low[3] << 32, low[1] | low[4] << 32, low[2] | low[5] << 32


def set_no_new_privileges() -> None:
    """No execve(2) of this process or its children grants privileges from here on."""
    _prctl("prctl(PR_SET_NO_NEW_PRIVS)", _PR_SET_NO_NEW_PRIVS, 1)


def forbid_tracing() -> None:
    """Let nobody but root trace this process or look into it, whoever has its user id (prctl(2), PR_SET_DUMPABLE)."""
    _prctl("prctl(PR_SET_DUMPABLE)", _PR_SET_DUMPABLE, 0)


def allow_tracing() -> None:
    """Let processes of the same user look into this one, which a change of the user id has ended (prctl(2))."""
    _prctl("prctl(PR_SET_DUMPABLE)", _PR_SET_DUMPABLE, 1)


def adopt_orphans() -> None:
    """Become the parent of what one's descendants leave behind (prctl(2), PR_SET_CHILD_SUBREAPER)."""
    _prctl("prctl(PR_SET_CHILD_SUBREAPER)", _PR_SET_CHILD_SUBREAPER, 1)


def end_with_parent(number: int) -> None:
    """Have this signal sent to this process when the thread that forked it ends (prctl(2), PR_SET_PDEATHSIG)."""
    _prctl("prctl(PR_SET_PDEATHSIG)", _PR_SET_PDEATHSIG, number)


def has_no_new_privileges() -> bool:
    """Tell what the kernel says about it."""
    return _prctl("prctl(PR_GET_NO_NEW_PRIVS)", _PR_GET_NO_NEW_PRIVS) == 1


def _keyctl(what: str, operation: int, *arguments: int) -> int:
    number = _NR_KEYCTL.get(os.uname().machine, 219)
    values = [ctypes.c_long(value) for value in (number, operation, *arguments)]
    return _checked(_LIBC.syscall(*values), "keyctl(%s)" % what)


def session_keyring() -> int:
    """Return the serial number of the keyring that this process has as its session's (keyctl(2))."""
    return _keyctl("GET_KEYRING_ID", _KEYCTL_GET_KEYRING_ID, _KEY_SPEC_SESSION_KEYRING, 0)


def join_new_session_keyring() -> int:
    """Leave the inherited session keyring for an empty one without a name; return its serial number (keyctl(2))."""
    return _keyctl("JOIN_SESSION_KEYRING", _KEYCTL_JOIN_SESSION_KEYRING, 0)


def clear_environment() -> None:
    """Empty the C library's environment, also of what os.environ never saw (clearenv(3))."""
    if _LIBC.clearenv() != 0:
        raise OSError("clearenv failed")
