"""What may not be imported or called where: the core stays pure, the runtime standard library and Python 3.8.

Reads syntax trees; the layers between packages are import-linter's (pyproject.toml).
"""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from support.tree import ROOT, calls, imported, parsed, python_files

WORLD = {"time", "os", "socket", "select", "threading", "subprocess", "logging"}
PURE_OF_THE_GATEWAY = (
    *("answers", "codings", "forwarding", "http_dates", "packets", "pages", "preconditions"),
    *("proxy_header", "router"),
)
PURE = (
    *("wsgigroups/plan", "wsgigroups/lifecycle", "wsgigroups/manager/core", "wsgigroups/runtime/protocol"),
    *(
        "wsgigroups/gateway",
        "wsgigroups/interop",
        "wsgigroups/metrics",
        "wsgigroups/trust/judging.py",
        "wsgigroups/runtime/text.py",
    ),
    "wsgigroups/runtime/wire/media_types.py",
    *(f"wsgigroups/runtime/gateway/{name}.py" for name in PURE_OF_THE_GATEWAY),
)
OPTIONAL_IN_RUNTIME = {"setproctitle"}  # used where an interpreter has them, never needed
UNSAFE_MODULES = {"pickle", "marshal", "shelve", "dbm"}
UNSAFE_CALLS = {"eval", "exec", "os.system", "os.popen", "yaml.load", "tempfile.mktemp"}
RUNS_SCRIPTS = {Path("wsgigroups/runtime/daemon/script.py")}  # a script file is run, that is what it is for
WALL_CLOCK = {"time.time", "datetime.now", "datetime.datetime.now", "datetime.utcnow", "datetime.datetime.utcnow"}
TELLS_THE_TIME = {
    Path("wsgigroups/cli/deaths.py"),  # which deaths are of today
    Path("wsgigroups/cli/moments.py"),  # --since is before now, on the clock of the stamps
    Path("wsgigroups/cli/status_table.py"),  # how long ago a revision was rolled back
    Path("wsgigroups/config/reading.py"),  # how long ago a file was written: file times are wall clock
    Path("wsgigroups/host/real.py"),  # whether a certificate has ended
    Path("wsgigroups/manager/control/auditing.py"),
    Path("wsgigroups/manager/control/showing_sites.py"),  # how many days a certificate has left
    Path("wsgigroups/manager/asking.py"),  # whether a certificate has ended
    Path("wsgigroups/manager/main.py"),
    Path("wsgigroups/manager/observing/telemetry_sender.py"),  # stamps of what it sends
    Path("wsgigroups/manager/ordering.py"),  # when a certificate is due, which a manager that follows has to know
    Path("wsgigroups/manager/store.py"),
    Path("wsgigroups/manager/supervision/dying.py"),  # when one ended
    Path("wsgigroups/manager/supervision/log_rotation.py"),  # how old a log is, on the clock of its records
    Path("wsgigroups/manager/supervision/processes.py"),  # when one began
    Path("wsgigroups/runtime/application/here.py"),  # to an application, as mod_wsgi does
    Path("wsgigroups/runtime/application/request_events.py"),
    Path("wsgigroups/runtime/log.py"),
    Path("wsgigroups/runtime/records/access.py"),  # of a request, to people, as a stamp; durations are monotonic
    Path("wsgigroups/runtime/front/dates.py"),
    Path("wsgigroups/runtime/gateway/files.py"),  # no file was modified later than now
    Path("wsgigroups/runtime/spawner/loop.py"),  # when one ended that nobody manages
    Path("wsgigroups/runtime/calls/waiting.py"),  # X-Request-Start of a gateway is wall-clock time
}


@pytest.mark.parametrize("top", PURE)
def test_the_core_does_not_touch_the_world(top: str) -> None:
    paths = python_files(top)
    assert paths, f"{top} is gone: mend the list above"
    for path in paths:
        touched = {name for name in imported(path) if name.partition(".")[0] in WORLD}
        assert not touched, f"{path} imports {', '.join(sorted(touched))}"


def test_the_runtime_needs_nothing_but_the_standard_library() -> None:
    for path in python_files("wsgigroups/runtime"):
        tops = {name.partition(".")[0] for name in imported(path)}
        foreign = tops - sys.stdlib_module_names - OPTIONAL_IN_RUNTIME - {"runtime", "wsgigroups", "__future__"}
        assert not foreign, f"{path} imports {', '.join(sorted(foreign))}"
        absolute = {name for name in imported(path) if name.startswith("wsgigroups.")}
        outside = {name for name in absolute if not name.startswith("wsgigroups.runtime")}
        assert not outside, f"{path} imports {', '.join(sorted(outside))}"


def test_what_arrives_is_never_code() -> None:
    for path in python_files("wsgigroups", "tools"):
        unsafe = {name for name in imported(path) if name.partition(".")[0] in UNSAFE_MODULES}
        assert not unsafe, f"{path} imports {', '.join(sorted(unsafe))}"
        if path not in RUNS_SCRIPTS:
            found = [f"{path}:{line} calls {name}" for line, name in calls(path) if name in UNSAFE_CALLS]
            assert not found, found


def test_no_shell() -> None:
    for path in python_files("wsgigroups", "tools", "benchmarks"):
        for node in ast.walk(parsed(path)):
            shell = isinstance(node, ast.keyword) and node.arg == "shell"
            assert not shell, f"{path}:{node.lineno} gives a command to a shell"  # type: ignore[attr-defined]


def test_durations_are_not_measured_by_the_wall_clock() -> None:
    for path in python_files("wsgigroups"):
        if path not in TELLS_THE_TIME:
            found = [f"{path}:{line} calls {name}" for line, name in calls(path) if name in WALL_CLOCK]
            assert not found, found


@pytest.mark.parametrize("top", ["wsgigroups/runtime", "tests/apps"])
def test_the_syntax_is_that_of_python_3_8(top: str) -> None:
    frameworks = Path("tests/apps/django_site")
    for path in python_files(top):
        if path.parent != frameworks and "broken" not in path.parts:
            ast.parse((ROOT / path).read_bytes(), str(path), feature_version=(3, 8))


def test_the_runtime_compiles_in_every_python_here() -> None:
    """Each interpreter on PATH from 3.8 up compiles every file; nothing is written."""
    code = "import sys\nfor path in sys.argv[1:]: compile(open(path, 'rb').read(), path, 'exec')"
    paths = [str(ROOT / path) for path in python_files("wsgigroups/runtime")]
    names = [f"python3.{minor}" for minor in range(8, 16)]
    programs = [sys.executable, *(found for name in names if (found := shutil.which(name)))]
    for program in programs:
        done = subprocess.run([program, "-I", "-c", code, *paths], capture_output=True, text=True, check=False)
        if "not found" in done.stderr and "pyenv" in done.stderr:  # a launcher without a version behind it
            continue
        assert done.returncode == 0, f"{program}: {done.stderr}"
