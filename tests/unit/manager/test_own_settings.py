"""What `[server]` says of the manager itself: the revision in force decides, whatever happens to an apply."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wsgigroups.config import Configuration
from wsgigroups.config.observing import ObservingPlaces
from wsgigroups.manager.own_settings import OwnSettings
from wsgigroups.manager.store import Store, Stored


def configuration(port: int, delay: str = "0") -> Configuration:
    server = {"health-listen": f"127.0.0.1:{port}", "drain-delay": delay}
    return Configuration.from_document({"version": 1, "server": server})


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """One with revisions 1 and 2."""
    made = Store(tmp_path / "state")
    made.prepare()
    made.save_revision(1, configuration(9001, "5s").to_document(), "done", "test")
    made.save_revision(2, configuration(9002, "10s").to_document(), "pending", "test")
    return made


class Listeners(SimpleNamespace):
    """The manager's own listeners, as far as they are told what is wanted."""

    places = ObservingPlaces()

    def follow(self, places: ObservingPlaces) -> None:
        self.places = places

    def commit(self, places: ObservingPlaces, _opened: Any) -> None:
        self.places = places


def own(store: Store) -> OwnSettings:
    return OwnSettings(store, observing=Listeners())  # type: ignore[arg-type]


def in_force(settings: OwnSettings) -> tuple[str, float]:
    assert settings.observing
    return settings.observing.places.health, settings.drain_delay_s


def test_an_apply_that_is_undone_gives_back_what_the_revision_in_force_says(store: Store) -> None:
    settings = own(store)
    settings.commit(configuration(9002, "10s").server, {})
    settings.commit(configuration(9003, "15s").server, {})  # overtakes it
    settings.follow_revision(1)
    assert in_force(settings) == ("127.0.0.1:9001", 5.0)


def test_the_next_manager_goes_by_the_revision_that_is_rolled_out_and_can_go_back(store: Store) -> None:
    """It knows nothing of what the one before had in force."""
    settings = own(store)
    settings.follow_revision(2)
    assert in_force(settings) == ("127.0.0.1:9002", 10.0)
    settings.follow_revision(1)
    assert in_force(settings) == ("127.0.0.1:9001", 5.0)


@pytest.mark.parametrize(
    "damage", [None, "{", json.dumps({"revision": 2, "document": {"server": {"drain-delay": "x"}}})]
)
def test_what_is_in_force_stays_where_the_revision_cannot_be_used(store: Store, damage: str | None) -> None:
    settings = own(store)
    settings.follow_revision(1)
    path = store.revisions / "00000002.json"
    path.unlink() if damage is None else path.write_text(damage)
    settings.follow_revision(2)
    assert in_force(settings) == ("127.0.0.1:9001", 5.0)


def test_a_revision_without_the_table_has_nothing_of_it(store: Store) -> None:
    store.save_revision(3, Configuration.from_document({"version": 1}).to_document(), "done", "test")
    settings = own(store)
    settings.follow_revision(1)
    settings.follow_revision(3)
    assert in_force(settings) == ("", 0.0)


def test_what_is_in_force_is_known_by_option(store: Store) -> None:
    settings = own(store)
    settings.follow_revision(1)
    assert settings.by_option() == {"health-listen": "127.0.0.1:9001", "drain-delay": "5s"}
    assert settings.are(configuration(9001, "5s").server)
    assert not settings.are(configuration(9001).server)
    assert not settings.are(configuration(9002, "5s").server)


def test_it_is_stored_for_a_manager_that_does_not_find_the_revision(store: Store) -> None:
    settings = own(store)
    settings.follow_revision(2)
    stored = Stored()
    settings.keep_in(stored)
    store.save(stored)
    found = Store(store.directory).load()
    assert (found.observing, found.drain_delay_s) == ({"health-listen": "127.0.0.1:9002"}, 10.0)
