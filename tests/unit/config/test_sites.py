"""Options of sites: what is accepted, what is refused, and what does not fit together on their addresses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from support.configurations import codes, messages, places

from wsgigroups.config import Loaded, load
from wsgigroups.config.sites import addresses_of, linked_groups, speaks_tls

SITE = '[groups.blog]\napp = "a:b"\n[sites."a.example.org"]\nprocess-group = "blog"\n'
MOUNT = '[[sites."a.example.org".mounts]]\npath = "/"\n'
PAIR = 'certificate = "/c.pem"\ncertificate-key = "/k.pem"\n'
PLAIN = 'listen = ["127.0.0.1:8080"]\n'


def site(check: Any, options: str) -> Loaded:
    found: Loaded = check(f"version = 1\n{SITE}{options}{MOUNT}")
    return found


@pytest.mark.parametrize(
    ("options", "attribute", "expected"),
    [
        ('error-pages = { 502 = "/a.html", "404" = "/b.html" }', "error_pages", {"502": "/a.html", "404": "/b.html"}),
        ('index = "index.html"', "index", "index.html"),
        ('access-log = "-"', "access_log", "/dev/stdout"),
        ('access-log-format = "json"', "access_log_format", "json"),
        ('proxy-protocol = ["unix", "10.0.0.7/32"]', "proxy_protocol", ("unix", "10.0.0.7/32")),
        (f'{PAIR}hsts = "1h"', "hsts", 3600.0),
        (f'{PAIR}tls-minimum = "1.3"', "tls_minimum", "1.3"),
    ],
)
def test_what_is_accepted(check: Any, options: str, attribute: str, expected: Any) -> None:
    loaded = site(check, f"{PLAIN}{options}\n")
    assert loaded.configuration, messages(loaded)
    assert getattr(loaded.configuration.sites["a.example.org"], attribute) == expected
    assert not codes(loaded)


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ('error-pages = { 200 = "/a.html" }', "WG0302"),
        ('error-pages = { teapot = "/a.html" }', "WG0302"),
        ("error-pages = { 502 = 5 }", "WG0301"),
        ('error-pages = "/a.html"', "WG0301"),
        ('index = "a/b"', "WG0307"),
        ('index = ".htaccess"', "WG0307"),
        ('tls-minimum = "1.0"', "WG0305"),
        ('hsts = "soon"', "WG0303"),
        ('proxy-protocol = ["somewhere"]', "WG0314"),
    ],
)
def test_what_is_refused(check: Any, option: str, code: str) -> None:
    assert codes(site(check, f"{PLAIN}{PAIR}{option}\n"))[:1] == [code]


def test_relative_pages_are_those_beside_the_file_in_yaml_too(tmp_path: Path) -> None:
    path = tmp_path / "groups.yaml"
    path.write_text(
        "version: 1\ngroups: {blog: {app: 'a:b'}}\nsites:\n  a.example.org:\n    listen: ['127.0.0.1:80']\n"
        "    process-group: blog\n    error-pages: {502: p.html}\n    mounts: [{path: /}]\n"
    )
    loaded = load([path])
    assert loaded.configuration, messages(loaded)
    assert loaded.configuration.sites["a.example.org"].error_pages == {"502": f"{tmp_path}/p.html"}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", ["WG0414"]),
        (PLAIN, []),
        (f"{PLAIN}http-redirect = true\n", ["WG0419"]),
        (f"{PLAIN}hsts = 60\ntls-minimum = \"1.3\"\n", ["WG0419", "WG0419"]),
        (f"{PLAIN}{PAIR}", ["WG0417"]),  # the other site has it without
        (f'listen = ["127.0.0.1:443"]\n{PAIR}http-redirect = true\n', []),
        (f'listen = ["127.0.0.1:80"]\n{PAIR}', []),
    ],
)  # fmt: skip
def test_what_does_not_fit_together(check: Any, options: str, expected: list[str]) -> None:
    other = '[sites."b.example.org"]\nlisten = ["127.0.0.1:8080", "127.0.0.1:80"]\n'
    assert codes(site(check, options + other)) == expected


@pytest.mark.parametrize(
    ("group", "site_options", "expected"),
    [
        ('listen = ["127.0.0.1:81"]\n', MOUNT, []),  # the group tells its mounts apart by itself
        ("", MOUNT, ["WG0414"]),
        ('listen = ["127.0.0.1:81"]\n', "", ["WG0414"]),
        ('listen = ["127.0.0.1:81"]\n', f'static = [{{path = "/s", directory = "/srv"}}]\n{MOUNT}', ["WG0414"]),
    ],
)
def test_a_site_without_an_address(check: Any, group: str, site_options: str, expected: list[str]) -> None:
    loaded = check(
        f'version = 1\n[groups.blog]\napp = "a:b"\n{group}'
        f'[sites."a.example.org"]\nprocess-group = "blog"\n{site_options}'
    )
    assert [code for code in codes(loaded) if code == "WG0414"] == expected


def test_the_port_of_a_redirection_is_taken(check: Any) -> None:
    loaded = check(
        f'version = 1\n[groups.other]\napp = "a:b"\nlisten = ["127.0.0.1:80"]\n{SITE}'
        f'listen = ["127.0.0.1:443"]\n{PAIR}http-redirect = true\n{MOUNT}'
    )
    assert [place[:2] for place in places(loaded)] == [("WG0409", 12)]


def test_what_follows_for_the_addresses(check: Any) -> None:
    loaded = site(check, f'listen = ["[::1]:443", "127.0.0.1:8443", "unix:/run/a.sock"]\n{PAIR}http-redirect = true\n')
    assert loaded.configuration, messages(loaded)
    found = loaded.configuration.sites["a.example.org"]
    assert {address: speaks_tls(found, address) for address in addresses_of(found)} == {
        "[::1]:443": True, "127.0.0.1:8443": True, "unix:/run/a.sock": True, "[::1]:80": False,
    }  # fmt: skip
    assert linked_groups(loaded.configuration.sites) == {"blog"}
