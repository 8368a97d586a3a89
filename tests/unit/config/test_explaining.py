"""explain, config show and init: what people read, and that it can be loaded again."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.configurations import codes

from wsgigroups.cli.main import cli
from wsgigroups.config import OPTIONS, load
from wsgigroups.config.codes import CODES
from wsgigroups.config.discovery import discover, project_name
from wsgigroups.config.explain import arithmetic
from wsgigroups.config.reading import SUFFIXES
from wsgigroups.config.reference import as_toml, kind_text
from wsgigroups.config.schema import default_text
from wsgigroups.config.shape import GATEWAY_OPTIONS, SERVER_OPTIONS
from wsgigroups.config.starter import UNKNOWN_APP
from wsgigroups.errors import WsgigroupsError


def run(*arguments: str, stdin: str | None = None) -> Any:
    """Run a command in this process."""
    return CliRunner().invoke(cli, list(arguments), input=stdin)


@pytest.mark.parametrize(
    "name", [*OPTIONS, "timeout", "engine", "server.user", "groups.blog.threads", "request_timeout"]
)
def test_every_option_is_explained(name: str) -> None:
    """Meaning, value and unit, default, effect, example, related options: each on its line, as the model has it."""
    done = run("explain", name)
    assert done.exit_code == 0
    rows = dict(re.findall(r"^([a-z][a-z ]+?)  +(\S.*)$", done.output, re.MULTILINE))
    key = name.replace("_", "-").rpartition(".")[2]
    tables = {"timeout": SERVER_OPTIONS, "engine": GATEWAY_OPTIONS, "server.user": SERVER_OPTIONS}
    option = tables.get(name, OPTIONS)[key]
    assert re.sub(r"\s+", " ", option.doc) in re.sub(r"\s+", " ", done.output)
    assert rows["default"] == default_text(option)
    assert rows["value"] == kind_text(option) + (f", in {option.unit}" if option.unit else "")
    assert bool(option.unit) == (option.kind in ("duration", "bytes"))
    for effect in (option.effect, *option.otherwise.values()):
        assert effect.value in rows["effect of a change"]
    assert option.effect_reason in rows["effect of a change"]
    assert rows["example"] == f"{key} = {as_toml(option.example)}"
    assert rows.get("see also") == (", ".join(option.related) or None)
    assert ("note" in rows) == option.extension
    assert ("variables" in rows) == option.interpolated


def test_what_is_related_exists() -> None:
    """Everything that `see also` names can be explained."""
    for option in OPTIONS.values():
        for related in option.related:
            assert run("explain", related).exit_code == 0, (option.name, related)


@pytest.mark.parametrize("code", list(CODES))
def test_every_code_is_explained(code: str) -> None:
    done = run("explain", code.lower())
    assert done.exit_code == 0
    assert CODES[code].title in done.output
    text = re.sub(r"\s+", " ", done.output)
    assert CODES[code].text in text
    assert f"What to do: {CODES[code].way_out}" in text
    assert json.loads(run("explain", code, "-o", "json").output)["code"] == code


def test_all_options_are_listed() -> None:
    done = run("explain")
    assert all(name in done.output for name in OPTIONS)
    assert set(json.loads(run("explain", "-o", "json").output)["groups.NAME"]) == set(OPTIONS)


@pytest.mark.parametrize(
    ("key", "hint"), [("request-timout", "request-timeout"), ("WG9999", "WG0"), ("nonsense", "lists all options")]
)
def test_what_cannot_be_explained(key: str, hint: str) -> None:
    done = run("explain", key)
    assert isinstance(done.exception, WsgigroupsError)
    assert hint in (done.exception.hint or "")


def test_the_arithmetic_of_request_timeout() -> None:
    """The documentation's own example: 15 threads and 60 s, one stuck after 900 s, all after 60 s."""
    text = "\n".join(arithmetic("request-timeout", 15, "60s"))
    assert "1   15m       = 1m × 15 ÷ 1" in text
    assert "15   1m        = 1m × 15 ÷ 15" in text
    assert "60s" not in "\n".join(arithmetic("request-timeout", 1, "2m"))
    assert run("explain", "request-timeout", "--threads", "25").output.count("÷") == 4
    with pytest.raises(WsgigroupsError, match="cannot use --value"):
        arithmetic("request-timeout", 15, "soon")


def test_explaining_imports_no_models() -> None:
    program = (
        "import sys\nfrom wsgigroups.cli.main import cli\n"
        "cli.main(sys.argv[1:], standalone_mode=False)\n"
        "found = {'pydantic', 'rich', 'ruamel', 'aiohttp', 'asyncio'} & set(sys.modules)\n"
        "sys.exit(f'imported {found}' if found else 0)\n"
    )
    for arguments in (["explain", "threads"], ["explain", "WG0201"], ["schema"], ["explain"]):
        done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


SHOWN = """\
version = 1
[server]
timeout = "30s"
[defaults]
threads = 5
environment = { A = "$${HOME}", "B" = "x\\ny\\"\\u007f" }
[groups."www.example.org"]
app = "blog:app"
listen = ["127.0.0.1:8000", "unix:run.sock"]
request-timeout = 25.5
memory-limit = "1.5G"
trusted-proxies = ["10.0.0.0/8"]
script-reloading = true
[sites."www.example.org"]
listen = ["0.0.0.0:80"]
process-group = "own"
[[sites."www.example.org".mounts]]
path = "/"
app = "x:y"
[[sites."www.example.org".static]]
path = "/s"
directory = "s"
[sites."www.example.org".groups.own]
threads = 2
[profiles.big.groups."www.example.org"]
processes = 8
"""


@pytest.fixture
def shown(tmp_path: Path) -> Path:
    path = tmp_path / "groups.toml"
    path.write_text(SHOWN)
    return path


def test_show_names_every_origin(shown: Path) -> None:
    text = run("config", "show", str(shown), "--profile", "big", "--no-defaults").output
    lines = {line.split(" =")[0]: line.split("  # ")[-1] for line in text.splitlines() if " = " in line}
    assert lines["processes"] == f"{shown}:26 (profile big)"
    assert lines["request-timeout"] == f"{shown}:10"
    assert f"# {shown}:5 [defaults]" in text
    assert 'request-timeout = "25s500ms"' in text
    assert "umask" not in text
    text = run("config", "show", str(shown)).output
    assert "# umask: inherited from the manager" in text
    assert 'deadlock-timeout = "5m"' in text


@pytest.mark.parametrize("output", ["toml", "yaml"])
@pytest.mark.parametrize("profiles", [[], ["big"]])
def test_what_is_shown_loads_as_the_same(shown: Path, tmp_path: Path, output: str, profiles: list[str]) -> None:
    arguments = [item for name in profiles for item in ("--profile", name)]
    done = run("config", "show", "--show-secrets", str(shown), "-o", output, *arguments)
    assert done.exit_code == 0
    again = tmp_path / "elsewhere" / f"again.{output}"
    again.parent.mkdir()
    again.write_text(done.output)
    first, second = load([shown], profiles=profiles), load([again])
    assert first.configuration
    assert second.configuration == first.configuration
    assert codes(second) == codes(first)


ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize(
    ("options", "environ", "colored"),
    [
        ([], {}, False),
        (["--color", "always"], {}, True),
        (["--color", "always"], {"NO_COLOR": "1"}, True),
        (["--color", "never"], {"FORCE_COLOR": "1"}, False),
        ([], {"FORCE_COLOR": "1"}, True),
        ([], {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ([], {"WSGIGROUPS_COLOR": "always"}, True),
    ],
)
def test_show_has_colours_where_they_are_wanted(
    shown: Path, options: list[str], environ: dict[str, str], colored: bool
) -> None:
    """Tables in bold, defaults and origins dimmed; without the colours it is the same text."""
    kept = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}

    def output(*arguments: str, **more: str) -> str:
        command = [sys.executable, "-m", "wsgigroups", *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True, env={**kept, **more}).stdout

    plain = output("--color", "never", "config", "show", str(shown))
    found = output(*options, "config", "show", str(shown), **environ)
    assert bool(ANSI.search(found)) is colored
    assert ANSI.sub("", found) == plain
    if colored:
        assert "\x1b[1m[server]\x1b[0m" in found
        assert f"\x1b[2m# {shown}:10\x1b[0m" in found
        assert "\x1b[2m# default\x1b[0m" in found
    for form in ("toml", "yaml", "json"):
        assert not ANSI.search(output(*options, "config", "show", str(shown), "-o", form, **environ))


def test_show_has_colours_on_a_terminal_only(shown: Path) -> None:
    """The real case of `auto`: a terminal, and one that can do nothing."""
    import pty

    command = [sys.executable, "-m", "wsgigroups", "config", "show", "--no-defaults", str(shown)]
    for term, colored in (("xterm", True), ("dumb", False)):
        ours, theirs = pty.openpty()
        environ = {**os.environ, "TERM": term}
        for name in ("NO_COLOR", "FORCE_COLOR"):
            environ.pop(name, None)
        with subprocess.Popen(command, stdout=theirs, env=environ) as process:
            os.close(theirs)
            found = b""
            while True:
                try:
                    data = os.read(ours, 65536)
                except OSError:  # EIO: the other end is closed
                    break
                if not data:
                    break
                found += data
        os.close(ours)
        assert process.returncode == 0
        assert (b"\x1b[" in found) is colored


def test_show_as_json_has_values_and_origins(shown: Path) -> None:
    data = json.loads(run("config", "show", str(shown), "-o", "json").output)
    assert data["configuration"]["groups"]["www.example.org"]["threads"] == 5
    assert data["origins"]['groups."www.example.org".threads'] == f"{shown}:5 [defaults]"
    assert data["origins"]['groups."www.example.org".umask'] == "default"


LAYERED = """\
version = 1
[defaults]
environment = { SHARED = "1", MODE = "none" }
[groups.a]
app = "a:a"
listen = ["127.0.0.1:1"]
environment = { MODE = "development", KEEP = "x" }
[groups.b]
app = "b:b"
listen = ["127.0.0.1:2"]
environment = {}
[profiles.production.groups.a]
environment = { MODE = "production" }
"""


def test_show_has_an_origin_for_every_variable(tmp_path: Path) -> None:
    """A profile, [defaults] and the group itself may each set some of them."""
    path = tmp_path / "groups.toml"
    path.write_text(LAYERED)
    arguments = ("config", "show", "--show-secrets", str(path), "--profile", "production", "--no-defaults")
    text = run(*arguments).output
    shown = [re.split(r" +# ", line) for line in text.splitlines() if line.startswith("environment")]
    inherited = ['environment.SHARED = "1"', f"{path}:3 [defaults]"]
    assert shown == [
        ['environment.MODE = "production"', f"{path}:13 (profile production)"],
        ['environment.KEEP = "x"', f"{path}:7"],
        inherited,
        inherited,
        ['environment.MODE = "none"', f"{path}:3 [defaults]"],
    ]
    data = json.loads(run(*arguments, "-o", "json").output)
    found = {key: origin for key, origin in data["origins"].items() if "a.environment" in key}
    assert found == {
        "groups.a.environment.MODE": f"{path}:13 (profile production)",
        "groups.a.environment.KEEP": f"{path}:7",
        "groups.a.environment.SHARED": f"{path}:3 [defaults]",
    }
    assert data["configuration"]["groups"]["a"]["environment"] == {"MODE": "production", "KEEP": "x", "SHARED": "1"}
    again = tmp_path / "again.toml"
    again.write_text(text)
    assert load([again]).configuration == load([path], profiles=["production"]).configuration


@pytest.mark.parametrize("output", ["text", "toml", "yaml", "json"])
def test_values_of_the_environment_are_hidden_unless_asked_for(tmp_path: Path, output: str) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(LAYERED.replace("production" + '" }', "hunter2" + '" }'))
    arguments = ("config", "show", str(path), "--profile", "production", "-o", output)
    hidden = run(*arguments).output
    assert "hunter2" not in hidden
    assert "MODE" in hidden
    assert "(hidden)" in hidden
    assert "hunter2" in run(*arguments, "--show-secrets").output


def test_show_has_an_origin_for_a_table_without_variables(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(LAYERED.replace('environment = { SHARED = "1", MODE = "none" }', ""))
    data = json.loads(run("config", "show", str(path), "--no-defaults", "-o", "json").output)
    assert data["origins"]["groups.b.environment"] == f"{path}:11"


def test_show_refuses_what_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "groups.toml").write_text("version = 2\n")
    done = run("config", "show", str(tmp_path / "groups.toml"))
    assert isinstance(done.exception, WsgigroupsError)
    assert "WG0203" in done.stderr


PROJECTS: dict[str, tuple[dict[str, str], str]] = {
    "django": (
        {
            "manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "site.settings.dev")\nfrom django import x\n',
            "site/__init__.py": "",
            "site/wsgi.py": "application = get_wsgi_application()\n",
        },
        "site.wsgi:application",
    ),
    "django below": (
        {
            "backend/manage.py": 'os.environ.setdefault("DJANGO_SETTINGS_MODULE", "core.settings")  # django\n',
            "backend/core/wsgi.py": "application = 1\n",
        },
        "core.wsgi:application",
    ),
    "flask": ({"app.py": "from flask import Flask\nserver = Flask(__name__)\n"}, "app:server"),
    "flask package": ({"shop/__init__.py": "import flask\nweb: x = 1\nweb = flask.Flask('x')\n"}, "shop:web"),
    "factory": (
        {"src/shop/__init__.py": "def create_app(config=None, *, debug=False):\n    return 1\n"},
        "shop:create_app()",
    ),
    "made by a factory": (
        {"wsgi.py": "from shop import create_app\nweb = create_app()\n", "shop/__init__.py": "def create_app(): ...\n"},
        "wsgi:web",
    ),
    "factory and what it made": (
        {"app.py": "from flask import Flask\ndef create_app():\n    return Flask('x')\nserver = create_app()\n"},
        "app:server",
    ),
    "callable beside a factory": (
        {"wsgi.py": "def create_app():\n    return 1\ndef application(environ, start_response):\n    pass\n"},
        "wsgi:application",
    ),
    "wsgi": ({"wsgi.py": "def application(environ, start_response):\n    pass\n"}, "wsgi:application"),
    "script": ({"deploy/site.wsgi": "application = 1\n"}, "deploy/site.wsgi"),
}


@pytest.mark.parametrize(("files", "application"), PROJECTS.values(), ids=PROJECTS.keys())
def test_init_writes_a_file_that_is_right(tmp_path: Path, files: dict[str, str], application: str) -> None:
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert run("init", str(tmp_path)).exit_code == 0
    target = tmp_path / "groups.toml"
    loaded = load([target], strict=True)
    assert codes(loaded) == []
    assert loaded.configuration
    (group,) = loaded.configuration.groups.values()
    assert (group.app or group.script or "").endswith(application)
    assert target.read_text().startswith("# ")
    before = target.read_text()
    refused = run("init", str(tmp_path))
    assert isinstance(refused.exception, WsgigroupsError)
    assert "--force" in (refused.exception.hint or "")
    target.write_text("mine")
    assert run("init", str(tmp_path), "--force").exit_code == 0
    assert target.read_text() == before
    assert run("init", str(tmp_path), "--stdout").output == before
    assert sorted(path.suffix for path in tmp_path.iterdir() if path.suffix in SUFFIXES) == [".toml"]


def test_init_finds_the_environment_and_the_name(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("from flask import Flask\napp = Flask(__name__)\n")
    (tmp_path / ".venv").mkdir()
    (tmp_path / ".venv" / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path / "pyproject.toml").write_text('[build-system]\nname = "no"\n[project]\nname = "My Shop"\n')
    (found, *_rest) = discover(tmp_path)
    assert (found.app, found.python_home, found.name) == ("app:app", ".venv", "my-shop")
    assert project_name(tmp_path / "..") != ""


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"app.py": "def broken(:\n"},
        {"app.py": "def create_app(config):\n    pass\n"},
        {"notes.py": "application = 1\n"},
        {"manage.py": "print(1)\n"},
    ],
)
def test_init_writes_a_template_when_there_is_nothing(tmp_path: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    done = run("init", str(tmp_path))
    assert done.exit_code == 0
    assert "a template, because no WSGI application was found" in done.stderr
    loaded = load([tmp_path / "groups.toml"], trust=False)
    assert loaded.configuration is not None
    (group,) = loaded.configuration.groups.values()
    assert group.app == UNKNOWN_APP


def test_init_imports_nothing(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import sys\nsys.exit('imported')\nfrom flask import Flask\napp = Flask('x')\n")
    assert run("init", str(tmp_path)).exit_code == 0
    assert run("init", str(tmp_path / "nowhere")).exit_code == 1


def test_an_option_that_follows_another_shows_its_value_and_where_that_is_from(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(
        'version = 1\n[server]\ntimeout = "7s"\nuser = "web"\n[groups.a]\napp = "a:b"\ngraceful-timeout = "8s"\n'
        'listen = ["127.0.0.1:8000"]\n[groups.b]\napp = "a:b"\neviction-timeout = "9s"\nlisten = ["127.0.0.1:8001"]\n'
    )
    data = json.loads(run("config", "show", str(path), "-o", "json").output)
    groups, origins = data["configuration"]["groups"], data["origins"]
    assert (groups["a"]["eviction-timeout"], groups["b"]["eviction-timeout"]) == ("8s", "9s")
    assert groups["a"]["user"] == groups["a"]["socket-user"] == "web"
    assert groups["a"]["response-socket-timeout"] == groups["a"]["socket-timeout"] == "7s"
    assert origins["groups.a.eviction-timeout"] == f"{path}:7, graceful-timeout"
    assert origins["groups.a.response-socket-timeout"] == f"{path}:3, timeout of [server]"
    assert origins["groups.b.eviction-timeout"] == f"{path}:11"
    assert 'eviction-timeout = "8s"' in run("config", "show", str(path)).output
