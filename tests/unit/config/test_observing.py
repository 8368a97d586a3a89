"""Where the manager itself may listen."""

from __future__ import annotations

import pytest

from tests.unit.conftest import Check

GROUP = '[groups.blog]\napp = "blog.wsgi:application"\nlisten = ["127.0.0.1:8000"]\n'


def codes(check: Check, server: str) -> list[str]:
    return [found.code for found in check(f"version = 1\n{GROUP}\n[server]\n{server}\n").diagnostics]


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ('health-listen = "127.0.0.1:9180"\nmetrics-listen = "unix:/run/metrics.sock"', []),
        ('health-listen = "[::1]:9180"\nmetrics-listen = "[::1]:9180"', []),  # one listener answers both
        ('health-listen = "0.0.0.0:9180"', ["WG0426"]),
        ('metrics-listen = "192.0.2.1:9180"', ["WG0426"]),
        ('health-listen = "0.0.0.0:9180"\nhealth-public = true', []),
        ('health-listen = "127.0.0.1:8000"', ["WG0409"]),
        ('health-listen = "0.0.0.0:8000"\nhealth-public = true', ["WG0409"]),
        ('health-listen = "0.0.0.0:9180"\nmetrics-listen = "127.0.0.1:9180"\nhealth-public = true', ["WG0409"]),
        ('health-listen = "nowhere"', ["WG0306"]),
        ('dashboard = "127.0.0.1:9000"\nhealth-listen = "127.0.0.1:9180"', []),
        ('dashboard = "[::1]:9000"\nhealth-listen = "127.0.0.1:9000"', []),
        ('dashboard = "127.0.0.1:9000"\nhealth-listen = "127.0.0.1:9000"', ["WG0409"]),
        ('dashboard = "127.0.0.1:9000"\nmetrics-listen = "127.0.0.1:9000"', ["WG0409"]),
        ('dashboard = "127.0.0.1:8000"', ["WG0409"]),
        ('dashboard = "0.0.0.0:9000"', ["WG0428"]),
        ('dashboard = "0.0.0.0:9000"\nhealth-public = true', ["WG0428"]),
        ('dashboard = "192.0.2.1:9000"', ["WG0428"]),
        ('dashboard = "unix:/run/dashboard.sock"', ["WG0428"]),
    ],
)
def test_places(check: Check, server: str, expected: list[str]) -> None:
    assert codes(check, server) == expected
