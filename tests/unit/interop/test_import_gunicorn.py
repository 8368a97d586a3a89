"""gunicorn: what becomes of its settings, wherever they come from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from support.importing import group, imported, loaded, of_command, said

from wsgigroups.errors import WsgigroupsError
from wsgigroups.interop.importers import Draft, Fidelity, GivenFiles, ImportRequest, import_files

FILE = "/srv/shop/gunicorn.conf.py"


def of(settings: Mapping[str, Any], app: str = "shop.wsgi") -> Draft:
    files = GivenFiles({FILE: "x = 1\n"}, {FILE: dict(settings)})
    return import_files("gunicorn", ImportRequest((FILE,), "", {}, app), files)


def test_a_command_line_in_a_shell(tmp_path: Path) -> None:
    draft = of_command(
        "gunicorn",
        "cd /srv/app && FOO=1 exec /srv/venv/bin/gunicorn -w ${WEB:-3} --bind 0.0.0.0:$PORT --threads=4 -e A=b "
        "-e C=d,e --preload shop.wsgi -k gthread -t120 --graceful-timeout 20",
    )
    shop = group(draft, "shop")
    assert (shop["app"], shop["home"], shop["python-home"]) == ("shop.wsgi:application", "/srv/app", "/srv/venv")
    assert (shop["processes"], shop["threads"], shop["deadlock-timeout"], shop["shutdown-timeout"]) == (3, 4, 120, 20)
    assert shop["environment"] == {"FOO": "1", "A": "b", "C": "d,e"}
    assert shop["listen"] == ["0.0.0.0:${PORT:-8000}"]
    assert loaded(draft, "gunicorn", tmp_path / "groups.toml").groups["shop"].listen == ("0.0.0.0:8000",)
    assert shop["preload"] == "app"
    assert "a start fails where threads" in said(draft, Fidelity.APPROXIMATED)["--preload"]


def test_one_worker_without_threads_answers_one_request_and_is_replaced_when_that_hangs() -> None:
    shop = group(of({}), "shop")
    assert "processes" not in shop  # wsgi.multiprocess is false with one worker
    assert (shop["threads"], shop["request-timeout"], shop["listen"]) == (1, 30, ["127.0.0.1:8000"])
    assert shop["trusted-proxies"] == ["127.0.0.1/32"]


def test_the_command_line_wins_over_the_variable_and_that_over_the_file() -> None:
    files = GivenFiles({FILE: "x"}, {FILE: {"workers": 2, "threads": 2, "timeout": 10}})
    line = 'GUNICORN_CMD_ARGS="--threads 3 --timeout 11" gunicorn --timeout 12 shop:app'
    draft = import_files("gunicorn", ImportRequest((), line, {}, "", "/srv/shop"), files)
    shop = group(draft, "shop")
    assert (shop["processes"], shop["threads"], shop["deadlock-timeout"]) == (2, 3, 12)


@pytest.mark.parametrize(
    ("setting", "value", "option", "expected"),
    [
        ("max_requests", 100, "maximum-requests", 100),
        ("keepalive", 65, "keep-alive-timeout", 65),
        ("limit_request_line", 0, "limit-request-line", 2**20),
        ("umask", 0o027, "umask", "0027"),
        ("umask", "0o77", "umask", "0077"),
        ("user", 1000, "user", "#1000"),
        ("user", "root", "user", None),
        ("bind", ["127.0.0.1:1", "unix:run/a.sock"], "listen", ["127.0.0.1:1", "unix:/srv/shop/run/a.sock"]),
        ("bind", "[::1]:80,localhost:81", "listen", ["[::1]:80", "127.0.0.1:81"]),
        ("bind", ":8001", "listen", ["0.0.0.0:8001"]),
        ("bind", "fd://3", "listen", ["127.0.0.1:8000"]),
        ("forwarded_allow_ips", "10.0.0.1,10.1.0.0/16", "trusted-proxies", ["10.0.0.1/32", "10.1.0.0/16"]),
        ("accesslog", "-", "access-log", "combined"),
        ("accesslog", None, "access-log", None),
        ("errorlog", "-", "error-log", "/dev/stderr"),
        ("errorlog", "log/e", "error-log", "/srv/shop/log/e"),
        ("syslog", True, "error-log", "/dev/log"),
        ("proc_name", "a b", "display-name", "a b"),
        ("chdir", "/srv/other", "home", "/srv/other"),
        ("pythonpath", "/a,/b", "python-path", ["/a", "/b"]),
        ("reload", True, "reload", ["/srv/shop/**/*.py"]),
        ("raw_env", ["A=b=c"], "environment", {"A": "b=c"}),
        ("worker_class", "gevent", "threads", 40),
        ("preload_app", True, "preload", None),
        ("preload_app", False, "preload", None),
    ],
)
def test_settings_and_their_options(setting: str, value: object, option: str, expected: object) -> None:
    name = "a-b" if setting == "proc_name" else "shop"
    assert group(of({setting: value}), name).get(option) == expected


def test_what_several_processes_share_is_loaded_once() -> None:
    draft = of({"preload_app": True, "workers": 3})
    assert group(draft, "shop")["preload"] == "app"
    assert "docs/preload.md" in said(draft, Fidelity.APPROXIMATED)["preload_app = True"]
    assert "with nobody" in said(of({"preload_app": True}), Fidelity.DROPPED)["preload_app = True"]
    greenlets = of({"preload_app": True, "workers": 3, "worker_class": "gevent"})
    assert "greenlets" in said(greenlets, Fidelity.DROPPED)["preload_app = True"]


def test_certificates_make_a_site(tmp_path: Path) -> None:
    draft = of({"certfile": "a.crt", "keyfile": "/etc/a.key", "bind": "0.0.0.0:443", "cert_reqs": 2})
    configuration = loaded(draft, "gunicorn", tmp_path / "groups.toml")
    site = configuration.sites["localhost"]
    assert (site.certificate, site.certificate_key) == ("/srv/shop/a.crt", "/etc/a.key")
    assert configuration.groups["shop"].listen == ()
    assert "not asked for" in said(draft, Fidelity.DROPPED)["cert_reqs = 2"]


def test_hooks_and_names_that_are_no_settings() -> None:
    draft = of({"post_fork": None, "my_own": 3, "worker_memory_limit": 5, "loglevel": "debug"})
    assert set(said(draft, Fidelity.DROPPED)) == {"post_fork", "loglevel = 'debug'"}


@pytest.mark.parametrize("worker", ["uvicorn.workers.UvicornWorker", "asgi"])
def test_asgi_is_not_taken_for_wsgi(worker: str) -> None:
    draft = of({"worker_class": worker})
    assert not any(draft.groups())
    assert "ASGI" in next(iter(said(draft, Fidelity.DROPPED).values()))


@pytest.mark.parametrize(
    ("app", "expected"),
    [("a.b", "a.b:application"), ("a:c.d", "a:c.d"), ("a:make()", "a:make()"), ("a:make('x')", None), ("", None)],
)
def test_how_applications_are_named(app: str, expected: str | None) -> None:
    draft = of({}, app)
    assert [table["app"] for table in draft.document.get("groups", {}).values()] == ([expected] if expected else [])
    assert bool(said(draft, Fidelity.DROPPED)) == (expected is None)


def test_a_procfile_has_its_port_from_the_platform() -> None:
    draft = imported("gunicorn", {"/srv/shop/Procfile": "web: gunicorn shop.wsgi\nworker: celery -A shop\n"})
    assert group(draft, "shop")["listen"] == ["0.0.0.0:${PORT:-8000}"]


@pytest.mark.parametrize("text", ["", "web: node server.js\n"])
def test_files_without_gunicorn_are_refused(text: str) -> None:
    with pytest.raises(WsgigroupsError, match="cannot find a command line of gunicorn"):
        imported("gunicorn", {"/srv/Procfile": text})


def test_every_setting_of_gunicorn_is_known() -> None:
    """gunicorn's own list: a new version may have a setting that nobody has thought of yet."""
    from gunicorn.config import KNOWN_SETTINGS

    from wsgigroups.interop.importers.gunicorn.reading import settings_of_file

    known = {setting.name for setting in KNOWN_SETTINGS} - {"ssl_context"}
    files = GivenFiles({FILE: ""}, {FILE: dict.fromkeys(known, 1)})
    assert set(settings_of_file(FILE, "/", {}, files)) == known
