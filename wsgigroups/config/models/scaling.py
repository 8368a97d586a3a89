"""Options of a group that let the number of its processes follow the load. Pure."""

from __future__ import annotations

from wsgigroups.config.counted_kinds import MOST_PROCESSES, Fraction
from wsgigroups.config.effects import Effect, When
from wsgigroups.config.kinds import Duration, Integer
from wsgigroups.config.models.base import OptionModel, option

_LOOKS = "the manager reads it at each look"


class ScalingOptions(OptionModel):
    """Off unless processes-min or processes-max is set."""

    processes_min: Integer | None = option(
        None,
        "The fewest processes, where their number is to follow the load: processes is what the group begins with. With "
        "0 the last one ends when nobody has asked for anything for inactivity-timeout (15m where that is 0), the "
        "group keeps its addresses, and whoever connects has a process started. docs/scaling.md has the rules.",
        default_text="processes: never fewer",
        effect=Effect.LIVE,
        reason=_LOOKS,
        example=1,
        minimum=0,
        maximum=MOST_PROCESSES,
        related=("processes", "processes-max", "inactivity-timeout", "scale-down-delay"),
        extension=True,
    )
    processes_max: Integer | None = option(
        None,
        "The most processes, where their number is to follow the load. Written, it makes wsgi.multiprocess true. "
        "`scale` pins the number until the next apply.",
        default_text="processes: never more",
        effect=Effect.LIVE,
        otherwise={When.WRITTEN: Effect.REPLACE},
        reason="processes are added or drained; wsgi.multiprocess is part of the environ of those that run",
        example=8,
        minimum=1,
        maximum=MOST_PROCESSES,
        related=("processes", "processes-min", "target-utilisation", "queue-target"),
        extension=True,
    )
    target_utilisation: Fraction = option(
        0.7,
        "The part of all request threads that may be busy, over two seconds, before there are more processes.",
        effect=Effect.LIVE,
        reason=_LOOKS,
        example=0.6,
        related=("processes-max", "threads"),
        extension=True,
    )
    queue_target: Duration = option(
        0.1,
        "How long requests may wait for a request thread, at two looks in a row, before there are more processes.",
        default_text="100ms; 0: how long they wait does not matter",
        effect=Effect.LIVE,
        reason=_LOOKS,
        example="50ms",
        related=("processes-max", "queue-timeout"),
        extension=True,
    )
    scale_down_delay: Duration = option(
        300.0,
        "For how long fewer processes would have had to be enough before one goes. After a process that came soon "
        "behind one that went it is twice as long, up to an hour.",
        default_text="5m; 0: as soon as fewer are enough",
        effect=Effect.LIVE,
        reason=_LOOKS,
        example="15m",
        related=("processes-min",),
        extension=True,
    )
