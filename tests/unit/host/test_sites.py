"""What validate says of sites on a host: certificates by their days, files, names, who shares the gateway's user."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.tree import ROOT

from wsgigroups.config import load
from wsgigroups.host.checks.host import against
from wsgigroups.host.real import RealHost

PEMS = ROOT / "tests" / "support" / "certificates"
USERS = {"web": 33, "joe": 1000, "root": 0}
GOOD: dict[str, Any] = {"problem": None, "days_left": 100, "expires_at": "2027-01-01T00:00:00Z"}


class Host:
    """A host with one certificate."""

    def __init__(self, certificate: dict[str, Any] | None = None, page: str | None = None) -> None:
        self.certificate, self.page_problem = certificate or GOOD, page
        self.privileged = True

    def ask(self, question: str, *arguments: str) -> Any:
        return getattr(self, f"_{question}", lambda *_: None)(*arguments)

    def prepare(self, _applications: object) -> None:
        pass

    def _privileged(self) -> bool:
        return self.privileged

    def _user(self, name: str) -> dict[str, Any] | None:
        uid = USERS.get(name)
        return None if uid is None else {"name": name, "uid": uid, "gid": uid, "home": None}

    def _group(self, name: str) -> int | None:
        return USERS.get(name)

    def _names(self, _what: str) -> list[str]:
        return sorted(USERS)

    def _limits(self) -> dict[str, Any]:
        return dict.fromkeys(("somaxconn", "nproc", "memory_bytes", "ngroups_max")) | {"unprivileged_port": 1024}

    def _addresses(self) -> list[str]:
        return ["127.0.0.1"]

    def _path(self, path: str) -> str | None:
        return None if path.endswith("gone") else "directory"

    def _interpreter(self, _home: str) -> dict[str, Any]:
        return {"error": "it is not looked at", "hint": None}

    def _certificate(self, *_arguments: str) -> dict[str, Any]:
        return self.certificate

    def _lacks_acme(self) -> bool:
        return self.certificate is not GOOD

    def _lacks_nginx(self) -> bool:
        return self.certificate is not GOOD

    def _page(self, *_arguments: str) -> str | None:
        return self.page_problem


def codes(tmp_path: Path, host: Any, more: str = "", gateway: str = "web", user: str = "joe") -> set[str]:
    path = tmp_path / "groups.toml"
    path.write_text(
        f'version = 1\n[gateway]\nuser = "{gateway}"\n[groups.blog]\nuser = "{user}"\napp = "blog:app"\n'
        f'[sites."a.example.org"]\nlisten = ["127.0.0.1:443"]\nprocess-group = "blog"\n'
        f'certificate = "{PEMS}/one.crt"\ncertificate-key = "{PEMS}/one.key"\n{more}'
        f'[[sites."a.example.org".mounts]]\npath = "/"\n'
    )
    return {item.code for item in load([path], check=against(host), trust=False).diagnostics} - {
        "WG0604",
        "WG0606",
        "WG0607",
    }


@pytest.mark.parametrize(
    ("days", "expected"), [(100, set()), (14, set()), (13, {"WG0653"}), (0, {"WG0653"}), (-1, {"WG0652"})]
)
def test_certificates_are_warned_of_in_time(tmp_path: Path, days: int, expected: set[str]) -> None:
    assert codes(tmp_path, Host({**GOOD, "days_left": days})) == expected


def test_a_certificate_that_is_none_is_an_error(tmp_path: Path) -> None:
    problem = {"problem": "two.key is not the key of one.crt", "option": "certificate-key"}
    assert codes(tmp_path, Host(problem)) == {"WG0651"}


@pytest.mark.parametrize(
    ("more", "host", "expected"),
    [
        ('error-pages = { 502 = "p.html" }\n', Host(page="it is not UTF-8"), {"WG0654"}),
        ('error-pages = { 502 = "p.html" }\n', Host(), set()),
        ('static = [{ path = "/s", directory = "/gone" }]\n', Host(), {"WG0613"}),
        ('static = [{ path = "/s", directory = "/there" }]\n', Host(), set()),
    ],
)
def test_files_have_to_be_there(tmp_path: Path, more: str, host: Host, expected: set[str]) -> None:
    assert codes(tmp_path, host, more) == expected


def test_who_the_gateway_is(tmp_path: Path) -> None:
    assert codes(tmp_path, Host(), gateway="nosuch") == {"WG0601"}
    assert codes(tmp_path, Host(), gateway="joe") == {"WG0655"}
    ordinary = Host()
    ordinary.privileged = False
    assert "WG0620" in codes(tmp_path, ordinary), "port 443"


def test_the_real_host_reads_certificates_and_pages(tmp_path: Path) -> None:
    host = RealHost()
    found = host.ask("certificate", f"{PEMS}/one.crt", f"{PEMS}/one.key", "")
    if found["problem"] is None:  # as root a path that others could change is read as a stranger
        assert found["days_left"] > 1000
    wrong = host.ask("certificate", f"{PEMS}/one.crt", f"{tmp_path}/gone.key", "")
    assert wrong["option"] == "certificate-key"
    assert "gone.key" in wrong["problem"]
    assert host.ask("page", f"{tmp_path}/gone.html", "") == "No such file or directory"


@pytest.mark.parametrize(("there", "expected"), [(True, set()), (False, {"WG0656"})])
def test_orders_take_a_library(tmp_path: Path, there: bool, expected: set[str]) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(
        'version = 1\n[gateway]\nuser = "web"\nacme-terms-agreed = true\n'
        '[groups.blog]\nuser = "joe"\napp = "blog:app"\n'
        '[sites."a.example.org"]\nlisten = ["127.0.0.1:443"]\nprocess-group = "blog"\ncertificate = "acme"\n'
        '[[sites."a.example.org".mounts]]\npath = "/"\n'
    )
    found = load([path], check=against(Host(GOOD if there else {**GOOD})), trust=False).diagnostics
    assert {item.code for item in found} - {"WG0604", "WG0606", "WG0607"} == expected
    assert RealHost().ask("lacks_acme") is False


@pytest.mark.parametrize(("there", "expected"), [(True, set()), (False, {"WG0657"})])
def test_an_engine_of_the_distribution_is_installed(tmp_path: Path, there: bool, expected: set[str]) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(
        'version = 1\n[gateway]\nuser = "web"\nengine = "nginx"\n[groups.blog]\nuser = "joe"\napp = "blog:app"\n'
        '[sites."a.example.org"]\nlisten = ["127.0.0.1:8080"]\nprocess-group = "blog"\n'
        '[[sites."a.example.org".mounts]]\npath = "/"\n'
    )
    found = load([path], check=against(Host(GOOD if there else {**GOOD})), trust=False).diagnostics
    assert {item.code for item in found} - {"WG0604", "WG0606", "WG0607"} == expected
