"""What keeps an apply from beginning: what is certain, and nothing that a host might allow all the same."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from support.configurations import codes

from wsgigroups.config import load
from wsgigroups.config.diagnostics import Severity
from wsgigroups.host.checks.certain import certain
from wsgigroups.host.real import RealHost

TEXT = (
    'version = 1\n[groups.a]\nscript = "{0}/a.wsgi"\nlisten = ["127.0.0.1:1"]\nuser = "#4242"\nhome = "{0}"\n'
    'python-path = ["{0}/lib"]\nread-only-paths = ["{0}/gone"]\n'
)


class Root(RealHost):
    """This host as root asks it; a question that starts a program or reads a file of a site fails the test."""

    def __init__(self) -> None:
        super().__init__()
        self.answers["privileged"] = {"[]": True}
        self.answers["addresses"] = {"[]": ["127.0.0.1"]}

    def ask(self, question: str, *arguments: str) -> object:
        assert question not in ("interpreter", "application", "locales", "certificate", "page"), question
        return super().ask(question, *arguments)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "groups.toml").write_text(TEXT.format(tmp_path / "site"))
    return tmp_path / "groups.toml"


def test_what_is_missing_is_refused(path: Path) -> None:
    found = codes(load([path], check=certain(Root()), trust=False))
    assert [code for code in found if code.startswith("WG06")] == ["WG0608", "WG0613", "WG0612", "WG0636"]


def test_what_is_closed_to_its_user_is_not(path: Path, tmp_path: Path) -> None:
    (tmp_path / "site" / "lib").mkdir(parents=True)
    (tmp_path / "site" / "a.wsgi").write_text("raise")
    (tmp_path / "site").chmod(0o700)  # an access control list may open it
    loaded = load([path], check=certain(Root()), trust=False)
    assert not loaded.errors
    assert {item.code for item in loaded.diagnostics if item.severity is Severity.WARNING} >= {"WG0623"}


def test_what_root_cannot_see_is_not_missing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share may make root nobody, while the group's own user gets at it."""
    real = os.stat

    def refused(name: object, *arguments: object, **more: object) -> object:
        if "site" in str(name):
            raise PermissionError(13, "Permission denied")
        return real(name, *arguments, **more)  # type: ignore[arg-type]

    host = Root()
    monkeypatch.setattr("wsgigroups.host.real.os.stat", refused)
    assert not load([path], check=certain(host), trust=False).errors
    assert set(host.answers["path"].values()) == {"hidden"}
    assert json.dumps(host.answers)


def test_warnings_are_told_before_an_apply_and_keep_it_from_nothing(tmp_path: Path) -> None:
    host = RealHost()
    limits = {"somaxconn": 64, "nproc": 4, "memory_bytes": 2**20, "ngroups_max": 65536, "unprivileged_port": 1024}
    host.answers["limits"] = {"[]": limits}
    path = tmp_path / "groups.toml"
    path.write_text('version = 1\n[groups.a]\napp = "a:b"\nlisten = ["127.0.0.1:8000"]\nmemory-limit = "512M"\n')
    loaded = load([path], check=certain(host))
    assert loaded.configuration is not None
    assert {"WG0614", "WG0616"} <= set(codes(loaded))


SITES = """
version = 1
[gateway]
user = "#4242"
[defaults]
user = "#4242"
app = "a:b"
[groups.a]
listen = ["127.0.0.1:8000"]
trusted-proxies = ["127.0.0.1"]
environment = { PASSWORD = "x" }
[groups.b]
[sites."www.example.org"]
listen = ["127.0.0.1:8443", "192.0.2.1:8443"]
process-group = "b"
certificate = "gone.crt"
certificate-key = "gone.key"
error-pages = { 502 = "gone.html" }
static = [{ path = "/s", directory = "DIRECTORY" }]
mounts = [{ path = "/" }]
"""


def test_what_groups_share_is_told_before_an_apply(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(SITES.replace("DIRECTORY", str(tmp_path)))
    host = Root()
    host.answers["open_to_others"] = {json.dumps([str(path)]): True}
    loaded = load([path], check=certain(host), trust=False)
    assert {code for code in codes(loaded) if code.startswith("WG06")} == {
        "WG0619",  # an address that is nobody's
        "WG0633",  # groups of one user
        "WG0634",  # a secret that everybody can read
        "WG0635",  # a proxy that everybody can be
        "WG0655",  # an application with the gateway's user
    }


def test_what_the_gateway_could_not_start_with_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(SITES.replace("DIRECTORY", "/gone").replace("[gateway]", '[gateway]\nengine = "nginx"'))
    host = Root()
    host.answers["lacks_nginx"] = {"[]": True}
    loaded = load([path], check=certain(host), trust=False)
    assert loaded.errors
    assert {"WG0613", "WG0657"} <= set(codes(loaded))
