"""What a measurement starts ends with it, also where root measures as another account, and where it fails."""

from __future__ import annotations

import http.client
import sys
from pathlib import Path

import psutil
import pytest
from support.manager import APPS

from benchmarks.cases import LAYOUTS
from benchmarks.load import LoadError
from benchmarks.peers import OURS, load
from benchmarks.serving import Ground, free_port, serving
from benchmarks.trial import Trial, trying
from tools import facts


@pytest.fixture
def ground() -> Ground:
    return Ground(Path(sys.prefix), APPS, facts.daemon_account())


def started(trial: Trial) -> list[psutil.Process]:
    """Apply one group; return the manager, its spawner and the daemon."""
    text = f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
    trial.run("apply", "--yes", str(trial.write(f'{text}listen = ["127.0.0.1:{free_port()}"]\nhome = "/"\n')))
    found = trial.processes()
    assert len(found) >= 3
    assert all(process.uids().real == trial.account.uid for process in found)
    return found


def living(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Who has not ended; orphans are reaped by whoever is init here, sooner or later."""
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_a_trial_leaves_nothing(ground: Ground) -> None:
    """As root it left a manager, a spawner and a hundred daemons: root's command sends nothing to another's manager."""
    with trying(ground) as trial:
        found = started(trial)
    assert living(found) == []
    assert not trial.directory.exists()


def test_a_trial_that_fails_leaves_nothing(ground: Ground) -> None:
    found = []

    def fail() -> None:
        with trying(ground) as trial:
            found.extend(started(trial))
            trial.run("no-such-command")

    with pytest.raises(LoadError, match="no-such-command"):
        fail()
    assert living(found) == []


def test_what_has_to_be_killed_is_killed_and_said(ground: Ground) -> None:
    found = []

    def lose_the_manager() -> None:
        with trying(ground) as trial:
            found.extend(started(trial))
            manager = next(process for process in found if "run" in process.cmdline())
            manager.kill()

    with pytest.raises(LoadError, match="had to be killed"):
        lose_the_manager()
    assert living(found) == []


def test_a_server_that_was_measured_leaves_nothing(ground: Ground) -> None:
    with serving(load(OURS), "hello_app", LAYOUTS[0], ground) as running:
        found = [psutil.Process(pid) for pid in running.roots]
        connection = http.client.HTTPConnection("127.0.0.1", running.job.port, timeout=10)
        connection.request("GET", "/")
        assert connection.getresponse().status == 200
        connection.close()
    assert living(found) == []
