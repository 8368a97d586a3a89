"""The groups file that a project amounts to: what was found in a directory, and what was asked for."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from support.tree import ROOT

from wsgigroups.config import load
from wsgigroups.config.discovery import discover, named
from wsgigroups.config.project import Project, absolute_patterns, groups_file, source_patterns
from wsgigroups.config.starter import StarterFile

FLASK = ROOT / "tests" / "apps" / "flask_app.py"
MANAGE = 'import os\n# django\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "mysite.settings")\n'
DJANGO = {"manage.py": MANAGE, "mysite/wsgi.py": "application = None\n"}
FACTORY = "def create_app():\n    pass\n"


def lay(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


SETTINGS = """\
import os
from pathlib import Path
BASE_DIR = Path(__file__).resolve().parent.parent
STATIC_URL = "static/"
STATIC_ROOT = BASE_DIR / "collected"
"""


def table(text: str, directory: Path, name: str = "groups.toml") -> dict[str, Any]:
    """The one group of a file as it is loaded, with what was written in it alone."""
    path = directory / name
    path.write_text(text)
    loaded = load([path], variables={}, trust=False)
    assert loaded.configuration, loaded.diagnostics
    document = loaded.configuration.to_document()["groups"]
    ((group, options),) = document.items()
    return {"group": group, **options}


CASES: dict[str, tuple[dict[str, str], dict[str, Any]]] = {
    "django": (
        DJANGO,
        {"app": "mysite.wsgi:application", "environment": {"DJANGO_SETTINGS_MODULE": "mysite.settings"}},
    ),
    "django below": (
        {f"backend/{name}": text for name, text in DJANGO.items()},
        {"app": "mysite.wsgi:application", "python-path": ["/backend"]},
    ),
    "factory below src": ({"src/shop/__init__.py": FACTORY}, {"app": "shop:create_app()", "python-path": ["/src"]}),
    "script": ({"web/site.wsgi": ""}, {"script": "/web/site.wsgi"}),
    "environment": ({"app.py": FACTORY, ".venv/pyvenv.cfg": ""}, {"app": "app:create_app()", "python-home": "/.venv"}),
}


@pytest.mark.parametrize(("files", "expected"), CASES.values(), ids=CASES.keys())
def test_what_is_found_is_in_the_file(tmp_path: Path, files: dict[str, str], expected: dict[str, Any]) -> None:
    directory = lay(tmp_path / "shop", files)
    project = Project(discover(directory)[0], directory, ["127.0.0.1:8000"])
    elsewhere = table(groups_file(project), tmp_path)  # says where the project is
    beside = table(groups_file(project, base=directory), directory)  # moves with it
    assert elsewhere == beside
    assert str(directory) in groups_file(project)
    assert str(directory) not in groups_file(project, base=directory)

    def placed(value: Any) -> Any:
        if isinstance(value, list):
            return [placed(item) for item in value]
        return f"{directory}{value}" if isinstance(value, str) and value.startswith("/") else value

    assert elsewhere["group"] == "shop"
    assert elsewhere["home"] == str(directory)
    assert elsewhere["listen"] == ["127.0.0.1:8000"]
    assert elsewhere["request-timeout"] == 60
    assert "processes" not in elsewhere, "wsgi.multiprocess is false as long as nobody asks for processes"
    assert {key: elsewhere[key] for key in expected} == {key: placed(value) for key, value in expected.items()}


def test_what_was_asked_for_is_in_the_file(tmp_path: Path) -> None:
    directory = lay(
        tmp_path / "a.${HOME}b", {"main.wsgi": "", "venv/pyvenv.cfg": "", "venv/x.py": "", "inner/x.py": ""}
    )
    project = Project(
        discover(directory)[0],
        directory,
        ["127.0.0.1:8000", "unix:/tmp/x.sock"],
        name="x.y",
        threads=3,
        user="nobody",
        environment={"COLOUR": 'the "red" one', "PRICE": "${5}", "HOW": "${HOME}"},
        patterns=source_patterns(directory),
    )
    found = table(groups_file(project), tmp_path)
    assert found["group"] == "x.y"
    assert found["threads"] == 3
    assert found["user"] == "nobody"
    assert found["environment"] == {"COLOUR": 'the "red" one', "PRICE": "${5}", "HOW": "${HOME}"}
    assert found["script-reloading"] == "wait"
    assert "request-timeout" not in found, "a debugger would be a request that hangs"
    assert found["reload"] == absolute_patterns(project)
    assert project.patterns == ["*.py", "inner/**/*.py", "*.html", "inner/**/*.html"], "not what is installed"


def test_static_files_are_a_sites(tmp_path: Path) -> None:
    elsewhere = lay(tmp_path / "media", {"a.png": ""})
    directory = lay(tmp_path / "shop", {**DJANGO, "mysite/settings.py": SETTINGS, "collected/a.css": ""})
    project = Project(
        discover(directory)[0],
        directory,
        ["127.0.0.1:8000", "[::1]:8000"],
        static={"/media": str(elsewhere), "/more": "collected"},
        user="nobody",
    )
    for name, text in (("groups.toml", groups_file(project, base=directory)), ("x/groups.toml", groups_file(project))):
        path = lay(directory, {name: text}) / name
        loaded = load([path], variables={}, trust=False)
        assert loaded.configuration, loaded.diagnostics
        document = loaded.configuration.to_document()
        assert "listen" not in document["groups"]["shop"], "the site has the address"
        (site,) = document["sites"].values()
        assert site["listen"] == ["127.0.0.1:8000", "[::1]:8000"]
        assert [(item["path"], item["process-group"]) for item in site["mounts"]] == [("/", "shop")]
        assert {item["path"]: item["directory"] for item in site["static"]} == {
            "/static": str(directory / "collected"),
            "/media": str(elsewhere),
            "/more": str(directory / "collected"),
        }
        assert document["gateway"]["user"] == "nobody"
    assert 'directory = "collected"' in groups_file(project, base=directory)


def test_the_starter_shows_where_static_files_would_be(tmp_path: Path) -> None:
    directory = lay(tmp_path / "shop", {**DJANGO, "mysite/settings.py": SETTINGS, "collected/a.css": ""})
    text = StarterFile(discover(directory)[0]).text()
    first, second = text.split("# [sites.localhost]")
    written = first.replace('listen = ["127.0.0.1:8000"] ', "#") + "[sites.localhost]" + second.replace("\n# ", "\n")
    loaded = load([lay(directory, {"groups.toml": written}) / "groups.toml"], variables={}, trust=False)
    assert loaded.configuration, loaded.diagnostics
    assert loaded.configuration.to_document()["sites"]["localhost"]["static"] == [
        {"path": "/static", "directory": str(directory / "collected")}
    ]


def test_all_of_a_directory_is_the_projects(tmp_path: Path) -> None:
    lay(tmp_path, {".venv/pyvenv.cfg": "", "app.py": "", "inner/x.py": ""})
    assert source_patterns(tmp_path) == ["**/*.py", "**/*.html"]


def test_a_directory_that_looks_like_a_pattern(tmp_path: Path) -> None:
    directory = lay(tmp_path / "[a]", {"app.py": FACTORY})
    project = Project(discover(directory)[0], directory, ["127.0.0.1:1"], patterns=source_patterns(directory))
    assert absolute_patterns(project)[0] == f"{tmp_path}/[[]a]/**/*.py"


def test_applications_by_name(tmp_path: Path) -> None:
    directory = lay(tmp_path / "shop", {**DJANGO, "one.wsgi": "", "plain.py": "x = 1\n"})
    shutil.copy(FLASK, directory / "web.py")
    assert named("nothing", directory) is None
    assert named("no file.wsgix", directory) is None
    assert named(str(directory / "plain.py"), directory) is None
    known = named("mysite.wsgi:application", directory)
    assert known
    assert known.environment == {"DJANGO_SETTINGS_MODULE": "mysite.settings"}
    for name in ("shop:app", "shop.web:create_app()", "a.b:c.d"):
        found = named(name, directory)
        assert found
        assert (found.app, found.name) == (name, "shop")
    script, module = named(str(directory / "one.wsgi"), directory), named(str(directory / "web.py"), directory)
    assert script
    assert script.script == "one.wsgi"
    assert module
    assert module.app == "web:application"
