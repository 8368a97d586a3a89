"""What is proposed instead of a mistake is what was written, in the form that is read; `--fix` writes it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from wsgigroups.cli.fixing import fix
from wsgigroups.config import load
from wsgigroups.config.diagnostics import did_you_mean
from wsgigroups.config.foreign_names import GROUP_KEYS, NOT_NEEDED, foreign_hint
from wsgigroups.config.reports import FORMATS, renderer
from wsgigroups.config.shape import OPTIONS
from wsgigroups.config.units import meant_bytes, meant_duration, parse_bytes, parse_duration

TOML = 'version = 1\n[groups.a]\napp = "a:b"\nlisten = ["127.0.0.1:1"]\n'
QUOTES = "put quotation marks around it, as it stands there"  # a value of environment may be a secret
YAML = "version: 1\ngroups:\n  a:\n    app: a:b\n    listen: ['127.0.0.1:1']\n"


@pytest.mark.parametrize(
    ("line", "hint", "fixed"),
    [
        ('request-timeout = "15 s"', 'write "15s"', 'request-timeout = "15s"'),
        ('request-timeout = "1 hour, 5 mins"', 'write "1h5m"', 'request-timeout = "1h5m"'),
        (
            'request-timeout = "soon"',
            'a number of seconds, or "90s", "5m", "1h30m", "250ms"; 0 turns a limit off',
            None,
        ),
        ('memory-limit = "300 MB"', 'write "300M" (powers of 1024)', None),
        ("memory-limit = 300", 'write "300M" if MiB are meant', None),
        ('threads = "5"', "write 5 without quotes", "threads = 5"),
        ('private-tmp = "yes"', "write true, without quotes", "private-tmp = true"),
        ('private-tmp = "1"', "write true, without quotes", None),
        ('python-path = 3.10  # "no"', None, None),
        ("environment = { VERSION = 3.10 }", QUOTES, 'environment = { VERSION = "3.10" }'),
        ("environment.MODE = 0o755", QUOTES, 'environment.MODE = "0o755"'),
        ("display-name = 5.10", 'write "5.10"', 'display-name = "5.10"'),
        ("umask = 22", 'write the octal digits in quotes: "22"', None),
        ("umask = 0o27", 'write the octal digits in quotes: "027"', None),
        ('request_timeout = "15s"', 'write "request-timeout"', 'request-timeout = "15s"'),
        ('"request_timeout" = "15s"', 'write "request-timeout"', 'request-timeout = "15s"'),
        ('supplementary-groups = ["1000"]', None, None),
    ],
)
def test_toml(tmp_path: Path, line: str, hint: str | None, fixed: str | None) -> None:
    check(tmp_path / "x.toml", f"{TOML}{line}\n", hint, f"{TOML}{fixed}\n" if fixed else None)


@pytest.mark.parametrize(
    ("line", "hint", "fixed"),
    [
        ("environment: {VERSION: 3.10}", QUOTES, 'environment: {VERSION: "3.10"}'),
        ("environment: {MODE: 0755, OTHER: x}", QUOTES, 'environment: {MODE: "0755", OTHER: x}'),
        ("environment: {ON: true}", 'write "true"', 'environment: {ON: "true"}'),
        ("umask: 022", 'write the octal digits in quotes: "022"', None),
        ("request-timeout: 15 s", 'write "15s"', 'request-timeout: "15s"'),
        ("private-tmp: yes", "write true, without quotes", "private-tmp: true"),
        ("request_timeout: 15  # s", 'write "request-timeout"', "request-timeout: 15  # s"),
    ],
)
def test_yaml(tmp_path: Path, line: str, hint: str | None, fixed: str | None) -> None:
    check(tmp_path / "x.yaml", f"{YAML}    {line}\n", hint, f"{YAML}    {fixed}\n" if fixed else None)


def check(path: Path, text: str, hint: str | None, fixed: str | None) -> None:
    path.write_text(text)
    loaded = load([path], trust=False, strict="_" in text)  # underscores are said with --strict alone
    wrong = [item for item in loaded.diagnostics if item.severity.value == "error" or item.fix]
    if hint is not None:
        assert [item.hint for item in wrong] == [hint]
    assert bool(fix(loaded)) is (fixed is not None)
    assert path.read_text() == (fixed or text)
    if fixed is not None:
        assert not load([path], trust=False).errors


def test_many_in_one_file_and_nothing_else_is_touched(tmp_path: Path) -> None:
    path, link = tmp_path / "x.yaml", tmp_path / "link.yaml"
    more = '    request_timeout: 15 s # "15 s"\n    environment: {A: 1, B: 2.50, C: "3"}\n    threads: "5"\n'
    text = f"# ü\r\n{YAML}{more}"
    path.write_bytes(text.encode())
    path.chmod(0o640)
    link.symlink_to(path)
    assert fix(load([link], trust=False, strict=True)) == {str(link): 5}
    assert fix(load([link], trust=False)) == {}
    after = text.replace("request_timeout: 15 s #", 'request-timeout: "15s" #').replace("1, B: 2.50", '"1", B: "2.50"')
    assert path.read_bytes() == after.replace('threads: "5"', "threads: 5").encode()
    assert (path.stat().st_mode & 0o777, link.is_symlink()) == (0o640, True)


def test_what_stands_elsewhere_is_left_alone(tmp_path: Path) -> None:
    """An alias stands for a value that others have too, a variable for what is set."""
    path = tmp_path / "x.yaml"
    text = f"x-time: &time 15 s\n{YAML}    request-timeout: *time\n    home: ${{HOME}}\n"
    path.write_text(text)
    loaded = load([path], trust=False)
    assert [item.fix for item in loaded.diagnostics if item.code == "WG0303"] == [None]
    assert fix(loaded) == {}


@pytest.mark.parametrize("text", ["15 s", "1 h 30 min", "2 Days", "250 msec", "1 minute and 5 s", "5M", "s", "", "1x"])
def test_durations_that_are_meant(text: str) -> None:
    meant = meant_duration(text)
    assert (meant is None) == (text in ("1 minute and 5 s", "5M", "s", "", "1x"))
    if meant:
        assert parse_duration(meant) > 0


@pytest.mark.parametrize(
    ("text", "size"), [("300 MB", 300 << 20), ("2 gib", 2 << 30), ("512kB", 512 << 10), ("3 x", 0)]
)
def test_sizes_that_are_meant(text: str, size: int) -> None:
    meant = meant_bytes(text)
    assert (parse_bytes(meant) if meant else 0) == size


def test_names_of_other_tools_are_none_of_ours_and_lead_to_ours() -> None:
    assert not {*GROUP_KEYS, *NOT_NEEDED} & set(OPTIONS)
    assert not set(GROUP_KEYS) & set(NOT_NEEDED)
    assert {ours for ours, _more in GROUP_KEYS.values()} <= set(OPTIONS)
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for name in (*GROUP_KEYS, *NOT_NEEDED))


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("harakiri = 30", "in wsgigroups: request-timeout"),
        ("max_requests = 1000", "in wsgigroups: maximum-requests"),
        ("numprocs = 3", "in wsgigroups: processes"),
        ("vacuum = true", "sockets are removed by the manager: leave it out"),
        ("thraeds = 3", 'did you mean "threads"?'),
    ],
)
def test_keys_of_other_tools(tmp_path: Path, line: str, hint: str) -> None:
    path = tmp_path / "x.toml"
    for text in (f"{TOML}{line}\n", f"{TOML}[defaults]\n{line}\n"):
        path.write_text(text)
        (found,) = [item for item in load([path], trust=False).diagnostics if item.code == "WG0201"]
        assert str(found.hint).startswith(hint)
    assert foreign_hint("no-such-key") is None
    assert did_you_mean("thraeds", OPTIONS)


def test_fixes_are_in_the_report_for_programs(tmp_path: Path) -> None:
    path = tmp_path / "x.toml"
    path.write_text(f'{TOML}request-timeout = "15 s"\n')
    loaded = load([path], trust=False)
    (found,) = json.loads(renderer("json")(loaded.diagnostics, [str(path)]))["diagnostics"]
    assert (found["fix"], found["span"]["column"]) == ('"15s"', 19)
    secret = tmp_path / "secret.toml"
    secret.write_text(f"{TOML}environment.PIN = 4711\n")
    covered = load([secret], trust=False)
    assert [item.fix for item in covered.diagnostics if item.code == "WG0312"] == ['"4711"']
    assert all("4711" not in renderer(form)(covered.diagnostics, []) for form in FORMATS if form != "text")
    concise = renderer("concise")(loaded.diagnostics, [str(path)])
    assert concise == f"{path}:5:19: error[WG0303] cannot read '15 s' as a duration; write \"15s\"\n"
