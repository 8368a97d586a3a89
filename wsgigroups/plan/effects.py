"""What a change of an option costs: from the option models, plus the few values that only resolution knows. Pure."""

from __future__ import annotations

from functools import lru_cache

from wsgigroups.config import OPTIONS, ROLLOUT_OPTIONS
from wsgigroups.config.effects import When
from wsgigroups.plan.routing import ROUTES

# Values that stand in a target's options without being options of the file.
RESOLVED: dict[str, tuple[str, str]] = {
    "python": ("replace", "the interpreter is chosen when a process starts"),
    "interpreter": ("replace", "it forks the processes"),
    "spawner": ("replace", "it forks the processes"),
    "application": ("replace", "applications are loaded when a process starts"),
    "home-on-path": ("replace", "home is first on sys.path where it is written"),
    "wsgi.multiprocess": ("replace", "part of the environ; follows from writing processes or not"),
    "engine": ("replace", "another program"),
    "log-format": ("live", "the log writer is told"),
    "log-rotate-size": ("live", "the log writer is told"),
    "log-rotate-age": ("live", "the manager renames it"),
    "log-rotate-keep": ("live", "the manager renames it"),
    "log-rate-limit": ("live", "the log writer is told"),
    "program": ("replace", "another program"),
    "http2": ("live", "nginx reads its new file"),
    "compression": ("live", "nginx reads its new file"),
    **dict.fromkeys(
        ("telemetry-service", "statsd-service", "otlp-service"), ("live", "the manager sends to it from then on")
    ),
    "server.processes-max": ("live", "the manager reads it at each look at the load"),
    "server.memory-reserve": ("live", "the manager reads it at each look at the load"),
    "sites": ("none", "how many there are"),
    "acme-directory": ("live", "the next order goes by it"),
    "acme-challenge": ("live", "the next order goes by it"),
    "acme-contact": ("live", "the next account has it"),
    "acme-ca-file": ("live", "the next order goes by it"),
}
_ROUTED = ("live", "the gateway is told its new routes")
_CERTIFICATE = ("live", "read anew without dropping connections")

_OPTIONS = {**OPTIONS, **{f"rollout.{name}": option for name, option in ROLLOUT_OPTIONS.items()}}

# Limits whose 0 is the least there is; that of the others means that there is none.
_ZERO_IS_LEAST = frozenset({"limit-core"})


_UNIT = {"duration": "s", "bytes": "bytes", "percent": "%"}


def base_name(option: str) -> str:
    """The option that an entry such as environment.NAME belongs to."""
    return option.split(".", 1)[0] if option.startswith(("environment.", "environment-files.")) else option


def effect_of(option: str, old: str | None = None, new: str | None = None) -> str:
    """replace, rebind, live or none. Raises KeyError for a name that is neither an option nor resolved."""
    if option.startswith(ROUTES):
        return _ROUTED[0]
    if option in RESOLVED:
        return RESOLVED[option][0]
    known = _OPTIONS[base_name(option)]
    raised = known.otherwise.get(When.RAISED)
    if raised is not None and old is not None and new is not None and _is_raised(option, int(old), int(new)):
        return raised.value
    return known.effect.value


def _is_raised(option: str, old: int, new: int) -> bool:
    """Whether a limit lets through more than before."""
    if option in _ZERO_IS_LEAST:
        return new > old
    return old != new and old != 0 and (new == 0 or new > old)


def unit_of(option: str) -> str:
    """The unit of an option's value as text: "s", "bytes", "%"; "" for one that has none."""
    known = OPTIONS.get(base_name(option))
    return _UNIT.get(known.kind, "") if known else ""


@lru_cache(maxsize=1024)  # names of environment variables are among them, and as many as people like
def in_fingerprint(option: str) -> bool:
    """Whether processes that differ in this option are different processes, whatever the values are."""
    return effect_of(option) == "replace"


def why(option: str) -> str:
    """The reason of the effect, for people."""
    if option.startswith(ROUTES):
        return (_CERTIFICATE if option.endswith(".certificate") else _ROUTED)[1]
    if option in RESOLVED:
        return RESOLVED[option][1]
    return _OPTIONS[base_name(option)].effect_reason
