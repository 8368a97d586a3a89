"""What a large configuration costs, and what commands do not import. Processor time of a whole command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

MAXIMUM_CPU_S = 1.5
MAXIMUM_PEAK_KIB = 150 * 1024
MEASURE = """\
import re, resource, sys
from wsgigroups.cli.main import cli
status = cli.main(sys.argv[1:], standalone_mode=False)
used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
# ru_maxrss would count what the process was before exec
peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
print("used", status, sum(item.ru_utime + item.ru_stime for item in used), peak, " ".join(sorted(sys.modules)))
"""


def measured(*arguments: str) -> tuple[str, float, int, set[str]]:
    """Exit code, processor seconds (of interpreters it starts, too), peak KiB and imported modules of a command."""
    done = subprocess.run([sys.executable, "-c", MEASURE, *arguments], capture_output=True, text=True, check=True)
    status, cpu_s, peak_kib, *modules = done.stdout.rpartition("used ")[2].split()
    return status, float(cpu_s), int(peak_kib), set(modules)


def check(status: str, *arguments: str, cpu_s: float = MAXIMUM_CPU_S) -> None:
    """A command ends as expected within its bounds; once more where it did not, as other processes share the caches."""
    found, used_s, peak_kib, _modules = measured(*arguments)
    if used_s >= cpu_s:
        found, used_s, peak_kib, _modules = measured(*arguments)
    assert found == status
    assert used_s < cpu_s
    assert peak_kib < MAXIMUM_PEAK_KIB


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
@pytest.mark.measured
def test_a_thousand_groups_in_one_file(tmp_path: Path, wrong: bool) -> None:
    lines = ["version = 1", "[defaults]", "keep-alive-timeout = 10"]
    for i in range(1000):
        lines += group(i)
    if wrong:
        lines += ["[groups.last]", "threadz = 1", 'listen = ["0.0.0.0:10999"]', 'app = "a:a"']
    path = tmp_path / "groups.toml"
    path.write_text("\n".join(lines))
    check("2" if wrong else "0", "validate", "--offline", str(path))


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [False, True])
@pytest.mark.measured
def test_a_thousand_groups_in_yaml(tmp_path: Path, wrong: bool) -> None:
    lines = ["version: 1", "groups:"]
    for i in range(1000):
        lines += [f"  g{i:04}:", f"    app: app{i}.wsgi:application", f"    listen: ['127.0.0.1:{10000 + i}']"]
        lines += ["    processes: 2", "    threads: 5", "    request-timeout: 60s", "    environment: {A: b, C: d}"]
    lines += ["    threadz: 1"] if wrong else []
    path = tmp_path / "groups.yaml"
    path.write_text("\n".join(lines))
    check("2" if wrong else "0", "validate", "--offline", str(path))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["toml", "yaml"])
@pytest.mark.measured
def test_a_thousand_groups_against_this_host(tmp_path: Path, suffix: str) -> None:
    """Interpreters are asked once, not once for each group. Nothing here has an application: those are warnings."""
    path = tmp_path / f"groups.{suffix}"
    if suffix == "toml":
        path.write_text("version = 1\n" + "\n".join(line for i in range(1000) for line in group(i)))
    else:
        text = "version: 1\ngroups:\n"
        text += "".join(
            f"  g{i}:\n    app: app{i}.wsgi:application\n    listen: ['127.0.0.1:{10000 + i}']\n"
            "    python-path: [/tmp]\n"
            for i in range(1000)
        )
        path.write_text(text)
    check("0", "validate", str(path))
    check("2", "validate", "--strict", str(path))


@pytest.mark.measured
def test_what_a_command_costs_that_does_nothing() -> None:
    """0.06 s on the machine it was written on; the interpreter itself takes 0.02 s of it."""
    program = (
        "import resource, subprocess, sys\n"
        "subprocess.run([sys.executable, '-m', 'wsgigroups', '--version'], check=True, stdout=subprocess.DEVNULL)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "print(used.ru_utime + used.ru_stime)\n"
    )
    used = [
        float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)
        for _run in range(2)
    ]
    assert min(used) < 0.25


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
