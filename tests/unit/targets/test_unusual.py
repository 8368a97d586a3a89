"""Which options of a group somebody has turned."""

from __future__ import annotations

from wsgigroups.config import OPTIONS, ROLLOUT_OPTIONS
from wsgigroups.targets.option_texts import text_of_value
from wsgigroups.targets.unusual import unusual

DEFAULTS = {
    **{name: text_of_value(option.default) for name, option in OPTIONS.items()},
    **{f"rollout.{name}": text_of_value(option.default) for name, option in ROLLOUT_OPTIONS.items()},
    "supplementary-groups": "inherited",
    "python-home": "/srv/venv",
    "home": "/srv",
    "user": "joe (1000)",
}


def test_the_defaults_are_none_of_them() -> None:
    assert unusual(DEFAULTS) == {}


def test_values_have_their_units() -> None:
    turned = {
        "threads": "25",
        "request-timeout": "90",
        "memory-limit": "268435456",
        "cpu-quota": "50",
        "graceful-timeout": "30",
        "eviction-timeout": "30",  # follows the one above
        "rollout.canary-time": "300",
        "environment.SECRET": "digest 0123456789abcdef",
    }
    assert unusual({**DEFAULTS, **turned}) == {
        "threads": "25",
        "request-timeout": "1m30s",
        "memory-limit": "256M",
        "cpu-quota": "50%",
        "graceful-timeout": "30s",
        "rollout.canary-time": "5m",
    }
