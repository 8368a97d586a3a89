"""What commands import, seen where they come to their end: with a manager that answers."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator

import pytest
from support.manager import APPS, ManagerUnderTest

HEAVY = {"rich", "textual", "pydantic", "pydantic_core", "ruamel", "aiohttp", "asyncio"}


@pytest.fixture(scope="module")
def manager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ManagerUnderTest]:
    with ManagerUnderTest(tmp_path_factory.mktemp("imports")) as under_test:
        text = f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        under_test.apply(f'{text}listen = ["127.0.0.1:{under_test.port()}"]\n')
        yield under_test


def imported(done: subprocess.CompletedProcess[str]) -> set[str]:
    """The packages that an interpreter with -X importtime says it loaded."""
    return {name.split(".")[0] for name in re.findall(r"^import time:.*\| +([\w.]+)$", done.stderr, re.MULTILINE)}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (["--version"], set()),
        (["--help"], set()),
        (["status", "-o", "json"], set()),
        (["status", "--check", "-o", "json"], set()),
        (["status", "-o", "yaml"], {"ruamel"}),
        (["logs", "blog"], set()),
        (["scale", "blog=1"], set()),
        (["why", "blog"], set()),
        (["history", "-o", "json"], set()),
        (["events"], set()),
        (["events", "blog", "-o", "json", "--since", "1h"], set()),
        (["completion", "bash"], set()),
        (["explain", "threads"], set()),
        (["schema"], set()),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_light_commands_are_light(manager: ManagerUnderTest, arguments: list[str], allowed: set[str]) -> None:
    command = manager.command(*arguments)
    command.insert(command.index("-m"), "-X")
    command.insert(command.index("-m"), "importtime")
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = imported(done)
    assert "click" in found, "the report of imports was read"
    assert not found & (HEAVY - allowed)


def test_a_command_for_people_imports_rich(manager: ManagerUnderTest) -> None:
    """So that the test above can fail."""
    command = manager.command("status")
    command[command.index("-m") : command.index("-m")] = ["-X", "importtime"]
    assert "rich" in imported(subprocess.run(command, capture_output=True, text=True, check=True))
