"""Real applications as their own pages deploy them: an environment that outlives the test run, data, and a visit.

`make test` calls this as a program before the tests, as the account that owns the environment. Elsewhere the first test
that needs them installs them. The scripts and settings are in `tests/apps/real`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

if __name__ == "__main__":
    sys.path[:0] = [str(Path(__file__).parents[1])]

from support import kept
from support.real_visits import (
    visit_dash,
    visit_hgweb,
    visit_pypiserver,
    visit_radicale,
    visit_trac,
    visit_wagtail,
)

SCRIPTS = Path(__file__).parents[1] / "apps" / "real"
_INSTALL_S = 600
_HG = "import sys; from mercurial import dispatch; dispatch.run()"


class Environment:
    """A virtual environment with all of them, and what is made of it for each test."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.python = directory / "bin" / "python"

    def run(self, *arguments: str, data: Path | None = None, **variables: str) -> None:
        """Run its Python; with data, as a stranger to the caller's settings. Raises OSError with what it said."""
        environment = {"PATH": os.defpath, "HGPLAIN": "1", "LANG": "C.UTF-8", "HOME": str(data), "REAL_DATA": str(data)}
        done = subprocess.run(
            [str(self.python), *arguments], capture_output=True, text=True, timeout=_INSTALL_S, check=False, cwd=data,
            env={**(environment if data else os.environ), **variables},
        )  # fmt: skip
        if done.returncode:
            raise OSError(0, f"{' '.join(arguments)} gave exit code {done.returncode}: {done.stdout}{done.stderr}")

    def hg(self, *arguments: str, data: Path) -> None:
        """Run Mercurial's command."""
        self.run("-c", _HG, *arguments, data=data)


@dataclass(frozen=True)
class RealApplication:
    """lines: of its group; prepare: makes its data; visit: clicks through it; page: for load; variables: `{data}`."""

    name: str
    lines: str
    prepare: Callable[[Environment, Path], None]
    visit: Callable[[int, Environment, Path], None]
    page: str = "/"
    variables: Mapping[str, str] = field(default_factory=dict)

    def group(self, port: int, environment: Environment, data: Path) -> str:
        """Return its group in a configuration."""
        variables = {"REAL_DATA": str(data), **{key: text.format(data=data) for key, text in self.variables.items()}}
        written = ", ".join(f'{key} = "{value}"' for key, value in variables.items())
        return (
            f'[groups.{self.name}]\n{self.lines.format(data=data)}\nlisten = ["127.0.0.1:{port}"]\nthreads = 3\n'
            f'python-home = "{environment.directory}"\nenvironment = {{ {written} }}\n'
        )


def _packages(_environment: Environment, data: Path) -> None:
    (data / "packages").mkdir()


def _calendars(_environment: Environment, data: Path) -> None:
    (data / "radicale.conf").write_text(
        f"[auth]\ntype = none\n[storage]\nfilesystem_folder = {data}/collections\n[logging]\nlevel = warning\n"
    )


def _repository(environment: Environment, data: Path) -> None:
    environment.hg("init", "project", data=data)
    (data / "project" / "README").write_text("a project\n")
    environment.hg("-R", "project", "commit", "-A", "-m", "first", "-u", "somebody", data=data)
    (data / "hgweb.conf").write_text(
        f"[paths]\n/project = {data}/project\n[web]\npush_ssl = false\nallow-push = *\nallow-archive = zip\n"
    )


def _tickets(environment: Environment, data: Path) -> None:
    command = "import sys; from trac.admin.console import run; sys.exit(run(sys.argv[1:]))"
    environment.run("-c", command, str(data / "trac"), "initenv", "Project", "sqlite:db/trac.db", data=data)


def _site(environment: Environment, data: Path) -> None:
    """Make the site and its database, which takes ten times as long as everything else; copies of it do."""
    site = data / "wagtail"
    site.mkdir(parents=True)
    start = "import sys; sys.argv[0] = 'wagtail'; from wagtail.bin.wagtail import main; main()"
    environment.run("-c", start, "start", "mysite", str(site), data=data)
    shutil.copy(SCRIPTS / "wagtail_settings.py", site / "mysite" / "settings" / "real.py")
    for command in (["migrate", "--verbosity=0"], ["collectstatic", "--noinput", "--verbosity=0"],
                    ["createsuperuser", "--noinput", "--username=editor", "--email=editor@example.org"]):  # fmt: skip
        environment.run(str(site / "manage.py"), *command, "--settings=mysite.settings.real", data=data,
                        DJANGO_SUPERUSER_PASSWORD="of no value")  # fmt: skip


def _pages(environment: Environment, data: Path) -> None:
    shutil.copytree(environment.directory / "site", data, dirs_exist_ok=True)


def _nothing(_environment: Environment, _data: Path) -> None:
    """Dash keeps nothing."""


APPLICATIONS = (
    RealApplication("pypiserver", f'script = "{SCRIPTS}/pypiserver.wsgi"', _packages, visit_pypiserver),
    RealApplication(
        "radicale", 'app = "radicale:application"', _calendars, visit_radicale, "/.web/",
        {"RADICALE_CONFIG": "{data}/radicale.conf"},
    ),
    RealApplication("hgweb", f'script = "{SCRIPTS}/hgweb.wsgi"', _repository, visit_hgweb, "/project/"),
    RealApplication("trac", f'script = "{SCRIPTS}/trac.wsgi"', _tickets, visit_trac, "/wiki"),
    RealApplication("dash", f'app = "dash_board:server"\npython-path = ["{SCRIPTS}"]', _nothing, visit_dash),
    RealApplication(
        "wagtail", 'app = "mysite.wsgi:application"\npython-path = ["{data}/wagtail"]', _pages, visit_wagtail,
        "/admin/login/", {"DJANGO_SETTINGS_MODULE": "mysite.settings.real"},
    ),
)  # fmt: skip


def directory() -> Path:
    """Where the environment is, or will be: beside that of the tests."""
    return kept.place("real-applications", "real")


def installed() -> Environment:
    """Return the environment, made where it is missing. Raises OSError with pip's words."""
    return Environment(kept.kept(directory(), _install))


def _install(directory: Path) -> None:
    kept.install(directory, "real")
    environment = Environment(directory)
    _site(environment, environment.directory / "site")
    with tempfile.TemporaryDirectory() as name:
        data = Path(name)
        for application in APPLICATIONS:
            (data / application.name).mkdir()
            application.prepare(environment, data / application.name)
        imports = "import dash_board, pypiserver, radicale, trac.web.main, trac.web.api, mercurial.hgweb"
        config = f"{data}/radicale/radicale.conf"
        environment.run("-c", imports, data=data, RADICALE_CONFIG=config, PYTHONPATH=str(SCRIPTS))


def main() -> None:
    """Install them, and forget what earlier requirements left."""
    wanted = installed().directory
    kept.forget_others(wanted)
    print(f"{', '.join(application.name for application in APPLICATIONS)} in {wanted}", file=sys.stderr)


if __name__ == "__main__":
    main()
