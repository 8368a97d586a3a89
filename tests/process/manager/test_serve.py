"""`serve`: one project in the foreground, from its first line to its end, which leaves nothing behind."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from support.faults import outlives
from support.looking import wait
from support.manager import APPS, HUNG_S, ManagerUnderTest

from wsgigroups.cli.main import cli
from wsgigroups.client import Client

ANSWERS = """\
from helper import word


def application(environ, start_response):
    if environ["PATH_INFO"] == "/hang":
        __import__("threading").Event().wait()
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [word]
"""


class Served:
    """A `serve` that runs."""

    def __init__(self, process: subprocess.Popen[str], log: Path) -> None:
        self.process = process
        self._log = log
        self._up: dict[str, Any] = {}

    @property
    def up(self) -> dict[str, Any]:
        """What it says when it serves."""
        if not self._up:
            assert self.process.stdout is not None
            line = self.process.stdout.readline()
            assert line, self.said
            self._up = json.loads(line)
        return self._up

    @property
    def said(self) -> str:
        """What is on its terminal."""
        return self._log.read_text()

    def wait_said(self, text: str, times: int = 1) -> None:
        """Wait until it has said this."""
        wait(lambda: self.said.count(text) >= times, lambda: f"never said {text!r}:\n{self.said}")

    def ended(self, *numbers: signal.Signals) -> int:
        """Send signals; return the exit code, after a look for what is left behind."""
        for number in numbers:
            self.process.send_signal(number)
        code = self.process.wait(HUNG_S)
        if self._up:
            assert not Path(self._up["run_dir"]).parent.exists()
            assert not outlives(self._up["pid"], HUNG_S)
        return code


@contextlib.contextmanager
def serving(manager: ManagerUnderTest, directory: Path, *arguments: str) -> Iterator[Served]:
    """`wsgigroups serve` in a directory."""
    private = manager.base / "private"
    private.mkdir(mode=0o700, exist_ok=True)
    log = manager.base / f"{directory.name}.said"
    with open(log, "wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "wsgigroups", "serve", "-o", "json", *arguments],
            cwd=directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=said, text=True,
            env={**os.environ, "XDG_RUNTIME_DIR": str(private)},
        )  # fmt: skip
    served = Served(process, log)
    try:
        yield served
    finally:
        if process.poll() is None:
            process.terminate()
        process.wait(HUNG_S)
        assert process.stdout is not None
        process.stdout.close()
        print(served.said)
    assert not list(private.iterdir())


def project(manager: ManagerUnderTest, name: str, files: dict[str, str | Path]) -> Path:
    directory = manager.base / name
    for file, source in files.items():
        path = directory / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source) if isinstance(source, str) else shutil.copy(source, path)
    return directory


def test_two_projects_each_for_itself(manager: ManagerUnderTest) -> None:
    flask = project(manager, "shop", {"app.py": APPS / "flask_app.py"})
    django = project(manager, "notes", {})
    shutil.copytree(APPS / "django_site", django / "django_site")
    ports = manager.port(), manager.port()
    data = manager.base / "data"
    data.mkdir()
    data.chmod(0o777)  # of whatever account the application gets
    database = f"SITE_DATABASE={data}/site.sqlite3"
    with (
        serving(manager, flask, "--listen", str(ports[0])) as one,
        serving(
            manager, django, "django_site.wsgi:application", "--listen", str(ports[1]), "-e", database, "--threads", "2"
        ) as other,
    ):
        assert one.up["urls"] == [f"http://127.0.0.1:{ports[0]}"]
        assert one.up["name"] == "shop"
        assert one.up["run_dir"] != other.up["run_dir"]
        place = Path(other.up["run_dir"]).parent
        assert all(path.is_dir() or not path.stat().st_mode & 0o077 for path in place.iterdir()), "variables are secret"
        assert manager.get(ports[0]) == (200, b"Hello from Flask\n")
        group = Client(Path(other.up["run_dir"])).status()["groups"][0]
        assert (group["name"], group["threads"], group["state"]) == ("notes", 2, "ready")
        assert one.ended(signal.SIGINT) == 0
        assert not manager.listening(ports[0])
        assert manager.listening(ports[1]), "the end of one is not that of the other"
        assert other.ended(signal.SIGTERM) == 0


def test_a_second_signal_ends_what_hangs(manager: ManagerUnderTest) -> None:
    directory = project(manager, "app", {"app.py": ANSWERS, "helper.py": 'word = b"1"\n'})
    port = manager.port()
    with serving(manager, directory, "--listen", str(port)) as served:
        client = Client(Path(served.up["run_dir"]))
        with socket.create_connection(("127.0.0.1", port)) as waiting:
            waiting.sendall(b"GET /hang HTTP/1.1\r\nHost: a\r\n\r\n")
            wait(lambda: client.status()["groups"][0]["requests_active"], lambda: "nobody asks")
            served.process.send_signal(signal.SIGINT)
            served.wait_said("Ending:")
            assert served.ended(signal.SIGINT) == 0


def test_its_manager_may_be_killed_and_so_may_it(manager: ManagerUnderTest) -> None:
    directory = project(manager, "app", {"app.py": ANSWERS, "helper.py": 'word = b"1"\n'})
    port = manager.port()
    with serving(manager, directory, "--listen", str(port)) as served:
        run_dir = Path(served.up["run_dir"])
        os.kill(served.up["pid"], signal.SIGKILL)
        served.wait_said("the next one takes over")
        wait(lambda: Client(run_dir).running(), lambda: "there is no next manager")
        assert manager.get(port) == (200, b"1")
        successor = Client(run_dir).status()["manager"]["pid"]
        served.process.kill()
        assert not outlives(successor, HUNG_S), "nobody would end it any more"
        assert not manager.listening(port)
        shutil.rmtree(run_dir.parent)


def test_an_address_that_is_taken(manager: ManagerUnderTest) -> None:
    directory = project(manager, "app", {"app.py": ANSWERS, "helper.py": 'word = b"1"\n'})
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", manager.port()))
        taken.listen()
        port = taken.getsockname()[1]
        with serving(manager, directory, "--listen", str(port)) as served:
            assert served.ended() == 1
        assert f"cannot listen on 127.0.0.1:{port}" in served.said


def test_an_application_that_never_starts(manager: ManagerUnderTest) -> None:
    directory = project(manager, "app", {"app.py": ANSWERS, "helper.py": "import nothere\n"})
    with serving(manager, directory, "--listen", str(manager.port())) as served:
        assert served.ended() == 1
    assert "error: app does not start: cannot import app: ModuleNotFoundError" in served.said
    assert "    helper.py:1  import nothere\n" in served.said


def test_while_somebody_works_on_it(manager: ManagerUnderTest) -> None:
    directory = project(manager, "app", {"app.py": ANSWERS, "helper.py": "import nothere\n"})
    helper = directory / "helper.py"
    port = manager.port()
    with serving(manager, directory, "--listen", str(port), "--reload") as served:
        served.wait_said("waiting for its files to change")
        helper.write_text('word = b"first"\n')
        assert served.up
        assert manager.get(port) == (200, b"first")
        helper.write_text('word = b"the second"\n')
        wait(lambda: manager.get(port) == (200, b"the second"), lambda: served.said)
        helper.write_text("word = gone\n")
        served.wait_said("helper.py:1  word = gone")
        assert manager.get(port) == (200, b"the second"), "what serves goes on"
        assert served.ended(signal.SIGINT) == 0


def test_static_files(manager: ManagerUnderTest) -> None:
    """The gateway answers them; the application is at the same address, as before."""
    directory = project(
        manager, "app", {"app.py": ANSWERS, "helper.py": 'word = b"1"\n', "build/a.css": "a {}\n", "more/b.txt": "b"}
    )
    for path in (directory, directory / "build", directory / "more"):
        path.chmod(0o755)
    port = manager.port()
    static = ("--static", "/static=build", "--static", f"/more={directory}/more")
    with serving(manager, directory, "--listen", str(port), *static) as served:
        assert served.up["urls"] == [f"http://127.0.0.1:{port}"]
        assert manager.get(port) == (200, b"1")
        assert manager.get(port, "/static/a.css") == (200, b"a {}\n")
        assert manager.get(port, "/more/b.txt") == (200, b"b")
        assert manager.get(port, "/static/none")[0] == 404
        assert served.ended(signal.SIGINT) == 0
    assert not manager.listening(port)


def test_the_file_that_it_amounts_to(manager: ManagerUnderTest) -> None:
    directory = project(manager, "app", {"app.py": ANSWERS, "helper.py": 'word = b"1"\n'})
    port = manager.port()
    path = directory / "groups.toml"
    written = CliRunner().invoke(cli, ["serve", str(directory), "--listen", str(port), "--write", str(path)])
    assert written.exit_code == 0, written.output
    done = manager.cli("apply", "--yes", str(path))
    assert done.returncode == 0, done.stderr
    assert manager.get(port) == (200, b"1")
