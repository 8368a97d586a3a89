"""Checks against a host: what groups share with each other, by all of their users."""

from __future__ import annotations

from typing import Any

import pytest
from support.configurations import codes, messages

from wsgigroups.host.recorded import RecordedHost


class Asked:
    """A privileged host on which nothing is wrong, with joe, ann and www-data."""

    def __init__(self) -> None:
        self.users = {"joe": 1000, "ann": 1001, "www-data": 33}

    def prepare(self, applications: list[Any]) -> None:
        """Nothing to look at."""

    def ask(self, question: str, *arguments: str) -> Any:
        if question == "user":
            uid = self.users[arguments[0]]
            return {"name": arguments[0], "uid": uid, "gid": uid, "home": "/"}
        answers: dict[str, Any] = {
            "privileged": True,
            "limits": dict.fromkeys(("somaxconn", "nproc", "memory_bytes", "ngroups_max", "unprivileged_port")),
            "interpreter": {"executable": "/usr/bin/python3", "python_home": None, "version": "3.11.2"},
            "application": {"problem": None},
            "open_to_others": True,
        }
        return answers.get(question)


def group(name: str, options: str) -> str:
    return f'[groups.{name}]\napp = "x:y"\n{options}\n'


ONE, OTHER = 'error-log = "/var/log/one.log"\n', 'error-log = "/var/log/../log/one.log"\n'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (group("a", 'user = "joe"') + group("b", 'user = "ann"'), []),
        (group("a", 'user = "joe"') + group("b", 'user = "joe"') + group("c", 'user = "joe"'), ["WG0633"]),
        (group("a", "") + group("b", ""), ["WG0633"]),
        (group("a", ONE + 'user = "joe"') + group("b", OTHER + 'user = "ann"'), ["WG0632"]),
        (group("a", ONE + 'user = "joe"') + group("b", ONE + 'user = "ann"'), []),
        (group("a", ONE + 'user = "joe"') + group("b", OTHER + 'user = "joe"'), ["WG0633"]),
        ("[server]\n" + ONE + group("a", 'user = "joe"') + group("b", 'user = "ann"'), []),
        ("[server]\n" + ONE + group("a", 'user = "joe"') + group("b", 'user = "ann"\n' + ONE[:-6] + '2"'), []),
        (group("a", 'user = "joe"\nenvironment = { API_KEY = "1", DB_PASSWORD = "2" }'), ["WG0634"]),
    ],
)
def test_what_groups_share(check: Any, text: str, expected: list[str]) -> None:
    loaded = check("version = 1\n" + text, host=Asked())
    found = [code for code in codes(loaded) if code.startswith("WG063")]
    assert found == expected, messages(loaded)


def test_a_secret_that_comes_from_a_variable_is_not_in_the_file(check: Any) -> None:
    text = "version = 1\n" + group("a", 'user = "joe"\nenvironment = { PASSWORD = "${FROM_OUTSIDE}" }')
    assert "WG0634" not in codes(check(text, host=Asked(), variables={"FROM_OUTSIDE": "hunter2"}))


def test_the_place_is_where_the_log_is_named(check: Any) -> None:
    text = "version = 1\n" + group("a", 'user = "joe"\n' + ONE) + group("b", OTHER + 'user = "ann"')
    (found,) = [item for item in check(text, host=Asked()).diagnostics if item.code == "WG0632"]
    assert found.span is not None
    assert found.span.line == 9
    assert "a (joe) and b (ann)" in found.message


def test_a_recorded_host_says_nothing_about_files_that_are_elsewhere() -> None:
    assert RecordedHost({"answers": {}}).ask("open_to_others", "groups.toml") is False
