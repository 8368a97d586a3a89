"""What a large configuration costs, and what commands do not import. Processor time of a whole command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MEASURE = """\
import re, resource, sys
from wsgigroups.cli.main import cli
status = cli.main(sys.argv[1:], standalone_mode=False)
used = resource.getrusage(resource.RUSAGE_SELF)
# ru_maxrss would count what the process was before exec
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
print("used", status, used.ru_utime + used.ru_stime, peak, " ".join(sorted(sys.modules)))
"""


def measured(*arguments: str) -> tuple[str, float, int, set[str]]:
    """Exit code, processor seconds, peak KiB and imported modules of a command."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True)
    status, cpu_s, peak_kib, *modules = done.stdout.rpartition("used ")[2].split()
    return status, float(cpu_s), int(peak_kib), set(modules)


def group(i: int) -> list[str]:
    return [
        f"[groups.g{i:04}]",
        f'app = "app{i}.wsgi:application"',
        f'listen = ["127.0.0.1:{10000 + i}"]',
        "processes = 2",
        "threads = 5",
        f'python-path = ["/tmp", "/"]  # {i}',
        'request-timeout = "60s"',
        'graceful-timeout = "15s"',
        'memory-limit = "1M"',
        f'environment = {{ DJANGO_SETTINGS_MODULE = "app{i}.settings", A = "b" }}',
        "",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [False, True])
def test_a_thousand_groups_in_one_file(tmp_path: Path, wrong: bool) -> None:
    lines = ["version = 1", "[defaults]", "keep-alive-timeout = 10"]
    for i in range(1000):
        lines += group(i)
    if wrong:
        lines += ["[groups.last]", "threadz = 1", 'listen = ["0.0.0.0:10999"]', 'app = "a:a"']
    path = tmp_path / "groups.toml"
    path.write_text("\n".join(lines))
    status, cpu_s, peak_kib, _modules = measured("validate", "--offline", str(path))
    assert status == ("2" if wrong else "0")
    assert cpu_s < 1.5
    assert peak_kib < 150 * 1024


@pytest.mark.slow
def test_a_thousand_groups_in_yaml(tmp_path: Path) -> None:
    """0.9 s where TOML takes 0.5 s; the bound leaves room for a busy machine."""
    lines = ["version: 1", "groups:"]
    for i in range(1000):
        lines += [f"  g{i:04}:", f"    app: app{i}.wsgi:application", f"    listen: ['127.0.0.1:{10000 + i}']"]
        lines += ["    processes: 2", "    threads: 5", "    request-timeout: 60s", "    environment: {A: b, C: d}"]
    path = tmp_path / "groups.yaml"
    path.write_text("\n".join(lines))
    status, cpu_s, peak_kib, _modules = measured("validate", "--offline", str(path))
    assert status == "0"
    assert cpu_s < 2.5
    assert peak_kib < 150 * 1024


@pytest.mark.slow
def test_a_thousand_groups_against_this_host(tmp_path: Path) -> None:
    """Interpreters are asked once, not once for each group."""
    path = tmp_path / "groups.toml"
    path.write_text("version = 1\n" + "\n".join(line for i in range(1000) for line in group(i)))
    _status, cpu_s, peak_kib, _modules = measured("validate", str(path))
    assert cpu_s < 3.0
    assert peak_kib < 150 * 1024


@pytest.mark.parametrize(
    ("arguments", "without"),
    [
        (["schema"], {"pydantic", "rich", "ruamel.yaml", "aiohttp", "asyncio"}),
        (["explain", "threads"], {"pydantic", "rich", "ruamel.yaml", "aiohttp", "asyncio"}),
        (["explain", "WG0201"], {"pydantic", "rich", "ruamel.yaml", "aiohttp", "asyncio"}),
        (["validate", "--offline", "FILE"], {"rich", "ruamel.yaml", "aiohttp", "asyncio"}),
        (["config", "show", "FILE"], {"rich", "ruamel.yaml", "aiohttp", "asyncio"}),
        (["validate", "--offline", "EMPTY"], {"pydantic", "rich", "ruamel.yaml"}),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_commands_import_what_they_need(tmp_path: Path, arguments: list[str], without: set[str]) -> None:
    (tmp_path / "groups.toml").write_text('version = 1\n[groups.a]\napp = "a:a"\nlisten = ["127.0.0.1:1"]\n')
    (tmp_path / "empty.toml").write_text("")
    names = {"FILE": str(tmp_path / "groups.toml"), "EMPTY": str(tmp_path / "empty.toml")}
    _status, _cpu_s, _peak, modules = measured(*[names.get(item, item) for item in arguments])
    assert not modules & without
