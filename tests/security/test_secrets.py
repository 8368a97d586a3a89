"""Secrets: told to nobody who plans, compared by digests that cannot be guessed, named when everybody can read them."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from support.manager import APPS, ManagerUnderTest

from wsgigroups.config import Configuration
from wsgigroups.manager.store import Store
from wsgigroups.targets.resolve import Surroundings, resolve

SECRET = "hunter2"


def digest(key: bytes, group: str = "a", name: str = "PASSWORD", value: str = SECRET) -> str:
    document = {"version": 1, "groups": {group: {"app": "a:b", "user": "nobody", "environment": {name: value}}}}
    targets = resolve(
        Configuration.from_document(document), Surroundings(Path("/run/w"), Path("/tmp"), Path("/"), {}, key)
    )
    return targets[group].options[f"environment.{name}"]


def test_a_digest_says_only_whether_it_is_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 4711)  # nobody's interpreter or account is in question here
    key = b"k" * 32
    assert digest(key) == digest(key)
    others = [digest(b"o" * 32), digest(key, group="b"), digest(key, name="OTHER"), digest(key, value="x")]
    assert digest(key) not in others
    assert len(set(others)) == len(others)
    for plain in (SECRET, f"a\0PASSWORD\0{SECRET}"):
        assert hashlib.sha256(plain.encode()).hexdigest()[:8] not in digest(key)


def test_the_key_is_made_once_and_is_the_managers_alone(tmp_path: Path) -> None:
    first, second = Store(tmp_path / "one"), Store(tmp_path / "two")
    for store in (first, second):
        store.prepare()
    assert first.digest_key() == first.digest_key() != second.digest_key()
    path = tmp_path / "one" / "digest.key"
    assert path.stat().st_mode & 0o777 == 0o600
    path.write_bytes(b"short")
    said: list[str] = []
    made = first.digest_key(lambda _level, text: said.append(text))  # a manager that did not start would be no help
    assert "it has 5 bytes, not 32" in said[0]
    assert first.digest_key() == made
    assert path.with_name("digest.key.damaged-1").read_bytes() == b"short"


def test_a_plan_after_a_restart_of_the_manager_sees_no_change(manager: ManagerUnderTest) -> None:
    text = (
        f'[groups.a]\napp = "hello_app:application"\npython-path = ["{APPS}"]\n'
        f'listen = ["127.0.0.1:{manager.port()}"]\nenvironment = {{ PASSWORD = "{SECRET}" }}\n'
    )
    manager.apply(text)
    planned = manager.cli("plan", "-o", "json", str(manager.write(text.replace(SECRET, "other"))))
    assert SECRET not in planned.stdout
    assert "digest" in planned.stdout
    assert json.loads(manager.cli("plan", "-o", "json", str(manager.write(text))).stdout)["empty"]


def test_a_file_that_everybody_can_read_is_named(manager: ManagerUnderTest) -> None:
    path = manager.write('[groups.a]\napp = "a:b"\nenvironment = { SECRET_KEY = "x" }\n')
    for mode, said in ((0o644, True), (0o640, False)):
        path.chmod(mode)
        done = manager.cli("validate", str(path))
        assert ("WG0634" in done.stdout + done.stderr) is said
