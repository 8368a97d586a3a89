"""What `init` finds in projects, and what it writes about them in both formats."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wsgigroups.cli.main import cli
from wsgigroups.config import load
from wsgigroups.config.discovery import discover
from wsgigroups.config.environments import find_environment
from wsgigroups.config.explain import option_lines
from wsgigroups.config.generated import read_json
from wsgigroups.config.starter import REQUEST_TIMEOUT_S, THREADS, StarterFile
from wsgigroups.config.units import format_duration

MANAGE = 'import os\nimport django\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{}")\n'
WSGI = 'import os\nos.environ.setdefault("DJANGO_SETTINGS_MODULE", "{}")\napplication = get_wsgi_application()\n'
FLASK = "from flask import Flask\napp = Flask(__name__)\n"
FACTORY = "def create_app():\n    pass\n"


def lay(directory: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["init", *arguments], catch_exceptions=True)


PROJECTS: dict[str, tuple[dict[str, str], str, str]] = {
    "Falcon": ({"app.py": "import falcon\napplication = falcon.App()\n"}, "app:application", "Falcon"),
    "Bottle": ({"main.py": "import bottle\napp = bottle.default_app()\n"}, "main:app", "Bottle"),
    "Pyramid": ({"app.py": "app = config.make_wsgi_app()\n"}, "app:app", "Pyramid"),
    "Flask with a type": ({"app.py": "from flask import Flask\napp: Flask = Flask(__name__)\n"}, "app:app", "Flask"),
    "a package below src": ({"src/shop/__init__.py": "", "src/shop/wsgi.py": FLASK}, "shop.wsgi:app", "Flask"),
    "a Procfile": (
        {"Procfile": "web: gunicorn -w 4 --bind :8000 shop.web:site\n", "shop/web.py": "", "app.py": FLASK},
        "shop.web:site",
        "the application that Procfile names",
    ),
    "a script of PDM": (
        {"pyproject.toml": "[tool.pdm.scripts]\nserve = \"gunicorn 'shop:create_app()'\"\n", "shop.py": FACTORY},
        "shop:create_app()",
        "the application that pyproject.toml names",
    ),
    "an entry point": (
        {"pyproject.toml": '[project.entry-points."wsgi.app"]\napplication = "shop.web:site"\n', "src/shop/web.py": ""},
        "shop.web:site",
        "the application that pyproject.toml names",
    ),
    "Flask's settings": (
        {".flaskenv": "FLASK_APP=shop:create_app()\n", "shop.py": FACTORY},
        "shop:create_app()",
        "the application that .flaskenv names",
    ),
    "a Procfile of another place": ({"Procfile": "web: gunicorn gone:app\n", "app.py": FLASK}, "app:app", "Flask"),
}


@pytest.mark.parametrize(("files", "app", "what"), PROJECTS.values(), ids=PROJECTS.keys())
def test_applications(files: dict[str, str], app: str, what: str, tmp_path: Path) -> None:
    first, *others = discover(lay(tmp_path, files))
    assert first.app == app
    assert first.what.startswith(what)
    assert app not in [other.app for other in others]
    assert (tmp_path / first.python_path / app.partition(":")[0].replace(".", "/")).with_suffix(".py").exists() or (
        tmp_path / first.python_path / app.partition(":")[0]
    ).is_dir()


@pytest.mark.parametrize(
    ("manage", "server", "settings", "package"),
    [
        ("site.settings.development", "site.settings.production", "site.settings.production", "site"),
        ("site.settings", None, "site.settings", "site"),
        ("config.settings.local", "config.settings.live", "config.settings.live", "core"),
    ],
)
def test_what_wsgi_py_says_wins_over_manage_py(
    manage: str, server: str | None, settings: str, package: str, tmp_path: Path
) -> None:
    wsgi = WSGI.format(server) if server else "application = get_wsgi_application()\n"
    files = {"manage.py": MANAGE.format(manage), f"{package}/__init__.py": "", f"{package}/wsgi.py": wsgi}
    found = discover(lay(tmp_path, files))[0]
    assert (found.app, found.environment) == (f"{package}.wsgi:application", {"DJANGO_SETTINGS_MODULE": settings})


def environment(path: Path) -> Path:
    lay(path, {"pyvenv.cfg": "home = /usr/bin\n", "bin/python": ""})
    return path


def test_environments_of_other_places(tmp_path: Path) -> None:
    """Names as Poetry and Pipenv make them, of a digest of the project's path."""
    cases = {
        "poetry": {"pyproject.toml": '[tool.poetry]\nname = "My Shop"\n'},
        "pipenv": {"Pipfile": ""},
        "pdm": {".pdm-python": f"{tmp_path}/venvs/pdm/bin/python\n"},
        "file": {".venv": f"{tmp_path}/venvs/file\n"},
        "none": {"pyproject.toml": "[project]\nname = 'x'\n"},
    }
    variables = {"HOME": str(tmp_path / "home"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    for name, files in cases.items():
        directory = lay(tmp_path / name, files)
        place = {
            "poetry": tmp_path / f"cache/pypoetry/virtualenvs/my_shop-{digest(str(directory))}-py3.11",
            "pipenv": tmp_path / f"home/.local/share/virtualenvs/pipenv-{digest(f'{directory}/Pipfile', 6)}",
            "pdm": tmp_path / "venvs/pdm",
            "file": tmp_path / "venvs/file",
        }.get(name)
        assert find_environment(directory, variables, read) is None
        if place:
            environment(place)
            assert find_environment(directory, variables, read) == str(place)
        environment(directory / "venv")
        assert find_environment(directory, variables, read) == "venv"


def digest(text: str, size: int = 32) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()[:size]).decode()[:8]


def read(path: Path) -> str | None:
    return path.read_text() if path.is_file() else None


def test_the_newest_python_of_several(tmp_path: Path) -> None:
    directory = lay(tmp_path / "p", {"pyproject.toml": '[tool.poetry]\nname = "p"\n'})
    for version in ("3.9", "3.11", "3.10"):
        environment(tmp_path / f"venvs/p-{digest(str(directory))}-py{version}")
    found = find_environment(directory, {"POETRY_VIRTUALENVS_PATH": str(tmp_path / "venvs")}, read)
    assert str(found).endswith("-py3.11")


@pytest.mark.parametrize("name", ["groups.toml", "groups.yaml"])
@pytest.mark.parametrize("files", [{}, {"app.py": FLASK}, {"x y.wsgi": "", "app.py": FACTORY}])
def test_both_formats_say_the_same(files: dict[str, str], name: str, tmp_path: Path) -> None:
    lay(tmp_path, files)
    assert run(str(tmp_path)).exit_code == run(str(tmp_path), "--yaml").exit_code == 0
    loaded = [load([tmp_path / each], trust=False) for each in ("groups.toml", "groups.yaml")]
    documents = [each.configuration.to_document() for each in loaded if each.configuration]
    assert len(documents) == 2
    assert documents[0]["groups"].keys() == documents[1]["groups"].keys()
    texts = [(tmp_path / each).read_text() for each in ("groups.toml", "groups.yaml")]
    comments = [re.findall(r"# ([a-z].*)", text.replace(": ", " ").replace(" = ", " ")) for text in texts]
    assert [len(each) for each in comments] == [len(comments[0])] * 2
    # what is commented out can be taken in, too
    path = tmp_path / name
    path.write_text(
        re.sub(
            r"^( *)# (?=(?:environment|python-home|memory-limit|maximum|user)\b[^-f])",
            r"\1",
            path.read_text(),
            flags=re.MULTILINE,
        )
    )
    assert load([path], trust=False).configuration


def test_options(tmp_path: Path) -> None:
    lay(tmp_path, {"app.py": FLASK, "shop.py": FACTORY})
    options = (
        "--app",
        "shop:create_app()",
        "--name",
        "shop",
        "--listen",
        "8080",
        "--listen",
        "unix:/run/a.sock",
        "--user",
        "joe",
    )
    assert run(str(tmp_path), *options).exit_code == 0
    configuration = load([tmp_path / "groups.toml"], trust=False).configuration
    assert configuration
    group = configuration.groups["shop"]
    assert (group.app, group.user) == ("shop:create_app()", "joe")
    assert list(map(str, group.listen)) == ["127.0.0.1:8080", "unix:/run/a.sock"]
    for wrong in (("--name", "a b"), ("--user", "a b"), ("--listen", "nowhere"), ("--app", "gone.wsgi")):
        assert run(str(tmp_path), "--stdout", *wrong).exit_code != 0


def test_what_is_written_about_request_timeout_is_true() -> None:
    """The arithmetic is that of `explain`, which has it from the option itself."""
    text = StarterFile(None).text()
    facts = read_json("options.json")["groups.NAME"]["request-timeout"]
    value = format_duration(REQUEST_TIMEOUT_S)
    lines = option_lines("groups.NAME", "request-timeout", facts, THREADS, value)
    alone = next(line for line in lines if re.match(r" +1 +", line)).split()[1]
    everybody = next(line for line in lines if re.match(rf" +{THREADS} +", line)).split()[1]
    assert f'request-timeout = "{everybody}"' in text
    assert f"# {alone}, because ages are averaged" in text


PYRAMID = """from pyramid.config import Configurator

def main(global_config, **settings):
    return Configurator(settings=settings).make_wsgi_app()
"""


def test_what_takes_settings_is_named_with_the_way_to_serve_it(tmp_path: Path) -> None:
    """Pyramid's main is called by PasteDeploy, with what a file says."""
    lay(tmp_path, {"shop/__init__.py": PYRAMID, "development.ini": "[app:main]\nuse = egg:shop\n"})
    done = run(str(tmp_path))
    assert done.exit_code == 0, done.output
    for words in (
        "main(global_config, **settings) of shop is Pyramid's",
        f"get_app('{tmp_path.resolve()}/development.ini', 'main')",
        "wsgigroups init --force --app shop.wsgi",
    ):
        assert words in done.output
    (tmp_path / "shop.wsgi").write_text("from pyramid.paster import get_app\n")
    again = run(str(tmp_path), "--force", "--app", "shop.wsgi")
    assert again.exit_code == 0, again.output
    assert load([tmp_path / "groups.toml"]).configuration is not None
