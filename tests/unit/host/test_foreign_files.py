"""What importers ask of a machine: regular files of a size, and settings in Python by a process of their owner's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsgigroups.host.foreign_files import ForeignFiles

ASKS_WHO = "import os\nwho = (os.getuid(), os.getgid(), os.getgroups())\nhome = os.getcwd()\n"
NOBODY = 65534


def settings(path: Path, text: str, **variables: str) -> dict[str, object]:
    path.write_text(text)
    found = ForeignFiles().python_settings(str(path), str(path.parent), variables)
    assert isinstance(found, dict), found
    return found


def test_texts_are_of_regular_files_of_a_size(tmp_path: Path) -> None:
    files = ForeignFiles()
    (tmp_path / "small").write_bytes("\ufeffblåbær".encode() + b"\xff")
    assert files.text(str(tmp_path / "small")) == "blåbær\ufffd"
    os.mkfifo(tmp_path / "pipe")  # nobody writes to it: who waited would wait for ever
    with open(tmp_path / "large", "wb") as file:
        file.truncate(4 * 1024 * 1024 + 1)
    for name in ("missing", "pipe", "large", ".", "with\0zero"):
        assert files.text(str(tmp_path / name)) is None, name
    assert files.is_directory(str(tmp_path))
    assert files.matching(str(tmp_path / "[ps]*")) == [str(tmp_path / "pipe"), str(tmp_path / "small")]


def test_settings_are_plain_data_and_none_for_the_rest(tmp_path: Path) -> None:
    text = """
import os, socket, pathlib, collections
__hidden = 1
number, real, flag = socket.AF_INET, 0.5, True
words = ("a", {1: pathlib.Path("/srv")}, collections.OrderedDict(b=object()))
given = os.environ["GIVEN"]
print("no answer")
os.write(1, b"no answer either")
def hook(server): ...
"""
    assert settings(tmp_path / "gunicorn.conf.py", text, GIVEN="x") == {
        "number": 2, "real": 0.5, "flag": True, "words": ["a", {"1": "/srv"}, {"b": None}], "given": "x", "hook": None,
    }  # fmt: skip


@pytest.mark.ordinary  # root's directory of tests is closed to the stranger who runs its settings
def test_settings_may_import_what_is_beside_them(tmp_path: Path) -> None:
    (tmp_path / "beside.py").write_text("answer = 42\n")
    assert settings(tmp_path / "gunicorn.conf.py", "from beside import answer")["answer"] == 42


def test_the_environment_of_who_imports_is_not_handed_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_SECRET_OF_THE_SHELL", "hush")
    found = settings(tmp_path / "gunicorn.conf.py", "import os\nsecret = os.environ.get('A_SECRET_OF_THE_SHELL')")
    assert found == {"secret": None}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("import os\nos._exit(7)", "its process ended with status 7"),
        ("x = 'a' * (5 * 1024 * 1024)", "more than 4096 KiB"),
        ("x = []\nx.append(x)", "RecursionError"),
    ],
)
def test_settings_that_give_no_answer_say_why(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "gunicorn.conf.py").write_text(text)
    found = ForeignFiles().python_settings(str(tmp_path / "gunicorn.conf.py"), str(tmp_path), {})
    assert isinstance(found, str)
    assert reason in found


@pytest.mark.ordinary
def test_settings_are_run_as_whoever_asks(tmp_path: Path) -> None:
    assert settings(tmp_path / "gunicorn.conf.py", ASKS_WHO)["who"][:2] == [os.getuid(), os.getgid()]  # type: ignore[index]


@pytest.mark.root
def test_root_runs_settings_as_their_owner_and_its_own_as_a_stranger(tmp_path: Path) -> None:
    path = tmp_path / "gunicorn.conf.py"
    stranger = 2**32 - 2
    assert settings(path, ASKS_WHO)["who"] == [stranger, stranger, []]
    os.chown(path, NOBODY, NOBODY)
    assert settings(path, ASKS_WHO)["who"] == [NOBODY, NOBODY, []]
