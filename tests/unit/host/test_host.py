"""Checks against a host: a made-up one for every rule, the real one for what takes a kernel."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.configurations import codes, messages

from wsgigroups.cli.main import cli
from wsgigroups.config import Loaded, load
from wsgigroups.errors import ExitCode, WsgigroupsError
from wsgigroups.host.checks import host as checks_of
from wsgigroups.host.interface import SoughtApplication, Viewer
from wsgigroups.host.real import RealHost
from wsgigroups.host.recorded import RecordedHost, read_facts


class MadeUpHost:
    """A host that has what a test says."""

    def __init__(self, *, privileged: bool = True, **answers: Any) -> None:
        self.privileged = privileged
        self.users = {"joe": 1000, "web": 33, "www-data": 33, "toor": 0}
        self.groups = {"joe": 1000, "web": 33, "wheel": 0}
        self.paths = {"/srv/blog": "directory", "/srv/blog/blog.wsgi": "file", "/run": "directory", "/etc/env": "file"}
        self.blocked: dict[str, str] = {}
        self.foreign: dict[str, str] = {}
        self.open_files = False
        self.limits = {
            "somaxconn": 4096,
            "nproc": None,
            "memory_bytes": 8 * 2**30,
            "ngroups_max": 65536,
            "unprivileged_port": 1024,
        }
        self.interpreter: dict[str, Any] = {
            "executable": "/usr/bin/python3.11",
            "python_home": None,
            "kind": "manager",
            "version": "3.11.2",
        }
        self.application: dict[str, Any] = {"problem": None}
        self.asked: list[SoughtApplication] = []
        for name, value in answers.items():
            setattr(self, name, value)

    def prepare(self, applications: list[SoughtApplication]) -> None:
        self.asked = applications

    def ask(self, question: str, *arguments: str) -> Any:
        answers: dict[str, Any] = {
            "privileged": lambda: self.privileged,
            "user": lambda name: self._user(name),
            "group": lambda name: self.groups.get(name),
            "names": lambda what: sorted(getattr(self, what)),
            "limits": lambda: self.limits,
            "addresses": lambda: ["127.0.0.1", "192.0.2.1", "::1"],
            "locales": lambda: ["C.utf8", "en_US.utf8", "de_DE.utf8"],
            "path": self.paths.get,
            "blocked": lambda _purpose, path, _identity: self.blocked.get(path),
            "untrusted": self.foreign.get,
            "refused_line": lambda file: ("line 3 ends with a backslash", "") if file == "/etc/continued" else None,
            "open_to_others": lambda _file: self.open_files,
            "interpreter": lambda _home: self.interpreter,
            "application": lambda _key: self.application,
        }
        return answers[question](*arguments)

    def _user(self, name: str) -> dict[str, Any] | None:
        if name not in self.users:
            return None
        return {"name": name, "uid": self.users[name], "gid": 100 + self.users[name], "home": f"/home/{name}"}


BLOG = 'version = 1\n[groups.blog]\nlisten = ["127.0.0.1:8000"]\n'


def against(check: Any, options: str, **answers: Any) -> Loaded:
    """Load with these options on a made-up host."""
    text = "version = 1\n[groups.blog]\n" + options + "\n"
    text += "" if "listen =" in options else 'listen = ["127.0.0.1:8000"]\n'
    text += "" if "script =" in options else 'app = "blog:app"\n'
    loaded: Loaded = check(text, host=MadeUpHost(**answers))
    return loaded


RULES: list[tuple[str, dict[str, Any], list[str]]] = [
    ("", {}, []),
    ('user = "joe"', {}, []),
    ('user = "jo"', {}, ["WG0601"]),
    ('user = "#4711"', {}, []),
    ('user = "toor"', {}, ["WG0603"]),
    ('group = "wheel"', {}, ["WG0603"]),
    ('group = "weeb"', {}, ["WG0602"]),
    ('supplementary-groups = ["web", "nothing"]', {}, ["WG0602"]),
    ('supplementary-groups = ["web", "wheel"]', {}, ["WG0603"]),
    ('supplementary-groups = ["web", "joe"]', {"limits": {**MadeUpHost().limits, "ngroups_max": 2}}, ["WG0622"]),
    ('script = "/srv/blog/blog.wsgi"\nscript-user = "nobody"', {}, ["WG0601"]),
    ('script = "/srv/blog/blog.wsgi"\nscript-user = "toor"', {}, []),
    ('script = "/srv/blog/blog.wsgi"\nscript-group = "nothing"', {}, ["WG0602"]),
    ('socket-user = "nothing"', {}, ["WG0601"]),
    ('operators = ["joe", "@web", "toor", "@wheel", "#4711", "@#4711"]', {}, []),
    ('operators = ["nothing"]', {}, ["WG0601"]),
    ('operators = ["@joes"]', {}, ["WG0602"]),
    ('python-home = "/x"', {"interpreter": {"error": "it is gone", "hint": "make it"}}, ["WG0604"]),
    ("", {"interpreter": {**MadeUpHost().interpreter, "version": "3.7.9"}}, ["WG0605"]),
    ("", {"blocked": {"/usr/bin/python3.11": "/closed"}}, ["WG0606"]),
    ("", {"interpreter": {**MadeUpHost().interpreter, "doubt": "another user could change /x"}}, ["WG0607"]),
    (
        'chroot = "/srv/blog"',
        {"interpreter": {**MadeUpHost().interpreter, "doubt": "x"}},
        ["WG0502", "WG0607", "WG0641"],
    ),
    (
        'protect-proc = "invisible"',
        {"interpreter": {**MadeUpHost().interpreter, "doubt": "x"}},
        ["WG0607", "WG0637"],
    ),
    ("", {"privileged": False, "interpreter": {**MadeUpHost().interpreter, "doubt": "x"}}, []),
    ('script = "/srv/blog/gone.wsgi"', {}, ["WG0608"]),
    ('script = "/srv/blog"', {}, ["WG0608"]),
    ('chroot = "/srv/blog"\nscript = "/blog.wsgi"', {}, ["WG0502"]),
    ('chroot = "/srv/blog"\nscript = "/srv/blog/blog.wsgi"', {}, ["WG0502", "WG0608"]),
    ('chroot = "/srv/blog"\nhome = "/srv/blog"', {}, ["WG0502", "WG0613"]),
    ('script = "/srv/blog/blog.wsgi"', {}, []),
    ('script = "/srv/blog/blog.wsgi"', {"blocked": {"/srv/blog/blog.wsgi": "/srv"}}, ["WG0609"]),
    ('script = "/srv/blog/blog.wsgi"', {"application": {"problem": "syntax", "message": "m", "line": 3}}, ["WG0610"]),
    ("", {"application": {"problem": "no-module", "message": "blog", "names": ["blogg"]}}, ["WG0611"]),
    ("", {"application": {"problem": "no-callable", "message": "app", "names": ["application"]}}, ["WG0611"]),
    ("", {"application": {"problem": "unchecked", "message": "m"}}, ["WG0625"]),
    ('python-path = ["/srv/blog", "/gone"]', {}, ["WG0612"]),
    ('python-path = ["/etc/env"]', {}, ["WG0612"]),
    ('home = "/gone"', {}, ["WG0613"]),
    ('home = "/srv/blog"', {"blocked": {"/srv/blog": "/srv"}}, ["WG0623"]),
    ('python-eggs = "/srv/blog"', {"blocked": {"/srv/blog": "/srv/blog"}}, ["WG0623"]),
    ("listen-backlog = 4096", {}, []),
    ("listen-backlog = 4097", {}, ["WG0614"]),
    ("processes = 10\nthreads = 8", {"limits": {**MadeUpHost().limits, "nproc": 100}}, []),
    ("processes = 10\nthreads = 9", {"limits": {**MadeUpHost().limits, "nproc": 100}}, ["WG0615"]),
    ('processes = 8\nmemory-limit = "1G"', {}, []),
    ('processes = 9\nmemory-limit = "1G"', {}, ["WG0616"]),
    ('locale = "en_US.UTF-8"', {}, []),
    ('locale = "fr_FR.UTF-8"', {}, ["WG0617"]),
    ('lang = "C"\nlocale = "POSIX"', {}, []),
    ('environment-files = ["/etc/env"]', {}, []),
    ('environment-files = ["/etc/continued"]', {"paths": {"/etc/continued": "file"}}, ["WG0618"]),
    ('environment-files = ["/etc/gone", "/run"]', {}, ["WG0618", "WG0618"]),
    ('listen = ["192.0.2.1:80", "0.0.0.0:81", "127.8.8.8:1"]', {}, []),
    ('listen = ["198.51.100.1:80"]', {}, ["WG0619"]),
    ('listen = ["unix:/gone/x.sock"]', {}, ["WG0613"]),
    ('listen = ["127.0.0.1:80"]', {"privileged": False}, ["WG0620"]),
    ('user = "joe"\nchroot = "/gone"', {"privileged": False}, ["WG0502", "WG0621", "WG0642"]),
    ("cpu-priority = -5", {"privileged": False}, ["WG0624"]),
    ("cpu-priority = -5", {}, []),
    ('error-log = "/srv/blog/log"', {"foreign": {"/srv/blog/log": "/srv/blog"}}, ["WG0631"]),
    ('error-log = "/srv/blog/log"', {"foreign": {"/srv/blog/log": "/srv/blog"}, "privileged": False}, []),
    ('listen = ["unix:/srv/blog/a.sock"]', {"foreign": {"/srv/blog": "/srv/blog"}}, ["WG0631"]),
    ('listen = ["unix:/srv/blog/a.sock"]', {"foreign": {"/srv/blog/a.sock": "/srv/blog/a.sock"}}, []),
    ('user = "joe"\nchroot = "/srv/blog"', {"foreign": {"/srv/blog": "/srv/blog"}}, ["WG0502", "WG0631"]),
    ('inaccessible-paths = ["/gone", "/etc/env"]\nread-only-paths = ["/gone/too"]', {}, ["WG0636", "WG0636"]),
    ('read-only-paths = ["/srv/blog"]\nread-write-paths = ["/etc/env"]', {}, []),
    ('protect-proc = "invisible"', {}, []),
    ('protect-proc = "invisible"', {"privileged": False}, ["WG0637"]),
    ('environment = { SECRET_KEY = "x" }', {"open_files": True}, ["WG0634"]),
    ('environment = { SECRET_KEY = "x" }', {"open_files": True, "privileged": False}, ["WG0634"]),
    ('environment = { SECRET_KEY = "x" }', {}, []),
    ('environment = { URL = "postgresql://db/web" }', {"open_files": True}, []),
    ('environment = { URL = "postgresql://web:pw@db/web" }', {"open_files": True}, ["WG0634"]),
    ('environment = { SECRET_KEY = "" , DJANGO_SETTINGS_MODULE = "x" }', {"open_files": True}, []),
    ('trusted-proxies = ["127.0.0.1"]', {}, ["WG0635"]),
    ('trusted-proxies = ["0.0.0.0/0", "::/0"]', {}, ["WG0635", "WG0635"]),
    ('trusted-proxies = ["127.0.0.1"]', {"privileged": False}, []),
    ('trusted-proxies = ["192.0.2.0/24", "unix"]', {}, []),
    ('listen = ["unix:/run/a.sock"]\ntrusted-proxies = ["127.0.0.1", "unix"]', {}, []),
]


@pytest.mark.parametrize(
    ("options", "answers", "expected"), RULES, ids=[f"{i}-{r[0][:40]}" for i, r in enumerate(RULES)]
)
def test_rules(check: Any, options: str, answers: dict[str, Any], expected: list[str]) -> None:
    loaded = against(check, options, **answers)
    assert sorted(codes(loaded)) == sorted(expected), messages(loaded)
    for item in loaded.diagnostics:
        assert item.span, item


def test_suggestions_come_from_the_host(check: Any) -> None:
    assert against(check, 'user = "jooe"').diagnostics[0].hint == 'did you mean "joe"?'
    assert against(check, 'group = "weeb"').diagnostics[0].hint == 'did you mean "web"?'
    answer = {"problem": "no-callable", "message": "ap", "names": ["app", "x"], "file": "/srv/blog.py"}
    assert against(check, "", application=answer).diagnostics[0].hint == 'did you mean "app"?'


def test_all_applications_are_looked_at_together_with_their_users_eyes(check: Any) -> None:
    host = MadeUpHost()
    text = BLOG + 'app = "a:b"\nuser = "joe"\ngroup = "web"\nsupplementary-groups = ["joe"]\nhome = "/srv/blog"\n'
    text += '[sites."www.example.org"]\nprocess-group = "blog"\n[[sites."www.example.org".mounts]]\npath = "/"\n'
    text += 'script = "/srv/blog/blog.wsgi"\n'
    check(text, host=host)
    assert [(item.kind, item.target) for item in host.asked] == [
        ("callable", "a:b"),
        ("script", "/srv/blog/blog.wsgi"),
    ]
    assert {item.identity for item in host.asked} == {Viewer(1000, 33, (33, 1000)).key()}
    assert host.asked[0].directories == ("/srv/blog",)


def test_static_directories_have_to_be_there(check: Any) -> None:
    text = BLOG + 'app = "a:b"\n[sites."www.example.org"]\nprocess-group = "blog"\n'
    for directory, expected in (("/srv/blog", ["WG0414"]), ("/gone", ["WG0414", "WG0613"])):
        static = f'[[sites."www.example.org".static]]\npath = "/s"\ndirectory = "{directory}"\n'
        assert codes(check(text + static, host=MadeUpHost())) == expected


SOURCES = {
    "good.py": "import os\nif True:\n    application = 1\ndef create_app():\n    pass\n",
    "star.py": "from os import *\n",
    "dynamic.py": "def __getattr__(name):\n    return 1\n",
    "broken.py": "def x(:\n",
    "package/__init__.py": "",
    "package/wsgi.py": "app = object()\n",
    "leaving.py": "raise SystemExit('it was imported')\napplication = 1\n",
    "good.wsgi": "application = 1\n",
    "broken.wsgi": "application = (\n",
    "null.wsgi": "application = 1\0\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """Modules and scripts that everybody can read."""
    for name, text in SOURCES.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


def look(directory: Path, *applications: tuple[str, str]) -> list[dict[str, Any]]:
    """Ask our own interpreter, as ourselves or (as root) through the probe itself."""
    probe = Path(sys.modules[RealHost.__module__].__file__ or "").with_name("probe.py").read_text()
    questions = [
        {
            "kind": kind,
            "target": target if kind == "callable" else str(directory / target),
            "callable_object": "application",
            "directories": [str(directory)],
            "prefix": "",
        }
        for kind, target in applications
    ]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", probe],
        input=json.dumps(questions),
        capture_output=True,
        text=True,
        check=True,
    )
    answers: list[dict[str, Any]] = json.loads(done.stdout)["answers"]
    return answers


@pytest.mark.parametrize(
    ("kind", "target", "problem"),
    [
        ("callable", "good:application", None),
        ("callable", "good:create_app()", None),
        ("callable", "good:aplication", "no-callable"),
        ("callable", "star:anything", None),
        ("callable", "dynamic:anything", None),
        ("callable", "broken:x", "syntax"),
        ("callable", "package.wsgi:app", None),
        ("callable", "package.wsgi:app.inner", None),
        ("callable", "package:wsgi", None),
        ("callable", "package.gone:app", "no-module"),
        ("callable", "gone:app", "no-module"),
        ("callable", "json:loads", None),
        ("callable", "leaving:application", None),
        ("script", "good.wsgi", None),
        ("script", "broken.wsgi", "syntax"),
        ("script", "null.wsgi", "syntax"),
        ("script", "gone.wsgi", "unreadable"),
    ],
)
def test_the_probe_reads_and_never_runs(project: Path, kind: str, target: str, problem: str | None) -> None:
    (answer,) = look(project, (kind, target))
    assert answer["problem"] == problem, answer
    if problem == "syntax":
        assert answer["message"]


def test_the_probe_names_what_is_near(project: Path) -> None:
    callables, modules = look(project, ("callable", "good:aplication"), ("callable", "goood:x"))
    assert "application" in callables["names"]
    assert {"good", "package"} <= set(modules["names"])


def test_every_supported_python_understands_the_probe() -> None:
    """Its syntax is that of Python 3.8."""
    import ast

    text = Path(sys.modules[RealHost.__module__].__file__ or "").with_name("probe.py").read_text()
    ast.parse(text, feature_version=(3, 8))


def test_this_host_answers() -> None:
    host = RealHost()
    assert host.ask("privileged") is (os.geteuid() == 0)
    assert host.ask("user", "root")["uid"] == 0
    assert host.ask("user", "#0")["name"] == "root"
    assert host.ask("user", "no such user") is None
    assert host.ask("group", "root") == 0
    assert host.ask("limits")["memory_bytes"] > 2**26
    assert "127.0.0.1" in host.ask("addresses")
    assert host.ask("path", "/") == "directory"
    assert host.ask("path", "/dev/null") == "other"
    assert host.ask("path", "/nothing\0") is None
    assert host.ask("interpreter", "")["version"].startswith("3.")
    assert "error" in host.ask("interpreter", "/nowhere")
    assert host.ask("blocked", "use", "/", "") is None


CONFIGURATION = """\
version = 1
[groups.blog]
app = "good:aplication"
python-path = ["."]
listen = ["127.0.0.1:8000"]
user = "#{uid}"
group = "#{gid}"
"""


@pytest.fixture
def served(project: Path) -> Path:
    """A configuration beside the sources, for an ordinary user."""
    path = project / "groups.toml"
    uid, gid = (12345, 12345) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    path.write_text(CONFIGURATION.format(uid=uid, gid=gid))
    return path


def test_facts_answer_as_the_host_did(served: Path, tmp_path: Path) -> None:
    here = load([served], check=checks_of.against(RealHost()), trust=False)
    done = CliRunner().invoke(cli, ["facts", "-o", "json", str(served)])
    assert done.exit_code == 0, done.output
    facts = tmp_path / "facts.json"
    facts.write_text(done.stdout)
    there = load([served], check=checks_of.against(read_facts(facts)), trust=False)
    assert there.diagnostics == here.diagnostics
    assert "WG0625" not in codes(there) or "WG0625" in codes(here)
    assert "aplication" not in json.dumps(json.loads(done.stdout)["users"])


def test_facts_without_the_files_say_what_they_cannot(served: Path, tmp_path: Path) -> None:
    facts = tmp_path / "facts.json"
    facts.write_text(CliRunner().invoke(cli, ["facts", "-o", "json"]).stdout)
    loaded = load([served], check=checks_of.against(read_facts(facts)), trust=False)
    assert "WG0625" in codes(loaded)
    text = served.read_text().replace("user = ", "user = 'no-such-user' #")
    served.write_text(text)
    assert "WG0601" in codes(load([served], check=checks_of.against(read_facts(facts)), trust=False))


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema_version": 2}', '{"schema_version": 1}', "\0"])
def test_facts_of_another_form_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "facts.json"
    path.write_text(text)
    with pytest.raises(WsgigroupsError, match="cannot read facts") as caught:
        read_facts(path)
    assert caught.value.exit_code == ExitCode.USAGE


def test_recorded_hosts_know_nothing_else() -> None:
    from wsgigroups.host.interface import UnknownError

    host = RecordedHost({"users": {}, "groups": {}, "answers": {}})
    assert host.ask("user", "joe") is None
    with pytest.raises(UnknownError):
        host.ask("path", "/")


def test_validate_chooses_its_host(served: Path, tmp_path: Path) -> None:
    served.write_text(served.read_text().replace("good:aplication", "good:application") + 'locale = "xx_XX.UTF-8"\n')
    run = CliRunner().invoke
    assert "WG06" not in run(cli, ["validate", "--offline", str(served)]).output
    both = run(cli, ["validate", "--offline", "--facts", "x", str(served)])
    assert both.exit_code == 2
    done = run(cli, ["validate", str(served)], standalone_mode=False)
    assert done.return_value in (0, 2)


@pytest.mark.root
def test_root_never_runs_a_tenants_python(tmp_path: Path, project: Path) -> None:
    """The interpreter of a group runs as the group's user; a tenant's own binary can do no more than the tenant."""
    import tempfile

    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        home = Path(name)
        home.chmod(0o777)
        (home / "bin").mkdir()
        (home / "bin" / "python3").write_text(f"#!/bin/sh\nid -u > {home}/who\n")
        (home / "bin" / "python3").chmod(0o755)
        (home / "x.wsgi").write_text("application = 1\n")
        path = tmp_path / "groups.toml"
        path.write_text(
            f'version = 1\n[groups.a]\nscript = "{home}/x.wsgi"\npython-home = "{home}"\nuser = "#12345"\n'
            'group = "#12345"\nlisten = ["127.0.0.1:1"]\n'
        )
        loaded = load([path], check=checks_of.against(RealHost()))
        assert "WG0607" in codes(loaded), "root would start it: refused"
        assert (home / "who").read_text().strip() == "12345", "it was asked about the script, as its user"


SCRIPT = """\
version = 1
[groups.a]
script = "{place}/closed/app.wsgi"
user = "#12345"
group = "#12345"
{more}
listen = ["127.0.0.1:1"]
"""
# mode of the directory, of the script, further options, and what is said of the script; both belong to root:root
READABLE = {
    "open to everybody": (0o755, 0o644, "", None),
    "a closed directory": (0o700, 0o644, "", "#12345 cannot read {file}: cannot enter {directory}"),
    "a directory to look into, not to enter": (0o744, 0o644, "", "#12345 cannot read {file}: cannot enter {directory}"),
    "an unreadable file": (0o755, 0o600, "", "#12345 cannot read {file}: cannot read it"),
    "a file that can only be executed": (0o755, 0o711, "", "#12345 cannot read {file}: cannot read it"),
    "open to a group it is not in": (0o750, 0o640, "", "#12345 cannot read {file}: cannot enter {directory}"),
    "open to a group it is in": (0o750, 0o640, 'supplementary-groups = ["#54321"]', None),
}


@pytest.mark.root
@pytest.mark.parametrize("case", READABLE)
def test_the_script_and_its_parents_are_readable_by_the_groups_user(tmp_path: Path, case: str) -> None:
    """On this host, judged for another user than the one who asks; the kernel agrees."""
    import tempfile

    directory_mode, file_mode, more, said = READABLE[case]
    with tempfile.TemporaryDirectory(dir="/tmp") as name:  # pytest's own directories are closed to others
        place = Path(name)
        place.chmod(0o755)
        directory, file = place / "closed", place / "closed" / "app.wsgi"
        directory.mkdir()
        file.write_text("application = 1\n")
        for path, mode in ((file, file_mode), (directory, directory_mode)):
            os.chown(path, 0, 54321)
            path.chmod(mode)
        configuration = tmp_path / "groups.toml"
        configuration.write_text(SCRIPT.format(place=place, more=more))
        loaded = load([configuration], check=checks_of.against(RealHost()))
        found = [item for item in loaded.diagnostics if item.code == "WG0609"]
        assert [item.message for item in found] == ([said.format(file=file, directory=directory)] if said else [])
        assert all(item.option == "groups.a.script" and item.severity.value == "error" for item in found)
        assert bool(loaded.configuration) == (not said) or "WG0606" in codes(loaded), messages(loaded)
        reading = subprocess.run(
            ["cat", str(file)],
            capture_output=True,
            check=False,
            user=12345,
            group=12345,
            extra_groups=[54321] if more else [],
        )
        assert (reading.returncode == 0) == (said is None)
