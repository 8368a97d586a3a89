"""Which listeners a service manager is given to keep, and which it is asked to let go."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from support.service_manager import ServiceManager, service_manager

from wsgigroups.manager.core import model
from wsgigroups.manager.supervision.listeners import Listeners
from wsgigroups.manager.supervision.passed import accept
from wsgigroups.manager.systemd.fdstore import FdStore, places
from wsgigroups.manager.systemd.notifying import Notifier
from wsgigroups.plan.desired import ListenerTarget


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ServiceManager]:
    with service_manager(tmp_path) as listening:
        yield listening


@pytest.fixture
def shell() -> Iterator[Any]:
    held = Listeners()
    yield SimpleNamespace(state=model.State(), listeners=held)
    held.close_all()


def bind(shell: Any, directory: Path, *names: str) -> None:
    targets = [ListenerTarget(f"unix:{directory}/{name}.sock") for name in names]
    shell.listeners.commit("a", targets, shell.listeners.prepare("a", targets))


def test_each_listener_is_given_once_and_taken_back_when_it_goes(
    service: ServiceManager, shell: Any, tmp_path: Path
) -> None:
    store = FdStore(Notifier(service.address), 8, print)
    bind(shell, tmp_path, "one", "two")
    for _again in range(2):
        store.look(shell, settled=True)
        service.read()
        assert [name for name, _fd in service.stored] == sorted(shell.listeners.by_name())
    shell.listeners.release("a", [f"unix:{tmp_path}/one.sock"])
    store.look(shell, settled=True)
    service.read()
    assert [name for name, _fd in service.stored] == list(shell.listeners.by_name())


def test_what_is_kept_stays_kept_at_the_end(service: ServiceManager, shell: Any, tmp_path: Path) -> None:
    store = FdStore(Notifier(service.address), 8, print)
    bind(shell, tmp_path, "one")
    store.look(shell, settled=True)
    shell.state = replace(shell.state, stopping=True)
    shell.listeners.release("a", [f"unix:{tmp_path}/one.sock"], ending=True)
    store.look(shell, settled=True)
    service.read()
    assert len(service.stored) == 1
    assert (tmp_path / "one.sock").exists()


def test_what_was_kept_waits_for_its_group_until_all_has_settled(
    service: ServiceManager, shell: Any, tmp_path: Path
) -> None:
    store = FdStore(Notifier(service.address), 8, print)
    former = Listeners()
    target = ListenerTarget(f"unix:{tmp_path}/one.sock")
    former.commit("a", [target], former.prepare("a", [target]))
    [(name, held)] = former.by_name().items()
    accept(shell.listeners.passed, os.dup(held.sock.fileno()), name, print)
    store.look(shell, settled=False)
    service.read()
    assert service.messages == []
    store.look(shell, settled=True)
    service.read()
    assert service.messages == [["FDSTOREREMOVE=1", f"FDNAME={name}"]]
    former.close_all()


def test_more_than_there_are_places_for_is_said_once(service: ServiceManager, shell: Any, tmp_path: Path) -> None:
    said: list[str] = []
    store = FdStore(Notifier(service.address), 1, lambda _level, text: said.append(text))
    bind(shell, tmp_path, "one", "two")
    for _again in range(2):
        store.look(shell, settled=True)
    service.read()
    assert len(service.stored) == 1
    assert said == ["the service manager keeps 1 listeners of 2: raise FileDescriptorStoreMax="]


@pytest.mark.parametrize(("environment", "number"), [({"FDSTORE": "512"}, 512), ({"FDSTORE": "x"}, 0), ({}, 0)])
def test_the_service_manager_says_how_many_it_keeps(environment: dict[str, str], number: int) -> None:
    assert places(environment) == number
    assert environment == {}
