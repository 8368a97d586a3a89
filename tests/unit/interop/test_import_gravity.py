"""Galaxy's gravity: what becomes of its settings."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.importing import corpus, group, imported, loaded, said

from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.importers import Draft, Fidelity

GALAXY = """gravity:
  galaxy_user: galaxy
  virtualenv: .venv
  memory_limit: 4
  log_dir: var/log
  gunicorn:
    bind: unix:var/gunicorn.sock
    workers: 3
    preload: true
    start_timeout: 15
    stop_timeout: 65
    memory_limit: 1.5
    extra_args: --threads 8 --timeout 120 --no-such-option x
    environment:
      SECRET: hush
  celery:
    concurrency: 2
  tusd:
    enable: false
  novelty: 1
galaxy:
  brand: Shop
"""


def of(text: str, path: str = "/srv/galaxy/config/galaxy.yml", app: str = "") -> Draft:
    return imported("gravity", {path: text}, path, app=app)


def named(name: str) -> str:
    return next(path for path in corpus("gravity") if path.stem == name).read_text("utf-8")


def test_gunicorn_becomes_a_group(tmp_path: Path) -> None:
    draft = of(GALAXY)
    loaded(draft, "gravity", tmp_path / "groups.toml")
    assert group(draft, "galaxy") == {
        "app": "galaxy.webapps.galaxy.buildapp:uwsgi_app()",
        "processes": 3,
        "threads": 8,
        "deadlock-timeout": 120,
        "startup-timeout": 15,
        "shutdown-timeout": 65,
        "keep-alive-timeout": 2,
        "listen": ["unix:/srv/galaxy/var/gunicorn.sock"],
        "trusted-proxies": ["unix"],
        "home": "/srv/galaxy",
        "environment": {"GALAXY_CONFIG_FILE": "/srv/galaxy/config/galaxy.yml", "SECRET": "hush"},
        "user": "galaxy",
        "python-home": "/srv/galaxy/.venv",
        "python-path": ["/srv/galaxy/lib"],
        "error-log": "/srv/galaxy/var/log/galaxy.log",
        "memory-max": 3 * 2**29,
    }
    dropped = said(draft, Fidelity.DROPPED)
    assert dropped.keys() == {"preload: True", "celery", "novelty: 1", "--no-such-option x"}
    assert "for itself" in dropped["preload: True"]
    assert dropped["celery"] == "no application of WSGI: leave celery with gravity"
    assert not any("hush" in text for text in draft.comments.values())
    lines = {gap.setting.what: gap.setting.line for gap in draft.gaps}
    assert (lines["workers: 3"], lines["celery"], lines["galaxy_user: galaxy"]) == (8, 16, 2)


def test_its_application_is_said_to_be_another_one_unless_one_is_named() -> None:
    assert "ASGI" in said(of(GALAXY), Fidelity.APPROXIMATED)["the application of gunicorn"]
    draft = of(GALAXY, app="shop.wsgi:application")
    assert group(draft, "galaxy")["app"] == "shop.wsgi:application"
    assert "the application of gunicorn" not in said(draft, Fidelity.APPROXIMATED)


def test_without_settings_gravity_has_defaults() -> None:
    galaxy = group(of(named("nothing-set")), "galaxy")
    assert (galaxy["listen"], galaxy["deadlock-timeout"], galaxy["threads"]) == (["127.0.0.1:8080"], 300, 40)
    assert group(of("galaxy:\n  brand: x\n"), "galaxy")["listen"] == ["127.0.0.1:8080"]


def test_several_gunicorns_are_groups_of_their_own(tmp_path: Path) -> None:
    draft = of(named("several-gunicorns"))
    groups = loaded(draft, "gravity", tmp_path / "groups.toml").all_groups()
    assert {name: found.listen for name, found in groups.items()} == {
        "main-galaxy": ("127.0.0.1:8081",), "main-galaxy1": ("127.0.0.1:8082",), "main-reports": ("127.0.0.1:9001",),
    }  # fmt: skip
    assert group(draft, "main-galaxy1")["environment"]["SECOND"] == "yes"
    assert group(draft, "main-reports")["environment"] == {"GALAXY_REPORTS_CONFIG": "/srv/galaxy/config/reports.yml"}
    assert {found.umask for found in groups.values()} == {"0022"}
    assert group(draft, "main-galaxy")["memory-high"] == int(12.5 * 2**30)
    dropped = said(draft, Fidelity.DROPPED)
    assert dropped["gunicorn"] == "gravity does not start it: enable: false"
    assert dropped["url_prefix: /reports"] == "a mount of a site has a path"


@pytest.mark.parametrize("text", ["gravity: [", "a: 1", "- gravity", "", "gravity: &a\n  b: *c\n"])
def test_what_is_none_of_its_files(text: str) -> None:
    with pytest.raises(WsgigroupsError, match=r"cannot (read|find)"):
        of(text)
