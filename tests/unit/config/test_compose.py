"""Several files, includes, defaults, profiles, variables: who wins, and what every value's origin is."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.configurations import codes, messages, places

from wsgigroups.config import Loaded, load

GROUP = '[groups.{0}]\napp = "{0}.wsgi:application"\nlisten = ["127.0.0.1:{1}"]\n'


def write(directory: Path, **files: str) -> Path:
    """Write files: a__b_toml is a/b.toml."""
    for name, text in files.items():
        path = directory / name.replace("__", "/").replace("_toml", ".toml").replace("_yaml", ".yaml")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return directory


def test_files_and_directories_add_up(tmp_path: Path) -> None:
    write(
        tmp_path,
        main_toml="version = 1\n[server]\nuser = 'www-data'\n",
        conf__a_toml=GROUP.format("a", 1),
        conf__b_yaml="version: 1\nserver: {timeout: 30}\ngroups: {b: {app: 'b:b', listen: ['127.0.0.1:2']}}\n",
        conf__ignored_txt="x",
        conf__sub__c_toml=GROUP.format("c", 3),
    )
    loaded = load([tmp_path / "main.toml", tmp_path / "conf"])
    assert loaded.configuration, messages(loaded)
    assert sorted(loaded.configuration.groups) == ["a", "b"]
    assert (loaded.configuration.server.user, loaded.configuration.server.timeout) == ("www-data", 30.0)


def test_a_key_in_two_files_names_both(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_toml="version = 1\n" + GROUP.format("a", 1) + "threads = 5\n",
        b_toml="version = 1\n[groups.a]\n\nthreads = 6\nprocesses = 2\n",
    )
    loaded = load([tmp_path / "a.toml", tmp_path / "b.toml"])
    assert places(loaded) == [("WG0118", 4, 1)]
    found = loaded.diagnostics[0]
    assert found.file == str(tmp_path / "b.toml")
    assert (found.related[0].file, found.related[0].span.line) == (str(tmp_path / "a.toml"), 5)  # type: ignore[union-attr]


def test_includes_are_relative_to_their_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        main_toml='version = 1\ninclude = ["conf.d/*.toml", "more/x.yaml"]\n',
        more__x_yaml="include: deep/y.toml\ngroups: {x: {app: 'x:x', listen: ['127.0.0.1:3']}}\n",
        more__deep__y_toml=GROUP.format("y", 4) + 'home = "files"\n',
    )
    write(tmp_path / "conf.d", b_toml=GROUP.format("b", 2), a_toml=GROUP.format("a", 1))
    loaded = load([tmp_path / "main.toml"])
    assert loaded.configuration, messages(loaded)
    assert list(loaded.configuration.groups) == ["a", "b", "x", "y"]
    assert loaded.configuration.groups["y"].home == str(tmp_path / "more/deep/files")


@pytest.mark.parametrize(
    ("include", "code", "severity"),
    [
        ('["none/*.toml"]', "WG0115", "warning"),
        ('["gone.toml"]', "WG0101", "error"),
        ('["main.toml"]', "WG0116", "error"),
        ('["loop.toml"]', "WG0116", "error"),
        ("3", "WG0301", "error"),
        ("[3]", "WG0301", "error"),
        ('[""]', "WG0301", "error"),
        ('["."]', "WG0102", "error"),
    ],
)
def test_includes_that_do_not_work(tmp_path: Path, include: str, code: str, severity: str) -> None:
    write(tmp_path, main_toml=f"version = 1\n\ninclude = {include}\n", loop_toml='include = ["main.toml"]\n')
    loaded = load([tmp_path / "main.toml"])
    assert [(item.code, item.severity.value) for item in loaded.diagnostics] == [(code, severity)], messages(loaded)


def test_all_files_are_checked_though_one_is_broken(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_toml="version = 1\n[groups\n",
        b_toml="[groups.b]\nthreadz = 1\nlisten = ['127.0.0.1:1']\n",
        c_yaml="groups: {c: {app: 'c', listen: ['127.0.0.1:2']}}\nsites: {www.example.org: {process-group: blog}}\n",
    )
    loaded = load([tmp_path / name for name in ("a.toml", "b.toml", "c.yaml")])
    # what may stand in the broken file is not said to be missing: version, group blog
    assert codes(loaded) == ["WG0106", "WG0201", "WG0311", "WG0414"]
    assert loaded.configuration is None


DEFAULTS = """\
version = 1
[defaults]
threads = 5
environment = { A = "1", B = "1" }
user = "joe"
app = "shared:app"
python-path = ["/shared"]
[groups.one]
listen = ["127.0.0.1:1"]
environment = { B = "2" }
[groups.two]
script = "/two.wsgi"
listen = ["127.0.0.1:2"]
threads = 7
python-path = ["/two"]
"""


def test_defaults_are_inherited(check: Any) -> None:
    loaded: Loaded = check(DEFAULTS)
    assert loaded.configuration, messages(loaded)
    one, two = loaded.configuration.groups["one"], loaded.configuration.groups["two"]
    assert (one.threads, one.environment, one.app, one.user) == (5, {"A": "1", "B": "2"}, "shared:app", "joe")
    assert one.is_set("threads"), "written in [defaults] is written"
    assert (two.threads, two.app, two.script) == (7, None, "/two.wsgi"), "script keeps app from being inherited"
    assert two.python_path == ("/two",), "lists are replaced"
    assert one.environment is not two.environment


def test_a_mistake_in_defaults_is_said_once_where_it_is(check: Any) -> None:
    loaded: Loaded = check(DEFAULTS.replace("threads = 5", 'threads = "5"').replace("threads = 7\n", ""))
    assert places(loaded) == [("WG0301", 3, 11)]
    loaded = check("version = 1\n[defaults]\nthreads = 0\nbogus = 1\n")
    assert places(loaded) == [("WG0302", 3, 11), ("WG0201", 4, 1)]


PROFILES = """\
version = 1
[defaults]
threads = 5
[groups.a]
app = "a:a"
listen = ["127.0.0.1:1"]
environment = { MODE = "development", KEEP = "1" }
processes = 1
[profiles.production.defaults]
threads = 10
[profiles.production.groups.a]
processes = 4
environment = { MODE = "production" }
[profiles.large.groups.a]
processes = 8
[profiles.script.groups.a]
script = "/a.wsgi"
"""


def test_profiles_go_over_files_in_their_order(check: Any) -> None:
    plain = check(PROFILES).configuration.groups["a"]
    assert (plain.processes, plain.threads, plain.environment["MODE"]) == (1, 5, "development")
    production = check(PROFILES, profiles=["production"]).configuration.groups["a"]
    assert (production.processes, production.threads) == (4, 10)
    assert production.environment == {"MODE": "production", "KEEP": "1"}
    both = check(PROFILES, profiles=["production", "large"]).configuration.groups["a"]
    assert (both.processes, both.threads) == (8, 10)
    assert check(PROFILES, profiles=["large", "production"]).configuration.groups["a"].processes == 4
    script = check(PROFILES, profiles=["script"]).configuration.groups["a"]
    assert (script.app, script.script) == (None, "/a.wsgi")


def test_profiles_that_are_wrong(check: Any) -> None:
    loaded: Loaded = check(PROFILES, profiles=["prodution"])
    assert codes(loaded) == ["WG0209"]
    assert loaded.diagnostics[0].hint == 'did you mean "production"?'
    loaded = check(PROFILES.replace("[profiles.large.groups.a]", "[profiles.large.groups.aa]"), profiles=["large"])
    assert places(loaded) == [("WG0210", 14, 24)]
    loaded = check(PROFILES.replace("processes = 8", "processes = 'x'\nbogus = 1"))
    assert codes(loaded) == ["WG0301", "WG0201"], "unused profiles are checked as well"


def origins_of(loaded: Loaded, group: str, *keys: tuple[str, ...]) -> dict[str, tuple[int, str | None, bool]]:
    """Line, profile and whether it is inherited, of each key of a group."""
    assert loaded.composed, messages(loaded)
    found = {}
    for key in keys:
        origin = loaded.composed.origin(("groups", group, *key))
        assert origin, key
        span = origin.span(key=True)
        assert span, key
        found[".".join(key)] = (span.line, origin.profile, origin.inherited)
    return found


def test_origins_name_file_line_and_layer(check: Any) -> None:
    loaded: Loaded = check(PROFILES, profiles=["production"])
    keys = [("app",), ("threads",), ("processes",), ("environment", "MODE"), ("environment", "KEEP")]
    assert origins_of(loaded, "a", *keys) == {
        "app": (5, None, False),
        "threads": (10, "production", True),
        "processes": (12, "production", False),
        "environment.MODE": (13, "production", False),
        "environment.KEEP": (7, None, False),
    }


VARIABLES_OF_LAYERS = """\
version = 1
[defaults.environment]
SHARED = "1"
OVERLAID = "1"
OWN = "1"
[groups.a]
app = "a:a"
listen = ["127.0.0.1:1"]
environment = { OWN = "2" }
[groups.b]
app = "b:b"
listen = ["127.0.0.1:2"]
[profiles.p.defaults.environment]
OVERLAID = "3"
ADDED = "3"
"""


def test_every_variable_keeps_its_own_origin(check: Any) -> None:
    """Whether the table was merged from layers or inherited as it is."""
    loaded: Loaded = check(VARIABLES_OF_LAYERS, profiles=["p"])
    names = [("environment", name) for name in ("SHARED", "OVERLAID", "OWN", "ADDED")]
    shared = {
        "environment.SHARED": (3, None, True),
        "environment.OVERLAID": (14, "p", True),
        "environment.ADDED": (15, "p", True),
    }
    assert origins_of(loaded, "a", *names) == {**shared, "environment.OWN": (9, None, False)}
    assert origins_of(loaded, "b", *names) == {**shared, "environment.OWN": (5, None, True)}


def test_relative_paths_start_at_the_file(check: Any, tmp_path: Path) -> None:
    loaded: Loaded = check(
        'version = 1\n[groups.a]\nscript = "x/a.wsgi"\nhome = "./h"\npython-path = "lib:/abs:../up"\n'
        'listen = ["unix:run/a.sock"]\nenvironment-files = ["a.env"]\nerror-log = "log"\n'
    )
    assert loaded.configuration, messages(loaded)
    group = loaded.configuration.groups["a"]
    base = str(tmp_path)
    assert (group.script, group.home, group.error_log) == (f"{base}/x/a.wsgi", f"{base}/h", f"{base}/log")
    assert group.python_path == (f"{base}/lib", "/abs", f"{base}/../up")
    assert group.listen == (f"unix:{base}/run/a.sock",)
    assert group.environment_files == (f"{base}/a.env",)


VARIABLES = {"HOME": "/home/joe", "EMPTY": "", "NAME": "x"}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("${HOME}/blog", "/home/joe/blog"),
        ("/a/${NAME}/${NAME}", "/a/x/x"),
        ("${UNSET:-/default}/b", "/default/b"),
        ("${EMPTY:-/default}", "/default"),
        ("/a/$${NAME}", "/a/${NAME}"),
        ("/a/$NAME", "/a/$NAME"),
        ("/a/$$", "/a/$$"),
        ("/a/${", "/a/${"),
    ],
)
def test_variables_in_paths(blog: Any, written: str, value: str) -> None:
    loaded: Loaded = blog(f"home = '{written}'\nenvironment = {{ A = '{written}' }}", variables=VARIABLES)
    assert loaded.configuration, messages(loaded)
    group = loaded.configuration.groups["blog"]
    assert (group.home, group.environment["A"]) == (value, value)


def test_variables_where_they_do_not_work(blog: Any) -> None:
    loaded: Loaded = blog("home = '/${UNSET}'\nuser = '${NAME}'\ndisplay-name = '${NAME}'", variables=VARIABLES)
    assert places(loaded)[:2] == [("WG0316", 5, 8), ("WG0308", 6, 8)]
    assert codes(loaded).count("WG0317") == 2


def test_both_spellings_of_a_key(check: Any) -> None:
    text = "version = 1\n[groups.a]\napp = 'a:a'\nlisten = ['127.0.0.1:1']\nrequest_timeout = '60s'\n"
    loaded: Loaded = check(text)
    assert loaded.configuration
    assert codes(loaded) == []
    assert loaded.configuration.groups["a"].request_timeout == 60.0
    strict: Loaded = check(text, strict=True)
    assert places(strict) == [("WG0205", 5, 1)]
    assert strict.configuration is None
    both: Loaded = check(text + "request-timeout = '50s'\n")
    assert places(both) == [("WG0108", 6, 1)]
    wrong: Loaded = check(text.replace("'60s'", "'x'"))
    assert places(wrong) == [("WG0303", 5, 19)], "places are those of the file's own spelling"


def test_strict_turns_warnings_into_errors(blog: Any) -> None:
    assert blog("threads = 100").configuration
    loaded: Loaded = blog("threads = 100", strict=True)
    assert loaded.configuration is None
    assert loaded.diagnostics[0].severity.value == "error"
    assert blog("server-metrics = true", strict=True).configuration, "notes stay notes"


def test_suggestions_for_keys_of_other_programs(blog: Any) -> None:
    hints = {"workers": "processes", "bind": "listen", "timeout": "request-timeout", "venv": "python-home"}
    for key, name in hints.items():
        assert name in (blog(f"{key} = 1").diagnostics[0].hint or ""), key


def test_order_is_the_same_every_time(tmp_path: Path) -> None:
    write(
        tmp_path,
        a_toml="version = 1\n[groups.a]\nzz = 1\nthreads = 'x'\naa = 1\n[groups.b]\nlisten = [3]\n",
        b_toml="[groups.c]\nthreadz = 1\n",
    )
    runs = [load([tmp_path / "b.toml", tmp_path / "a.toml"]).diagnostics for _ in range(3)]
    assert runs[0] == runs[1] == runs[2]
    listed = [(item.file, item.span.line) for item in runs[0] if item.span]
    assert listed == sorted(listed, key=lambda pair: (str(pair[0]).endswith("a.toml"), pair[1]))


def test_standard_input(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import io
    import sys

    for text in (
        "version = 1\n" + GROUP.format("a", 1) + 'home = "h"\n',
        "version: 1\ngroups: {a: {app: 'a:b', listen: ['127.0.0.1:1'], home: h}}\n",
    ):
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))
        monkeypatch.chdir(tmp_path)
        loaded = load([Path("-")])
        assert loaded.configuration, messages(loaded)
        assert loaded.configuration.groups["a"].home == str(tmp_path / "h")


HASHED = """\
version = 1
[server]
zz = 1
aa = 2
[groups.a]
app = "a"
bogus = 1
listen = ["127.0.0.1:80", "0.0.0.0:80", "x"]
environment = { LANG = "C", PYTHONPATH = "x", "1" = "y", LC_ALL = "z" }
user = "root"
threads = 0
umask = 3
[groups.b]
listen = ["127.0.0.1:80"]
queue-timeout = "2m"
[sites.c]
process-group = "bb"
aliases = ["x.org", "y.org"]
[profiles.p.groups.nobody]
threads = "x"
"""


def test_order_does_not_depend_on_hashes(tmp_path: Path) -> None:
    """Two processes hash texts differently; what they say, and in which order, is the same byte for byte."""
    (tmp_path / "a.toml").write_text(HASHED)
    (tmp_path / "b.yaml").write_text("groups: {a: {threads: 2}, c: {}}\nsites: {d: {mounts: [{path: /}]}}\n")
    (tmp_path / "good.toml").write_text(PROFILES)
    commands = [
        ["validate", "--offline", "--strict", "-o", "json", "--profile", "p", "a.toml", "b.yaml"],
        ["validate", "--offline", "a.toml", "b.yaml"],
        ["validate", "-o", "sarif", "a.toml", "b.yaml"],
        ["config", "show", "--profile", "production", "good.toml"],
        ["config", "show", "-o", "json", "good.toml"],
        ["explain"],
    ]
    for command in commands:
        outputs = set()
        for seed in ("1", "2", "77"):
            environ = {**os.environ, "PYTHONHASHSEED": seed}
            full = [sys.executable, "-m", "wsgigroups", *command]
            done = subprocess.run(full, cwd=tmp_path, env=environ, capture_output=True, check=False)
            assert done.returncode in (0, 2), done.stderr
            assert done.stdout
            outputs.add((done.stdout, done.stderr))
        assert len(outputs) == 1, command
