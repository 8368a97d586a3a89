"""Commands that root types about a tenant's files: none shows, writes or runs anything for that tenant."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import pytest
from support.accounts import ALICE_UID, BOB_UID

from wsgigroups.cli import new_files, plan_files, rendered_files
from wsgigroups.cli.asking import ConfigurationRequest
from wsgigroups.cli.log_files import log_of
from wsgigroups.cli.log_lines import LogChoice
from wsgigroups.cli.render import _pages
from wsgigroups.client import Client
from wsgigroups.config.loader import load
from wsgigroups.errors import WsgigroupsError
from wsgigroups.host.foreign_files import ForeignFiles
from wsgigroups.interop.importers import ImportRequest, import_files
from wsgigroups.trust.regular import open_regular

pytestmark = pytest.mark.root

SECRET = "known to root alone"
PLAN: Any = {"steps": [], "counts": {}, "notices": [], "precondition": {}}
ASKED = ConfigurationRequest({"version": 1}, None)
FROM_BESIDE = "import beside\nwho = beside.WHO\n"


class Ground:
    """alice's directory, bob's, one that all share, all of them open to be read, and a file of root's alone."""

    def __init__(self, base: Path) -> None:
        self.alice, self.bob, self.shared = base / "alice", base / "bob", base / "shared"
        for path, uid in ((self.alice, ALICE_UID), (self.bob, BOB_UID), (self.shared, 0)):
            path.mkdir(mode=0o755)
            os.chown(path, uid, uid)
        self.shared.chmod(0o1777)
        self.secret = base / "secret"
        self.secret.write_text(SECRET)
        self.secret.chmod(0o600)

    def put(self, path: Path, text: str, mode: int = 0o644) -> Path:
        """A file that belongs to whom its directory belongs."""
        path.write_text(text)
        path.chmod(mode)
        os.chown(path, path.parent.stat().st_uid, -1)
        return path


@pytest.fixture
def ground() -> Iterator[Ground]:
    with tempfile.TemporaryDirectory(prefix="wg-typed-", dir="/tmp") as directory:
        Path(directory).chmod(0o755)
        yield Ground(Path(directory))


def test_a_plan_goes_into_no_file_that_somebody_has_made_ready(ground: Ground) -> None:
    """It went into one of that name, whose owner read the secrets in it and could change what is applied."""
    target = ground.shared / "x.plan"
    waiting = ground.put(ground.shared / ".x.plan.new", "", 0o666)
    os.chown(waiting, ALICE_UID, ALICE_UID)
    plan_files.save(target, PLAN, ASKED)
    found = target.stat()
    assert (found.st_uid, found.st_mode & 0o777) == (0, 0o600)
    assert waiting.read_text() == ""
    assert plan_files.read([target]) == plan_files.PlanFile(PLAN, ASKED)


def test_a_plan_that_another_user_could_change_is_not_applied(ground: Ground) -> None:
    plan_files.save(ground.secret.with_name("x.plan"), PLAN, ASKED)
    text = ground.secret.with_name("x.plan").read_text()
    for directory in (ground.alice, ground.shared):
        path = ground.put(directory / "x.plan", text)
        os.chown(path, ALICE_UID, ALICE_UID)
        with pytest.raises(WsgigroupsError, match="another user could change"):
            plan_files.read([path])


def test_nothing_is_written_where_another_user_leads_the_way(ground: Ground) -> None:
    (ground.alice / "out.conf").symlink_to(ground.secret)
    (ground.alice / "out").symlink_to(ground.secret.parent)
    writes = (
        lambda path: rendered_files.write({path: "x"}, None),
        lambda path: rendered_files.write({path / "new": "x"}, path),
        lambda path: plan_files.save(path, PLAN, ASKED),
        lambda path: new_files.write_new(path, "x", force=False),
        lambda path: new_files.write_new(path, "x", force=True),
    )
    before = sorted(ground.secret.parent.rglob("*"))
    for write in writes:
        for path in (ground.alice / "out.conf", ground.alice / "out" / "secret", ground.alice / "new"):
            with pytest.raises(WsgigroupsError, match="another user could change"):
                write(path)
    assert ground.secret.read_text() == SECRET
    assert sorted(ground.secret.parent.rglob("*")) == before


def test_nothing_but_a_file_is_opened(ground: Ground) -> None:
    """A pipe can be waited for without end, and to open a device can be to use it."""
    os.mkfifo(ground.alice / "pipe")
    (ground.alice / "device").symlink_to("/dev/zero")
    for name in ("pipe", "device"):
        with pytest.raises(OSError, match="not a regular file"):
            open_regular(str(ground.alice / name))
        with pytest.raises(WsgigroupsError, match="not a regular file"):
            rendered_files.check({ground.alice / name: "x"}, str, "")
        assert plan_files.read([ground.alice / name]) is None
        assert ForeignFiles(None, [str(ground.alice / name)]).text(str(ground.alice / name)) is None
        log = log_of(Client(ground.alice), "a", str(ground.alice / name))  # as a manager of alice's could say
        with pytest.raises(WsgigroupsError, match="not a regular file"):
            log.last(10, LogChoice())


def test_a_page_for_everybody_is_no_file_of_roots(ground: Ground) -> None:
    """A link in the place of a page had a file of root's rendered into what is public."""
    page = ground.alice / "404.html"
    text = (
        "version = 1\n[groups.a]\napp = 'a:b'\n[sites.s]\nserver-name = 's.test'\nlisten = ['127.0.0.1:1']\n"
        f"error-pages = {{ 404 = '{page}' }}\n[[sites.s.mounts]]\npath = '/'\nprocess-group = 'a'\n"
    )
    configuration = load([ground.put(ground.secret.with_name("groups.toml"), text)]).configuration
    configuration = load([ground.put(ground.secret.with_name("groups.toml"), text)]).configuration
    assert configuration is not None
    page.symlink_to(ground.secret)
    with pytest.raises(WsgigroupsError, match="nobody in particular cannot read it"):
        _pages(configuration, "")
    page.unlink()
    ground.put(page, "gone")
    assert _pages(configuration, "") == {str(page): "gone"}


def test_what_is_imported_shows_no_file_that_its_owner_cannot_read(ground: Ground) -> None:
    site = ground.put(ground.alice / "site.conf", f"Include {ground.secret}\nInclude {ground.bob}/*.conf\n")
    ground.put(ground.bob / "bobs.conf", f"{SECRET}\n", 0o600)
    draft = import_files("apache", ImportRequest((str(site),)), ForeignFiles(None, [str(site)]))
    assert len(draft.gaps) == 2
    assert "known" not in str([(gap.setting, gap.sentence) for gap in draft.gaps] + [draft.document])
    site.unlink()
    site.symlink_to(ground.secret)
    with pytest.raises(WsgigroupsError, match="cannot read"):
        import_files("apache", ImportRequest((str(site),)), ForeignFiles(None, [str(site)]))


def test_files_beside_each_other_are_read(ground: Ground) -> None:
    ground.put(ground.alice / "more.conf", "WSGIScriptAlias / /srv/a.wsgi\n", 0o600)
    site = ground.put(ground.alice / "site.conf", f"Include {ground.alice}/more.conf\n")
    draft = import_files("apache", ImportRequest((str(site),)), ForeignFiles(None, [str(site)]))
    assert "/srv/a.wsgi" in str(draft.document)


def test_names_in_a_directory_that_its_owner_cannot_see_are_not_told(ground: Ground) -> None:
    ground.put(ground.bob / "bobs.conf", "")
    ground.bob.chmod(0o700)
    site = ground.put(ground.alice / "site.conf", "")
    files = ForeignFiles(None, [str(site)])
    assert files.matching(f"{ground.bob}/*") == [f"{ground.bob}/bobs.conf"], "root has named nothing of a tenant's yet"
    assert files.text(str(site)) == ""
    assert files.matching(f"{ground.bob}/*") == []
    assert files.is_directory(str(ground.bob))
    assert files.matching(f"{ground.alice}/*") == [str(site)]


def test_settings_of_one_user_are_not_run_with_what_another_has_put_beside_them(ground: Ground) -> None:
    """A Procfile of alice's had bob's settings run as bob, with modules of alice's directory before all others."""
    for owner in (ground.alice, ground.bob):
        ground.put(owner / "beside.py", "import os\nWHO = os.getuid()\n")
        ground.put(owner / "gunicorn.conf.py", FROM_BESIDE)
    procfile = ground.put(ground.alice / "Procfile", "")
    ours, bobs = str(ground.alice / "gunicorn.conf.py"), str(ground.bob / "gunicorn.conf.py")
    assert "more than one user" in ForeignFiles(None, [bobs]).python_settings(bobs, str(ground.alice), {})
    files = ForeignFiles(None, [str(procfile)])
    assert files.text(str(procfile)) == ""
    assert "more than one user" in files.python_settings(bobs, str(ground.bob), {})
    files = ForeignFiles(None, [str(procfile)])
    assert files.text(str(procfile)) == ""
    assert cast("dict[str, int]", files.python_settings(ours, str(ground.alice), {}))["who"] == ALICE_UID
