"""What `init` writes applies as it is; what `config show` prints changes nothing; a broken file touches nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.manager import APPS, ManagerUnderTest

from wsgigroups.config import load


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[ManagerUnderTest]:
    with ManagerUnderTest(tmp_path) as under_test:
        yield under_test


@pytest.mark.parametrize(
    ("application", "target"),
    [("flask_app.py", "app.py"), ("hello_app.py", "wsgi.py"), ("scripts/hello.wsgi", "hello.wsgi")],
)
def test_init_then_apply(manager: ManagerUnderTest, application: str, target: str) -> None:
    project = manager.base / "project"
    project.mkdir(mode=0o755)
    shutil.copy(APPS / application, project / target)
    done = manager.cli("init", str(project))
    assert done.returncode == 0, done.stderr
    path = project / "groups.toml"
    # validated against this host, and applied, as it was written
    done = manager.cli("validate", "--strict", str(path))
    assert done.returncode == 0, done.stdout
    done = manager.cli("apply", "--yes", str(path))
    assert done.returncode == 0, done.stderr + manager.log("manager")
    configuration = load([path]).configuration
    assert configuration
    (group,) = configuration.groups.values()
    assert manager.get(int(group.listen[0].rpartition(":")[2]))[0] == 200
    again = manager.base / "again.toml"
    again.write_text(manager.cli("config", "show", "-o", "toml", str(path)).stdout)
    assert manager.cli("apply", "--yes", str(again)).stdout.strip() == "No changes."


BROKEN = {
    "syntax": "[groups.blog\n",
    "unknown key": '[groups.blog]\napp = "hello_app:application"\nlisten = ["127.0.0.1:1"]\nthreadz = 1\n',
    "root": '[groups.blog]\napp = "hello_app:application"\nlisten = ["127.0.0.1:1"]\nuser = "root"\n',
    "umask": '[groups.blog]\napp = "hello_app:application"\nlisten = ["127.0.0.1:1"]\numask = 23\n',
    "long socket": '[groups.blog]\napp = "hello_app:application"\nlisten = ["unix:/tmp/' + "x" * 103 + '"]\n',
    "one address twice": '[groups.a]\napp = "a:a"\nlisten = ["127.0.0.1:1"]\n'
    '[groups.b]\napp = "a:a"\nlisten = ["0.0.0.0:1"]\n',
}


def test_a_file_that_is_wrong_touches_nothing(manager: ManagerUnderTest) -> None:
    port = manager.port()
    good = f'[groups.blog]\napp = "hello_app:application"\npython-path = ["{APPS}"]\nlisten = ["127.0.0.1:{port}"]\n'
    manager.apply(good)
    before = manager.pids("blog"), manager.status()["revision"]
    for name, text in BROKEN.items():
        path = manager.write(text, "broken.toml")
        refused = manager.cli("apply", "--yes", str(path))
        checked = manager.cli("validate", "--offline", str(path))
        assert refused.returncode == checked.returncode == 2, name
        assert "error[WG" in refused.stderr
        assert "error[WG" in checked.stdout
        assert "Traceback" not in refused.stderr + checked.stderr
    assert (manager.pids("blog"), manager.status()["revision"]) == before
    assert manager.get(port)[0] == 200
