"""What counts as the code of an application, when a file is read, and what bounds a scan."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgigroups.trust import scanner
from wsgigroups.trust.scanner import Scan


@pytest.fixture
def package(tmp_path: Path) -> Path:
    top = tmp_path / "blog"
    for name in ("__init__.py", "views.py", "templates/index.html", "data.bin"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    return top


def names(top: Path, what: str = "tree") -> set[str]:
    found, bounded = Scan({}).run({"what": what, "path": str(top)})
    assert bounded == ""
    return {os.path.relpath(name, top) for name in found}


def test_a_package_is_all_of_its_files(package: Path) -> None:
    assert names(package) == {"__init__.py", "views.py", "templates/index.html", "data.bin"}


def test_a_directory_of_sources_is_what_looks_like_code(package: Path) -> None:
    assert names(package, "code") == {"__init__.py", "views.py", "templates/index.html"}


@pytest.mark.parametrize(
    "name",
    ["__pycache__/a.pyc", ".git/HEAD", ".hidden.py", "db.sqlite3", "db.sqlite3-journal", "app.log", "views.py~",
     "node_modules/a.js", "venv/lib/a.py"],
)  # fmt: skip
def test_what_is_written_at_run_time_or_is_of_others_is_no_code(package: Path, name: str) -> None:
    before = names(package)
    (package / name).parent.mkdir(parents=True, exist_ok=True)
    (package / name).write_text("x")
    if name.startswith("venv/"):
        (package / "venv" / "pyvenv.cfg").write_text("home = /usr/bin")
    assert names(package) == before


def test_a_link_is_compared_and_not_followed(package: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("one")
    (package / "linked.py").symlink_to(secret)
    order = {"what": "tree", "path": str(package)}
    before = Scan({}).run(order)
    secret.write_text("two")
    assert Scan({}).run(order) == before


def test_a_release_that_is_switched_by_a_link_is_compared_by_its_content(tmp_path: Path) -> None:
    for release in ("1", "2"):
        (tmp_path / release).mkdir()
        (tmp_path / release / "app.py").write_text("same")
    current = tmp_path / "current"
    order = {"what": "code", "path": str(current)}
    current.symlink_to("1")
    before, _bounded = Scan({}).run(order)
    assert before
    current.unlink()
    current.symlink_to("2")
    assert Scan({}).run(order)[0] == before
    (tmp_path / "2" / "app.py").write_text("other")
    assert Scan({}).run(order)[0] != before


def test_only_what_moved_is_read(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = {"what": "tree", "path": str(package)}
    monkeypatch.setattr(scanner, "_FRESH_NS", -1)
    first = Scan({})
    before = first.run(order)
    read: list[int] = []
    real = os.read
    monkeypatch.setattr(scanner.os, "read", lambda fd, size: (read.append(fd), real(fd, size))[1])
    second = Scan(first.seen)
    assert second.run(order) == before
    assert not read
    (package / "views.py").write_text("other")
    assert Scan(second.seen).run(order) != before
    assert read


def test_a_touched_file_is_read_and_is_no_change(package: Path) -> None:
    order = {"what": "tree", "path": str(package)}
    first = Scan({})
    before = first.run(order)
    os.utime(package / "views.py", (1, 1))
    assert Scan(first.seen).run(order) == before


def test_a_file_that_changed_just_now_is_read_again(package: Path) -> None:
    """Two writes within one tick of the kernel's clock leave the same times."""
    scan = Scan({})
    scan.run({"what": "tree", "path": str(package)})
    (package / "views.py").write_text("now")
    late = Scan(scan.seen)
    late.run({"what": "tree", "path": str(package)})
    assert str(package / "views.py") not in late.seen


def test_a_scan_is_bounded_and_says_so(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scanner, "MAXIMUM_FILES", 2)
    order = {"what": "tree", "path": str(package)}
    found, bounded = Scan({}).run(order)
    assert len(found) == 2
    assert bounded.startswith("more than 2 files at ")
    assert Scan({}).run(order) == (found, bounded)  # the same ones each time


def test_a_scan_is_bounded_in_bytes_and_names(package: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    order = {"what": "tree", "path": str(package)}
    with monkeypatch.context() as few:
        few.setattr(scanner, "MAXIMUM_READ_BYTES", 3)
        assert Scan({}).run(order)[1].startswith("more than 0 MiB at ")
    with monkeypatch.context() as few:
        few.setattr(scanner, "MAXIMUM_ENTRIES", 3)
        assert Scan({}).run(order)[1].startswith("more than 3 names in ")


def test_no_pipe_is_waited_for(package: Path) -> None:
    os.mkfifo(package / "pipe.py")
    assert "pipe.py" not in names(package)
    assert Scan({}).run({"what": "tree", "path": str(package / "pipe.py")}) == ({}, "")


def test_distributions_are_told_by_their_records(tmp_path: Path) -> None:
    info = tmp_path / "flask-3.0.dist-info"
    info.mkdir()
    (info / "RECORD").write_text("flask/app.py,sha256=a,1")
    (tmp_path / "local.pth").write_text("/srv/src")
    (tmp_path / "flask").mkdir()
    (tmp_path / "flask" / "app.py").write_text("1")
    order = {"what": "installed", "path": str(tmp_path)}
    before, _bounded = Scan({}).run(order)
    assert {os.path.relpath(name, tmp_path) for name in before} == {"flask-3.0.dist-info/RECORD", "local.pth"}
    (info / "RECORD").write_text("flask/app.py,sha256=b,1")
    assert Scan({}).run(order)[0] != before


def test_a_package_is_found_where_it_comes_first(tmp_path: Path) -> None:
    for directory in ("first", "second"):
        (tmp_path / directory).mkdir()
    (tmp_path / "second" / "app.py").write_text("2")
    order = {"what": "package", "package": "app", "directories": [str(tmp_path / "first"), str(tmp_path / "second")]}
    assert list(Scan({}).run(order)[0]) == [str(tmp_path / "second" / "app.py")]
    (tmp_path / "first" / "app").mkdir()
    (tmp_path / "first" / "app" / "__init__.py").write_text("1")
    assert list(Scan({}).run(order)[0]) == [str(tmp_path / "first" / "app" / "__init__.py")]
    assert Scan({}).run({**order, "package": "nowhere"}) == ({}, "")


def test_what_is_not_roots_alone_is_not_looked_at_by_root(package: Path) -> None:
    (package / "templates").chmod(0o777)
    with pytest.raises(scanner.ForeignError):
        Scan({}, root_alone=True).run({"what": "tree", "path": str(package)})


def test_the_launcher_answers_several_orders(package: Path) -> None:
    order = {"what": "tree", "path": str(package)}
    told = scanner.answer({"orders": [order, {**order, "what": "code"}], "known": {}})
    assert [len(item["files"]) for item in told["answers"]] == [4, 3]
