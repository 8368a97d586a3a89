"""Options of a group that keep its processes from what they do not need. Pure."""

from __future__ import annotations

from wsgigroups.config.effects import Effect, When
from wsgigroups.config.kinds import Bytes, Integer
from wsgigroups.config.models.base import OptionModel, option

_LOWERED = "a lower limit is set on running processes; a hard limit cannot be raised again"
_INHERITED = "0: the manager's own"


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
