"""System call filters: classic BPF programs for seccomp(2), on x86-64 and aarch64.

Every program begins with the same question: a call of another architecture (i386) or of another way to call (x32) is
refused, because there the numbers mean other calls. Pure but for `install`.
"""

from __future__ import annotations

import errno
import os
import struct
from typing import Iterable, List, NamedTuple, Tuple

from .. import kernel

Instruction = Tuple[int, int, int, int]  # code, jump if true, jump if false, constant: <linux/filter.h>

# <linux/bpf_common.h>, put together
_LOAD, _RETURN, _AND = 0x20, 0x06, 0x54
_EQUAL, _AT_LEAST, _ANY_BIT = 0x15, 0x35, 0x45
# struct seccomp_data: number, architecture, instruction pointer, six arguments of 64 bits, of which the low half counts
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND, _THIRD = 0, 4, 16, 24, 32
ALLOW = 0x7FFF0000  # SECCOMP_RET_ALLOW
_ERRNO = 0x00050000  # SECCOMP_RET_ERRNO
_X32 = 0x40000000  # the bit that marks calls of x32 (<asm/unistd.h>)
CLONE_NEWTIME = 0x80  # in clone(2), and only there, this bit belongs to the number of the signal
ADDRESS_FAMILY_REFUSED = errno.EAFNOSUPPORT  # as systemd


class Machine(NamedTuple):
    """What differs between architectures: AUDIT_ARCH_* of <linux/audit.h>, and numbers of calls."""

    audit: int
    has_x32: bool
    socket: int
    clone: int
    unshare: int
    setns: int
    truncate: int
    openat: int
    open: int  # -1 where there is none


MACHINES = {
    "x86_64": Machine(0xC000003E, True, 41, 56, 272, 308, 76, 257, 2),
    "aarch64": Machine(0xC00000B7, False, 198, 220, 97, 268, 45, 56, -1),
}
_CLONE3 = 435
_OPENAT2 = 437
_IO_URING = (425, 427)  # setup, enter, register


def here() -> Machine:
    """The machine of this process. Raises OSError(ENOSYS) for another one than the two, or one of 32 bits on them."""
    name = os.uname().machine
    if name not in MACHINES or struct.calcsize("P") != 8:
        raise OSError(errno.ENOSYS, "there is no filter for %s with %d bits" % (name, 8 * struct.calcsize("P")))
    return MACHINES[name]


def refusal(number: int) -> int:
    """The verdict that makes a call fail with this errno."""
    return _ERRNO | number


def _head(machine: Machine) -> List[Instruction]:
    program = [
        (_LOAD, 0, 0, _ARCHITECTURE),
        (_EQUAL, 1, 0, machine.audit),
        (_RETURN, 0, 0, refusal(errno.EPERM)),
        (_LOAD, 0, 0, _NUMBER),
    ]
    if machine.has_x32:
        program += [(_AT_LEAST, 0, 1, _X32), (_RETURN, 0, 0, refusal(errno.EPERM))]
    return program


def _runs(numbers: Iterable[int]) -> List[Tuple[int, int]]:
    runs: List[Tuple[int, int]] = []
    for number in sorted(set(numbers)):
        if runs and runs[-1][1] == number - 1:
            runs[-1] = (runs[-1][0], number)
        else:
            runs.append((number, number))
    return runs


def _listed(numbers: Iterable[int], found: int, otherwise: int) -> List[Instruction]:
    """`found` for what was loaded and is one of the numbers, else `otherwise`."""
    program: List[Instruction] = []
    for low, high in _runs(numbers):
        program += [
            (_AT_LEAST, 1, 0, low),
            (_RETURN, 0, 0, otherwise),  # they are in order, so it is none of those that follow
            (_AT_LEAST, 1, 0, high + 1),
            (_RETURN, 0, 0, found),
        ]
    return [*program, (_RETURN, 0, 0, otherwise)]


def calls(machine: Machine, numbers: Iterable[int], *, allowed: bool) -> List[Instruction]:
    """Only these system calls, or all but these; EPERM for the others."""
    verdicts = (ALLOW, refusal(errno.EPERM)) if allowed else (refusal(errno.EPERM), ALLOW)
    return _head(machine) + _listed(numbers, *verdicts)


def address_families(machine: Machine, families: Iterable[int], *, allowed: bool) -> List[Instruction]:
    """Sockets of these families only, or of all but these; EAFNOSUPPORT for the others.

    io_uring can make sockets without a system call for each, so that it is refused, too.
    """
    refused = refusal(ADDRESS_FAMILY_REFUSED)
    verdicts = (ALLOW, refused) if allowed else (refused, ALLOW)
    first, last = _IO_URING
    return [
        *_head(machine),
        (_AT_LEAST, 0, 2, first),
        (_AT_LEAST, 1, 0, last + 1),
        (_RETURN, 0, 0, refusal(errno.EPERM)),
        (_EQUAL, 1, 0, machine.socket),
        (_RETURN, 0, 0, ALLOW),
        (_LOAD, 0, 0, _FIRST),
        *_listed(families, *verdicts),
    ]


def namespaces(machine: Machine, flags: int) -> List[Instruction]:
    """No new namespaces of these kinds (CLONE_NEW…), and none entered.

    clone3(2) has its flags in memory, where no filter can look: it is said not to exist, and the C library takes
    clone(2).
    """
    refused, allow = (_RETURN, 0, 0, refusal(errno.EPERM)), (_RETURN, 0, 0, ALLOW)
    return [
        *_head(machine),
        (_EQUAL, 0, 1, _CLONE3),
        (_RETURN, 0, 0, refusal(errno.ENOSYS)),
        (_EQUAL, 0, 4, machine.unshare),
        (_LOAD, 0, 0, _FIRST),
        (_ANY_BIT, 0, 1, flags),
        refused,
        allow,
        (_EQUAL, 0, 4, machine.clone),
        (_LOAD, 0, 0, _FIRST),
        (_ANY_BIT, 0, 1, flags & ~CLONE_NEWTIME),
        refused,
        allow,
        (_EQUAL, 0, 5, machine.setns),
        (_LOAD, 0, 0, _SECOND),
        (_EQUAL, 1, 0, 0),  # of whatever kind the descriptor is
        (_ANY_BIT, 0, 1, flags),
        refused,
        allow,
        allow,
    ]


def truncation(machine: Machine) -> List[Instruction]:
    """No truncate(2), and no O_TRUNC for reading: the ways to empty a file that Landlock sees from Linux 6.2 on only.

    What is open for writing can be cut still, and Landlock has a say in that. openat2(2) has its flags in memory, so
    that it is said not to exist.
    """
    program = [
        *_head(machine),
        (_EQUAL, 0, 1, machine.truncate),
        (_RETURN, 0, 0, refusal(errno.EPERM)),
        (_EQUAL, 0, 1, _OPENAT2),
        (_RETURN, 0, 0, refusal(errno.ENOSYS)),
    ]
    for number, flags in ((machine.openat, _THIRD), (machine.open, _SECOND)):
        if number >= 0:
            program += [
                (_EQUAL, 0, 6, number),
                (_LOAD, 0, 0, flags),
                (_ANY_BIT, 0, 3, os.O_TRUNC),
                (_AND, 0, 0, os.O_ACCMODE),
                (_EQUAL, 0, 1, os.O_RDONLY),
                (_RETURN, 0, 0, refusal(errno.EPERM)),
                (_RETURN, 0, 0, ALLOW),
            ]
    return [*program, (_RETURN, 0, 0, ALLOW)]


def install(program: Iterable[Instruction]) -> None:
    """Filter this thread and what it starts, and see that it is filtered. Needs no_new_privs."""
    kernel.set_system_call_filter(b"".join(struct.pack("=HBBI", *instruction) for instruction in program))
    if not kernel.has_system_call_filter():
        raise OSError(errno.EPERM, "the kernel says that no filter is set")
