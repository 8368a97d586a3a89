"""The set-up's decisions (`tools/`): which interpreter, which directory, what people are told when there is none."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from support import sharing
from support.configurations import messages

from tools import clean, environment, facts, quickstart, shares
from tools.choose import Interpreter, Place, SetUpError, choose_interpreter, choose_place, lacks_only_packages
from wsgigroups.config import load

GOOD = Interpreter("/usr/bin/python3", runs=True, version=(3, 11, 2))
HIDDEN = Interpreter("/home/somebody/python3", runs=False, reason="Permission denied")
OLD = Interpreter("/opt/old/bin/python3", runs=True, version=(3, 9, 1))
BARE = Interpreter("/usr/bin/python3", runs=True, version=(3, 12, 0), missing=("ensurepip",))
PLACE = Place("/srv/clone/.build", writable=True, enterable=True, trusted=True)


def test_the_first_interpreter_that_will_do() -> None:
    assert choose_interpreter([HIDDEN, OLD, GOOD], "www-data") is GOOD


def test_each_rejected_interpreter_is_named_with_its_reason() -> None:
    with pytest.raises(SetUpError) as told:
        choose_interpreter([HIDDEN, OLD, BARE], "www-data")
    text = str(told.value)
    for words in ("'www-data'", "Permission denied", "3.9.1, older than 3.10", "lacks ensurepip", "python3-venv"):
        assert words in text
    with pytest.raises(SetUpError, match="none at all"):
        choose_interpreter([], "www-data")


def test_packages_are_installed_only_where_they_help() -> None:
    assert lacks_only_packages([BARE], "/usr/bin/python3")
    assert lacks_only_packages([HIDDEN], "/usr/bin/python3")
    assert not lacks_only_packages([Interpreter("/usr/bin/python3", runs=False, reason="x")], "/usr/bin/python3")


def test_root_installs_what_the_distribution_splits_off(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = facts.Account("me", os.geteuid(), os.getegid())
    answers = iter([[HIDDEN, BARE], [HIDDEN, GOOD]])
    installed: list[str] = []
    monkeypatch.setattr(facts, "interpreters", lambda _account: next(answers))
    monkeypatch.setattr(facts, "has_apt", lambda: True)
    monkeypatch.setattr(environment, "install_packages", installed.extend)
    assert environment.find_interpreter(caller) is GOOD
    assert installed == ["python3", "python3-venv"]


def test_others_are_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    caller = facts.Account("me", os.geteuid(), os.getegid())
    monkeypatch.setattr(facts, "interpreters", lambda _account: [BARE])
    monkeypatch.setattr(facts, "has_apt", lambda: False)
    with pytest.raises(SetUpError, match="apt-get install python3 python3-venv"):
        environment.find_interpreter(caller)


@pytest.mark.parametrize(
    ("place", "reason"),
    [
        (Place("/srv/" + "x" * 60, writable=True, enterable=True, trusted=True), "longer than 60 bytes"),
        (Place("/srv/a", writable=False, enterable=True, trusted=True), "cannot be written"),
        (Place("/private/a", writable=True, enterable=False, trusted=True), "cannot enter"),
        (Place("/home/joe/a", writable=True, enterable=True, trusted=False), "another user can change"),
    ],
)
def test_a_place_that_will_not_do_is_passed_over(place: Place, reason: str) -> None:
    assert choose_place([place, PLACE], "www-data") is PLACE
    with pytest.raises(SetUpError, match=reason):
        choose_place([place], "www-data")


def test_no_place_is_made_beyond_the_first_good_one() -> None:
    def candidates() -> object:
        yield PLACE
        raise AssertionError("looked further than needed")

    assert choose_place(candidates(), "www-data") is PLACE  # type: ignore[arg-type]


def test_this_interpreter_is_found_by_asking_it() -> None:
    caller = facts.Account("me", os.geteuid(), os.getegid())
    answer = facts.ask(sys.executable, caller)
    assert answer.runs
    assert answer.version == sys.version_info[:3]
    assert not facts.ask("/bin/false", caller).runs
    assert not facts.ask("/nowhere/python3", caller).runs
    assert facts.ask("/bin/true", caller).reason == "its answer is not Python's"


def test_a_shared_directory_is_not_trusted(tmp_path: Path) -> None:
    shared = tmp_path / "shared"
    inside = shared / "inside"
    inside.mkdir(parents=True)
    assert facts.is_trusted(inside)
    shared.chmod(0o777)
    assert not facts.is_trusted(inside)
    shared.chmod(0o1777)
    assert facts.is_trusted(inside)


@pytest.mark.root
def test_root_asks_as_the_account(tmp_path: Path) -> None:
    nobody = facts.Account("nobody", 65534, 65534)
    tmp_path.chmod(0o700)
    place = facts.look_at(tmp_path / "below", nobody)
    assert place.writable
    assert not place.enterable
    assert facts.holds_for(nobody, lambda: os.getresuid() == (65534,) * 3 and os.getgroups() == [])
    assert not facts.holds_for(nobody, lambda: bool(1 / 0))
    (tmp_path / "python3").write_bytes(b"")
    (tmp_path / "python3").chmod(0o755)
    assert facts.ask(str(tmp_path / "python3"), nobody).reason == "Permission denied"


@pytest.mark.root
@pytest.mark.parametrize("kind", ["link", "copy"])
def test_root_passes_over_a_python_below_a_closed_home(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The default python3 is the first of PATH and works for root alone: another is found, nothing is opened up."""
    home = tmp_path / "home"
    binaries = home / "bin"
    binaries.mkdir(parents=True)
    hidden = binaries / "python3"
    real = Path(sys.executable).resolve()
    if kind == "link":
        hidden.symlink_to(real)
    else:
        shutil.copy2(real, hidden)
    for directory, mode in ((binaries, 0o755), (home, 0o700), (tmp_path, 0o755)):
        directory.chmod(mode)
    monkeypatch.setenv("PATH", f"{binaries}:{os.environ['PATH']}")
    assert shutil.which("python3") == str(hidden)
    account = facts.daemon_account()
    before = {path: path.lstat() for path in (tmp_path, home, binaries, hidden)}
    asked: list[Interpreter] = []
    look = facts.interpreters

    def interpreters(who: facts.Account) -> list[Interpreter]:
        asked.extend(look(who, preferred=str(hidden)))
        return asked

    monkeypatch.setattr(facts, "interpreters", interpreters)
    monkeypatch.setattr(facts, "has_apt", lambda: False)  # nothing is to be installed for this
    found = environment.find_interpreter(account)
    assert (asked[0].path, asked[0].runs) == (str(hidden), False)  # what root would get, as its user sees it
    assert not Path(found.path).is_relative_to(home)
    code = "import os, ssl, sqlite3, venv; print(os.getuid())"
    done = subprocess.run(
        [found.path, "-I", "-c", code],
        capture_output=True,
        text=True,
        cwd="/",
        check=False,
        **account.popen_arguments(),
    )
    assert (done.returncode, done.stdout) == (0, f"{account.uid}\n"), done.stderr
    for path, then in before.items():
        now = path.lstat()
        assert (now.st_mode, now.st_uid, now.st_gid) == (then.st_mode, then.st_uid, then.st_gid)


@pytest.mark.root
def test_root_gets_another_account_for_daemons() -> None:
    account = facts.daemon_account()
    assert account.uid != 0
    assert not account.is_caller()
    with pytest.raises(SetUpError, match="root may not"):
        facts.daemon_account(names=("no-such-user-here", "root"))


def test_the_runs_share_out_all_tests() -> None:
    """What an account leaves out exists, the other account does not leave it out, and nobody misses a marked test."""
    shared = (*shares.ROOT_IS_ENOUGH, *shares.ORDINARY_IS_ENOUGH)
    for path in (*shared, *shares.ONE_AT_A_TIME, *shares.COVERED, *shares.NOT_MEASURED, *sharing.LONGEST):
        assert (environment.CLONE / path).exists(), path
    for number, path in enumerate(shared):
        assert not any(Path(path).is_relative_to(other) for other in shared[:number] + shared[number + 1 :]), path
    for paths, mark in ((shares.ROOT_IS_ENOUGH, "ordinary"), (shares.ORDINARY_IS_ENOUGH, "root")):
        for path in paths:
            place = environment.CLONE / path
            files = place.rglob("test_*.py") if place.is_dir() else [place]
            assert not [file for file in files if f"pytest.mark.{mark}" in file.read_text(encoding="utf-8")], path


def test_a_copy_can_be_read_by_everybody_and_leaves_things_out(tmp_path: Path) -> None:
    source = tmp_path / "source"
    (source / "inner").mkdir(parents=True)
    (source / ".git").mkdir()
    (source / "inner" / "program").write_text("x")
    (source / "inner" / "program").chmod(0o700)
    (source / "link").symlink_to("inner/program")
    target = tmp_path / "target"
    old = os.umask(0o077)
    try:
        environment.copy_tree(source, target, leave_out=[".git"])
        environment.copy_tree(source, target, leave_out=[".git"])
    finally:
        os.umask(old)
    assert sorted(path.name for path in target.rglob("*")) == ["inner", "link", "program"]
    assert stat.S_IMODE((target / "inner" / "program").stat().st_mode) == 0o755


def test_an_environment_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "venv").mkdir()
    recipe = environment.Recipe(GOOD, installs=(), depends_on=("pyproject.toml",))
    with pytest.raises(SetUpError, match="was not made by this set-up"):
        environment.make_environment(tmp_path / "venv", recipe)
    assert (tmp_path / "venv").exists()


def test_a_step_that_fails_speaks_in_its_own_words() -> None:
    with pytest.raises(SetUpError, match=r"exit code 3:\nout of luck"):
        environment.run([sys.executable, "-c", "import sys; print('out of luck'); sys.exit(3)"])


def test_a_taken_port_is_passed_over(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken, socket.socket() as other:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        other.bind(("127.0.0.1", 0))
        port, free = taken.getsockname()[1], other.getsockname()[1]
        other.close()
        found = quickstart.free_ports([port, free, port])
    assert found[1] == free
    assert port not in found
    assert len(set(found)) == 3
    assert f"Port {port} is taken (Address already in use): using {found[0]}." in capsys.readouterr().err


def test_the_quickstart_keeps_everything_in_its_own_directory(tmp_path: Path) -> None:
    """Two clones share neither a directory nor a port, and a command is left to type."""
    trials = []
    for name, ports in (("one", [1111, 2222]), ('two ${HOME} "', [3333, 4444])):
        trial = quickstart.Trial(tmp_path / name)
        trial.configuration.parent.mkdir(parents=True)
        environment.copy_tree(quickstart.SAMPLE.with_suffix(""), trial.configuration.parent / "quickstart")
        trial.write_configuration(ports)
        trial.make_notes(facts.Account("me", os.geteuid(), os.getegid()))
        trial.write_command()
        assert trial.ports() == ports
        assert not trial.is_running()
        trials.append(trial)
        loaded = load([trial.configuration], variables={}, trust=False)
        assert loaded.configuration, messages(loaded)
        assert [group.listen[0] for group in loaded.configuration.groups.values()] == [
            f"127.0.0.1:{port}" for port in ports
        ]
        assert loaded.configuration.groups["notes"].environment["NOTES_DIRECTORY"] == str(trial.place / "notes")
        assert (trial.place / "notes").stat().st_mode & 0o777 == 0o700
        trial.program.parent.mkdir(parents=True)
        trial.program.write_text('#!/bin/sh\necho "$WSGIGROUPS_RUN_DIR|$WSGIGROUPS_STATE_DIR|$WSGIGROUPS_LOG_DIR|$*"\n')
        trial.program.chmod(0o755)
        typed = ["./wsgigroups", "logs", "--grep", "a b"]
        done = subprocess.run(typed, cwd=trial.place, capture_output=True, text=True, check=True)
        place = trial.place
        assert done.stdout == f"{place / 'run'}|{place / 'state'}|{place / 'log'}|logs --grep a b\n"


def test_the_sample_of_the_quickstart_has_the_ports_of_the_readme() -> None:
    assert quickstart.ports_in(quickstart.SAMPLE.read_text()) == [18641, 18642]


def test_an_old_python_is_told_so() -> None:
    code = "import sys; sys.version_info = (3, 8); import tools"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=environment.CLONE, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "3.10 or newer is needed" in done.stderr


def test_clean_removes_what_git_does_not_see() -> None:
    ignored = {line.strip("/") for line in (environment.CLONE / ".gitignore").read_text().split() if line.endswith("/")}
    people = {"*.egg-info", ".venv*", "try"}  # what somebody has made
    assert set(clean.IN_CLONE) | {".build"} == ignored - people, "the build directory is removed, wherever it is"
