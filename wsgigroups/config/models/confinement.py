"""Options of a group that keep its processes from what they do not need. Pure."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator

from wsgigroups.config.confinement_kinds import AddressFamilies, Namespaces, SystemCalls, read_yes_or_no
from wsgigroups.config.effects import Effect, When
from wsgigroups.config.kinds import Boolean, Bytes, Integer, Kind, Paths
from wsgigroups.config.models.base import OptionModel, option

_LOWERED = "a lower limit is set on running processes; a hard limit cannot be raised again"
_INHERITED = "0: the manager's own"
_GIVEN_UP = "a process gives it up when it starts, for good"
_NONE = "none"
_ProtectHome = Annotated[Literal["no", "yes", "read-only"], BeforeValidator(read_yes_or_no), Kind("choice")]
_ProtectSystem = Annotated[Literal["no", "yes", "full", "strict"], BeforeValidator(read_yes_or_no), Kind("choice")]


class ResourceOptions(OptionModel):
    """How much of the system a process may take, by setrlimit(2)."""

    limit_nproc: Integer = option(
        0,
        "Processes and threads that the group's user may have, all groups of that user together (RLIMIT_NPROC). "
        "Beyond it fork fails, which ends a fork bomb. A process takes threads + 2 of them.",
        default_text=_INHERITED,
        effect=Effect.LIVE,
        otherwise={When.RAISED: Effect.REPLACE},
        reason=_LOWERED,
        example=200,
        minimum=0,
        maximum=4_194_304,
        related=("threads", "processes"),
        extension=True,
    )
    limit_nofile: Integer = option(
        0,
        "Descriptors that a process may have open (RLIMIT_NOFILE): one for each connection, file and socket.",
        default_text=_INHERITED,
        effect=Effect.LIVE,
        otherwise={When.RAISED: Effect.REPLACE},
        reason=_LOWERED,
        example=4096,
        minimum=0,
        maximum=1_073_741_816,
        related=("threads",),
        extension=True,
    )
    limit_fsize: Bytes = option(
        0,
        "The largest file that a process may write (RLIMIT_FSIZE); beyond it writing fails with EFBIG. The log of the "
        "group is a file like others, so let it be rotated well below this size.",
        default_text=_INHERITED,
        effect=Effect.LIVE,
        otherwise={When.RAISED: Effect.REPLACE},
        reason=_LOWERED,
        example="1G",
        minimum=1048576,
        zero_allowed=True,
        related=("error-log",),
        extension=True,
    )
    limit_core: Bytes = option(
        0,
        "The largest core file that a process may leave (RLIMIT_CORE). A core file holds every secret of the process, "
        "so that there is none unless this is set.",
        default_text="0: no core files",
        effect=Effect.LIVE,
        otherwise={When.RAISED: Effect.REPLACE},
        reason=_LOWERED,
        example="100M",
        extension=True,
    )


class ConfinementOptions(OptionModel):
    """What a process keeps itself from: the words are those of systemd.exec(5), for each process of the group."""

    confinement: Annotated[Literal["best-effort", "required"], Kind("choice")] = option(
        "best-effort",
        "What happens where the kernel, or an ordinary user's rights, do not allow one of the options below. "
        "best-effort: it is logged and shown in the status, and the process serves without it. required: the process "
        "does not start.",
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example="required",
        choices=("best-effort", "required"),
        related=("read-only-paths", "inaccessible-paths", "system-call-filter"),
        extension=True,
    )
    read_only_paths: Paths = option(
        (),
        "Directories and files that the processes may read and not change, whoever owns them (Landlock). Nothing new "
        "can be made directly in the directories above them either. With / everything is read-only but what "
        "read-write-paths names; /dev/null and its like stay usable.",
        default_text=_NONE,
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example=["/"],
        related=("read-write-paths", "inaccessible-paths", "protect-system"),
        extension=True,
    )
    read_write_paths: Paths = option(
        (),
        'Exceptions from read-only-paths, protect-home and protect-system = "strict": of two paths the longer one '
        "decides. A symbolic link on the way is followed only if it is root's or the manager's.",
        default_text=_NONE,
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example=["/srv/blog/media"],
        related=("read-only-paths", "protect-system"),
        extension=True,
    )
    inaccessible_paths: Paths = option(
        (),
        "Directories and files that the processes can neither read nor see into: something empty is mounted there, "
        "for these processes alone.",
        default_text=_NONE,
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example=["/srv/shop", "/etc/ssl/private"],
        related=("read-only-paths", "protect-home"),
        extension=True,
    )
    protect_home: _ProtectHome = option(
        "no",
        "yes, or true: /home, /root and /run/user cannot be read (Landlock); read-only: they cannot be changed. What "
        "lies there of the interpreter, python-home, python-path, script and a home that is written stays readable, "
        "and so does what read-only-paths and read-write-paths name.",
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example="yes",
        choices=("no", "yes", "read-only"),
        related=("read-only-paths", "inaccessible-paths"),
        extension=True,
    )
    protect_system: Annotated[
        Literal["no", "yes", "full", "strict"], BeforeValidator(read_yes_or_no), Kind("choice")
    ] = option(
        "no",
        "yes, or true: /usr, /boot and /efi are read-only; full: /etc, too; strict: everything but /dev, /proc, /sys "
        "and read-write-paths. By mounts of the process's own.",
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example="strict",
        choices=("no", "yes", "full", "strict"),
        related=("read-write-paths", "read-only-paths"),
        extension=True,
    )
    protect_proc: Annotated[Literal["default", "noaccess", "invisible", "ptraceable"], Kind("choice")] = option(
        "default",
        "Which processes of other users are in /proc: noaccess hides what is in their directories, invisible the "
        "directories as well, ptraceable all processes that this one may not trace. default changes nothing. Only with "
        "a manager that runs as root.",
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example="invisible",
        choices=("default", "noaccess", "invisible", "ptraceable"),
        extension=True,
    )
    private_tmp: Boolean = option(
        False,
        "An empty /tmp and /var/tmp for each process alone, in memory, gone with it; a tenth of the memory each at "
        "most. Files that the processes of a group share belong elsewhere.",
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example=True,
        extension=True,
    )
    private_devices: Boolean = option(
        False,
        "A /dev with null, zero, full, random, urandom, tty, shared memory and terminals of its own, and no devices.",
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example=True,
        extension=True,
    )
    restrict_address_families: AddressFamilies = option(
        (),
        "The address families of which the processes may make sockets; with ~ before the first, all but these; none "
        "for no sockets at all. Others fail with EAFNOSUPPORT, and io_uring with EPERM. The group's own listeners need "
        "none. A list, or text with spaces.",
        default_text="none restricted",
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example=["AF_UNIX", "AF_INET", "AF_INET6"],
        related=("system-call-filter",),
        extension=True,
    )
    system_call_filter: SystemCalls = option(
        (),
        "The system calls that the processes may make, by name or in the sets of systemd such as @system-service; "
        "with ~ before the first, all but these. Others fail with EPERM. What serving itself takes is part of every "
        "list. Calls of i386 and x32 are refused. A list, or text with spaces.",
        default_text="none filtered",
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example=["@system-service"],
        related=("restrict-address-families", "restrict-namespaces"),
        extension=True,
    )
    restrict_namespaces: Namespaces = option(
        (),
        "The namespaces that the processes may make or enter: cgroup, ipc, mnt, net, pid, time, user, uts; with ~ "
        "before the first, all but these; true for none. A list, or text with spaces.",
        default_text="false: none restricted",
        effect=Effect.REPLACE,
        reason=_GIVEN_UP,
        example=True,
        related=("system-call-filter",),
        extension=True,
    )
