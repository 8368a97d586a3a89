"""What `[server]` says of the manager itself, as a plan has it."""

from __future__ import annotations

import pytest

from wsgigroups.config.models.server import ServerDefaults
from wsgigroups.config.own import own_options


@pytest.mark.parametrize(
    ("server", "expected"),
    [
        ({}, {}),
        ({"drain-delay": 0}, {}),
        ({"drain-delay": 90}, {"drain-delay": "1m30s"}),
        (
            {"drain-delay": 0.25, "health-listen": "127.0.0.1:9180"},
            {"drain-delay": "250ms", "health-listen": "127.0.0.1:9180"},
        ),
    ],
)
def test_what_is_off_is_not_there(server: dict[str, object], expected: dict[str, str]) -> None:
    assert own_options(ServerDefaults.model_validate(server)) == expected
