"""Which lines of logs are shown: by group, slot, time and what is in them; further lines go with their record."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from wsgigroups.cli.log_files import FollowedLog
from wsgigroups.cli.log_lines import LogChoice, LogLine, parsed

JSON = (
    '{"Timestamp":"2026-01-31T09:00:01.000Z","Body":"x","Resource":{"service.name":"a","service.instance.id":"a/2"},'
    '"Attributes":{}}'
)
LOG = [
    "2026-01-31T09:00:00.000Z a/1 life=1 pid=5 error: the application failed",
    "    Traceback",
    JSON,
    '1.2.3.4 - - "GET / HTTP/1.1" 200 5',
    "2026-01-31T09:00:02.500Z b/1 life=3 pid=7 stdout: hello",
    "2026-01-31T09:00:03.000Z manager pid=1 info: text",
]
BEGIN = 1769850000.0


def test_each_line_says_when_and_whose() -> None:
    assert [parsed(line) for line in LOG] == [
        LogLine(BEGIN, "a", 1),
        LogLine(further=True),
        LogLine(BEGIN + 1, "a", 2),
        LogLine(),
        LogLine(BEGIN + 2.5, "b", 1),
        LogLine(BEGIN + 3),
    ]
    assert parsed('{"Timestamp":"2026-01-31T09:00:01Z","Resource":[') == LogLine(BEGIN + 1)


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (LogChoice(), [0, 1, 2, 3, 4, 5]),
        (LogChoice(slots=frozenset({1})), [0, 1, 4]),
        (LogChoice(group="a"), [0, 1, 2]),
        (LogChoice(group="a", slots=frozenset({2})), [2]),
        (LogChoice(since_s=BEGIN + 1), [2, 3, 4, 5]),
        (LogChoice(since_s=BEGIN + 9), []),
        (LogChoice(pattern=re.compile("failed")), [0, 1]),
        (LogChoice(pattern=re.compile("Trace")), [1]),
        (LogChoice(pattern=re.compile("GET|hello"), since_s=BEGIN + 2), [4]),
    ],
)
def test_what_is_asked_for(choice: LogChoice, expected: list[int]) -> None:
    assert [LOG.index(line) for line in choice.of(LOG)] == expected


def stamped(second: int) -> str:
    clock = f"{9 + second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}.000"
    return f"2026-01-31T{clock}Z a/1 life=1 pid=5 info: {second}\n"


@pytest.mark.parametrize("since", [0.5, 1, 777, 3600, 8999, 9000, 20000])
def test_what_was_written_since_a_time_is_found_in_a_long_log(tmp_path: Path, since: float) -> None:
    path = tmp_path / "a.log"
    path.write_text("".join(stamped(second) + "    more\n" for second in range(9000)))
    log = FollowedLog(str(path))
    found = log.last(None, LogChoice(since_s=BEGIN + since))
    log.close()
    numbers = [int(line.rpartition(" ")[2]) for line in found if not line.startswith(" ")]
    assert numbers == [second for second in range(9000) if second >= since]
    assert len(found) == 2 * len(numbers)


def test_renamed_logs_are_a_part_of_what_was_said(tmp_path: Path) -> None:
    for name, second in (("a.log.2", 1), ("a.log.1", 2), ("a.log", 3)):
        (tmp_path / name).write_text(stamped(second))
    log = FollowedLog(str(tmp_path / "a.log"))
    choice = LogChoice(since_s=BEGIN)
    assert [line[-1] for line in log.last(None, choice)] == ["1", "2", "3"]
    with (tmp_path / "a.log").open("a") as file:
        file.write(stamped(4))
    assert [line[-1] for line in log.added(choice)] == ["4"]
    (tmp_path / "a.log").rename(tmp_path / "x")
    (tmp_path / "a.log").write_text(stamped(5))
    assert log.added(choice) == []
    assert [line[-1] for line in log.added(choice)] == ["5"]
    log.close()
