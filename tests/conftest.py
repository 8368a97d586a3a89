"""What every test shares: root tests only where there is root, a skip in CI is a failure, hypothesis repeats itself.

Runs in pytest's own process. Test files import the helpers of `tests/support` as `support.…` and the fixture
applications of `tests/apps` by their own name, as a daemon with that python-path does (pythonpath in pyproject.toml).
"""

from __future__ import annotations

import gc
import os
import shutil
import signal
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import Phase, settings
from support import sharing
from support.interpreters import Accessible
from support.ports import Ports

# A shell without job control has what it starts in the background ignore this, and so would all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

settings.register_profile("repeatable", derandomize=True, deadline=None, print_blob=True)
# whether a test fails is all that counts where a line was broken on purpose: tools/mutants.py
settings.register_profile(
    "unshrunk", parent=settings.get_profile("repeatable"), phases=[Phase.explicit, Phase.generate]
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


@pytest.fixture(scope="session")
def interpreters() -> Iterator[Accessible]:
    """Interpreters that the tenants of the tests can execute: a copy takes seconds, so there is one for all."""
    found = Accessible()
    yield found
    found.close()


@pytest.fixture
def port() -> Iterator[int]:
    """A loopback port that nobody has, and that no other test gets meanwhile."""
    ports = Ports()
    yield ports.reserve()
    ports.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    """What tools/check.py tells runs that go on at the same time."""
    group = parser.getgroup("sharing", "runs at the same time")
    group.addoption("--share", type=Path, metavar="DIRECTORY", help="run the files that no other run has taken")
    group.addoption("--failures", type=Path, metavar="FILE", help="write what failed, a line each, where all tests ran")
    group.addoption("--first", action="append", default=[], metavar="PATH", help="begin with what is there")


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Tell which tests failed; a run that was interrupted tells nothing, since it does not know."""
    file: Path | None = session.config.option.failures
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if file is not None and exitstatus == pytest.ExitCode.TESTS_FAILED and reporter is not None:
        reports = (*reporter.stats.get("failed", ()), *reporter.stats.get("error", ()))
        file.write_text("".join(f"{name}\n" for name in dict.fromkeys(report.nodeid for report in reports)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> bool | None:
    """Share the files out among runs, where there are several; else all is as ever."""
    options = session.config.option
    if options.share is None or options.collectonly or session.testsfailed:
        return None
    sharing.run(session, options.share, options.first)
    return True


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what is marked for another account or machine: it belongs to another run, it is not missing in this."""
    others = "ordinary" if os.geteuid() == 0 else "root"
    elsewhere = "" if os.environ.get("WSGIGROUPS_VM") else "vm"
    left_out = [item for item in items if item.get_closest_marker(others) or item.get_closest_marker(elsewhere)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)
        items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Keep thousands of collected tests out of the collector's way: looking at them takes it half a second."""
    gc.collect()
    gc.freeze()


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip a test marked `needs` where one of its programs is missing: a newcomer's machine need not have strace."""
    for marker in item.iter_markers("needs"):
        absent = [program for program in marker.args if shutil.which(program) is None]
        if absent:
            pytest.skip(f"{', '.join(absent)} not installed")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip into a failure in CI, where everything that a test needs is installed."""
    report = yield
    if report.skipped and os.environ.get("CI") and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and CI has no reason to skip: {report.longrepr}"
    return report
