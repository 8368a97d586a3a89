"""What keeps root from an interpreter: whatever it executes or reads before it executes anything of ours."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from wsgigroups.trust.elf import LoadedNames, NotElfError, read_loading
from wsgigroups.trust.interpreters import doubt_about_interpreter
from wsgigroups.trust.judging import Trusted

US = Trusted(frozenset({0, os.geteuid()}), frozenset({0, os.getegid()}))
LIBRARY = "lib/python3.99"


def program(needed: tuple[str, ...] = (), search: str = "", interpreter: str = "", bits: int = 64) -> bytes:
    """An ELF file (elf(5)) that says this to the dynamic loader and has nothing else."""
    word = "Q" if bits == 64 else "I"
    strings, places = b"\0", {}
    for text in (*needed, search):
        places[text] = len(strings)
        strings += text.encode() + b"\0"
    header, entry = (64, 56) if bits == 64 else (52, 32)
    start = header + 3 * entry
    entries = [(1, places[name]) for name in needed] + ([(29, places[search])] if search else [])
    dynamic = b"".join(struct.pack(f"<2{word}", *pair) for pair in [*entries, (5, 0), (0, 0)])
    at_strings = start + len(dynamic)
    dynamic = dynamic.replace(struct.pack(f"<2{word}", 5, 0), struct.pack(f"<2{word}", 5, at_strings))
    at_interpreter = at_strings + len(strings)
    total = at_interpreter + len(interpreter) + 1
    segments = [(1, 0, total), (2, start, len(dynamic)), (3, at_interpreter, len(interpreter) + 1)]
    if not interpreter:
        segments[2] = (4, 0, 0)
    table = b""
    for kind, offset, length in segments:
        if bits == 64:
            table += struct.pack("<2I6Q", kind, 4, offset, offset, offset, length, length, 8)
        else:
            table += struct.pack("<8I", kind, offset, offset, offset, length, length, 4, 4)
    identity = b"\x7fELF" + bytes([2 if bits == 64 else 1, 1, 1]) + bytes(9)
    rest = struct.pack(f"<HHI3{word}IHHHHHH", 2, 62, 1, 0, header, 0, 0, header, entry, 3, 0, 0, 0)
    return identity + rest + table + dynamic + strings + interpreter.encode() + b"\0"


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """An installation that is ours alone."""
    (tmp_path / "bin").mkdir()
    (tmp_path / LIBRARY / "lib-dynload").mkdir(parents=True)
    (tmp_path / LIBRARY / "json").mkdir()
    for name in ("os.py", "dataclasses.py", "json/decoder.py"):
        (tmp_path / LIBRARY / name).touch()
    (tmp_path / LIBRARY / "lib-dynload" / "_ssl.so").write_bytes(program())
    (tmp_path / "bin" / "python3.99").write_bytes(program(("libpython3.99.so",), "$ORIGIN/../lib", "/lib64/ld.so"))
    (tmp_path / "lib" / "libpython3.99.so").write_bytes(program())
    (tmp_path / "bin" / "python3").symlink_to("python3.99")
    for path in [tmp_path, *tmp_path.rglob("*")]:
        if not path.is_symlink():
            path.chmod(0o755)
    return tmp_path


def why(prefix: Path) -> str:
    return str(doubt_about_interpreter(prefix / "bin" / "python3", US) or "")


def test_one_that_is_ours_alone_is_fine(prefix: Path) -> None:
    assert why(prefix) == ""


@pytest.mark.parametrize(
    "path",
    [
        "bin/python3.99",
        "bin",
        "lib",
        "lib/libpython3.99.so",
        LIBRARY,
        f"{LIBRARY}/os.py",
        f"{LIBRARY}/dataclasses.py",
        f"{LIBRARY}/json",
        f"{LIBRARY}/json/decoder.py",
        f"{LIBRARY}/lib-dynload",
        f"{LIBRARY}/lib-dynload/_ssl.so",
    ],
)
def test_whatever_others_can_write_speaks_against_it(prefix: Path, path: str) -> None:
    (prefix / path).chmod(0o757)
    assert f"another user could change {prefix / path}: everybody can write it" in why(prefix)


@pytest.mark.parametrize("name", ["site-packages", "dist-packages", "test"])
def test_what_root_does_not_import_speaks_against_nothing(prefix: Path, name: str) -> None:
    (prefix / LIBRARY / name).mkdir()
    (prefix / LIBRARY / name).chmod(0o777)
    assert why(prefix) == ""


def test_a_link_out_of_the_library_is_followed(prefix: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "evil.py").touch()
    (elsewhere / "evil.py").chmod(0o666)
    (prefix / LIBRARY / "linked").symlink_to(elsewhere)
    assert f"{elsewhere / 'evil.py'}: everybody can write it" in why(prefix)


@pytest.mark.parametrize("name", ["bin/pyvenv.cfg", "pyvenv.cfg", "bin/python3.99._pth", "bin/pybuilddir.txt"])
def test_a_file_that_sends_it_elsewhere_speaks_against_it(prefix: Path, name: str) -> None:
    (prefix / name).touch()
    assert "it sends the interpreter elsewhere" in why(prefix)


@pytest.mark.parametrize("landmark", ["os.py", "lib-dynload/_ssl.so"])
def test_a_library_that_is_not_where_it_looks_is_not_known(prefix: Path, landmark: str) -> None:
    (prefix / LIBRARY / landmark).unlink()
    if "/" in landmark:
        (prefix / LIBRARY / "lib-dynload").rmdir()
    assert "there is no lib/python3.99/" in why(prefix)


def test_a_name_without_a_version_tells_no_library(prefix: Path) -> None:
    (prefix / "bin" / "python3").unlink()
    (prefix / "bin" / "python3.99").rename(prefix / "bin" / "python3")
    assert "does not tell its version" in why(prefix)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"#!/bin/sh\n", "it is no ELF file"),
        (program()[:100], "it is cut short"),
        (program(search="lib"), "it loads libraries from 'lib'"),
        (program(search=""), ""),
        (program(search="$LIB/x"), "it loads libraries from '$LIB/x'"),
        (program(needed=("./evil.so",)), "it loads a library by its path"),
    ],
)
def test_what_the_loader_would_follow_counts(prefix: Path, data: bytes, said: str) -> None:
    (prefix / "bin" / "python3.99").write_bytes(data)
    assert said in why(prefix)
    assert bool(why(prefix)) == bool(said)


@pytest.mark.parametrize("search", ["{}/open", "${{ORIGIN}}/../open:/usr/lib"])
def test_a_directory_of_libraries_that_others_can_write(prefix: Path, search: str) -> None:
    (prefix / "open").mkdir()
    (prefix / "open").chmod(0o777)
    (prefix / "bin" / "python3.99").write_bytes(program(("x.so",), search.format(prefix)))
    assert f"another user could change {prefix / 'open'}" in why(prefix)


@pytest.mark.parametrize("bits", [32, 64])
def test_names_are_read_from_both_classes(tmp_path: Path, bits: int) -> None:
    file = tmp_path / "program"
    file.write_bytes(program(("a.so", "b.so"), "/one:/two", "/lib/ld.so", bits))
    assert read_loading(str(file)) == LoadedNames("/lib/ld.so", ("a.so", "b.so"), ("/one", "/two"))


def test_this_interpreter_is_read_as_readelf_reads_it() -> None:
    seen = read_loading(os.path.realpath(sys.executable))
    assert seen.interpreter.startswith("/lib")
    assert any(name.startswith("libc.so") for name in seen.needed)


def test_what_is_cut_anywhere_is_an_error_of_its_own(tmp_path: Path) -> None:
    data = program(("a.so",), "/one", "/lib/ld.so")
    for length in range(0, len(data), 7):
        file = tmp_path / "program"
        file.write_bytes(data[:length])
        try:
            read_loading(str(file))
        except NotElfError:
            continue


def test_the_reader_runs_nothing(prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_arguments: object, **_more: object) -> None:
        raise AssertionError("executed")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    monkeypatch.setattr(os, "execve", refuse)
    assert why(prefix) == ""
