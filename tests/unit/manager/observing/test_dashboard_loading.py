"""The manager's own dashboard costs nothing where none is wanted, and breaks nothing else where it cannot be had."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.dashboards import DashboardClient, PlayedSource
from support.observed import Observed, ask
from support.ports import Ports

from wsgigroups.config.observing import ObservingPlaces
from wsgigroups.errors import WsgigroupsError
from wsgigroups.manager.observing.served_dashboard import ServedDashboard


@pytest.fixture
def ports() -> Iterator[Ports]:
    with contextlib.closing(Ports()) as found:
        yield found


def test_a_manager_loads_nothing_of_it() -> None:
    script = (
        "import sys, wsgigroups.manager.main; "
        "print([name for name in sys.modules if name.startswith('wsgigroups.web') or 'dashboard' in name])"
    )
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_it_is_made_when_it_is_wanted_and_once(tmp_path: Path, ports: Ports) -> None:
    made = []
    source = PlayedSource()

    def make() -> ServedDashboard:
        made.append(ServedDashboard(source, lambda _level, _text: None))
        return made[-1]

    health, one, other = (f"127.0.0.1:{ports.reserve()}" for _ in range(3))
    with Observed(tmp_path, ObservingPlaces(health), make) as observed:
        assert ask(health, "/livez")[0] == 200
        with pytest.raises(WsgigroupsError, match="this manager has none"):
            observed.within(observed.observing.link)
        assert made == []
        for place in (one, other):
            observed.within(lambda place=place: observed.observing.follow(ObservingPlaces(health, dashboard=place)))
            client = DashboardClient(int(place.rpartition(":")[2]))
            assert client.enter(observed.within(observed.observing.link))[0] == 200
            assert client.get("/v1/groups/shop")["name"] == "shop"
        assert len(made) == 1
        observed.within(lambda: observed.observing.follow(ObservingPlaces(health)))
        with pytest.raises(ConnectionRefusedError):
            client.get("/v1/charts")
        assert ask(health, "/livez")[0] == 200


def test_what_cannot_be_loaded_is_told_and_keeps_nothing_else_from_work(tmp_path: Path, ports: Ports) -> None:
    def make() -> ServedDashboard:
        raise ImportError("of another version")

    health, own = (f"127.0.0.1:{ports.reserve()}" for _ in range(2))
    wanted = ObservingPlaces(health, dashboard=own)
    with Observed(tmp_path, wanted, make) as observed:
        assert ask(health, "/livez")[0] == 200
        assert any("of another version" in line for line in observed.logged)
        assert any("cannot load the dashboard" in line and "tried again" in line for line in observed.logged)
        with pytest.raises(WsgigroupsError, match="cannot load the dashboard"):
            observed.within(lambda: observed.observing.prepare(wanted))
