"""Files that are no configuration: each refused with its own code, fast and in little memory."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.configurations import codes, messages
from support.refused_files import BROKEN, HOSTILE, write_refused

from wsgigroups.config import load
from wsgigroups.config.capacity import MAXIMUM_SHOWN
from wsgigroups.config.reading import MAXIMUM_FILE_BYTES


@pytest.mark.parametrize(("name", "code", "content", "place"), BROKEN, ids=[item[0] for item in BROKEN])
def test_each_is_refused_at_its_place(
    tmp_path: Path, name: str, code: str, content: Callable[[], str | bytes], place: str
) -> None:
    data = content()
    path = tmp_path / name
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    loaded = load([path])
    assert loaded.configuration is None
    assert codes(loaded) == [code], messages(loaded)
    found = loaded.diagnostics[0]
    assert found.file == str(path)
    if place:
        assert found.span
        assert f"{found.span.line}:{found.span.column}" == place


def test_both_places_of_a_duplicate_are_named(tmp_path: Path) -> None:
    for name in ("a.toml", "a.yaml"):
        text = "[groups.a]\nthreads = 1\nthreads = 2\n" if name == "a.toml" else "groups:\n  a: {t: 1,\n   t: 2}\n"
        (tmp_path / name).write_text(text)
        found = next(item for item in load([tmp_path / name]).diagnostics if item.code == "WG0108")
        assert found.related[0].message == "first set here"
        assert found.related[0].span
        assert found.related[0].span.line == 2


def test_places_that_are_no_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "directory.toml").mkdir()
    (tmp_path / "loop.toml").symlink_to("loop.toml")
    (tmp_path / "gone.toml").symlink_to("nothing")
    expected = {
        "fifo.toml": "WG0102",
        "directory.toml": "WG0117",
        "loop.toml": "WG0101",
        "gone.toml": "WG0101",
        "missing.toml": "WG0101",
        "missing": "WG0101",
    }
    for name, code in expected.items():
        assert codes(load([tmp_path / name])) == [code], name
    assert codes(load([Path("/dev/null")])) == ["WG0102"]
    assert codes(load([])) == ["WG0101"]
    assert codes(load([Path("a\0b.toml")])) == ["WG0101"]


def test_a_file_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "groups.toml"
    path.write_text("version = 1")

    def refused(*_arguments: object) -> int:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("wsgigroups.config.reading.os.open", refused)
    loaded = load([path])
    assert codes(loaded) == ["WG0101"]
    assert "permission denied" in loaded.diagnostics[0].message


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A writer that truncates and writes on must never give half of both."""
    path = tmp_path / "groups.toml"
    path.write_text('version = 1\n[groups.a]\napp = "a:a"\nlisten = ["127.0.0.1:1"]\n')
    read = os.read
    written = []

    def interrupted(fd: int, size: int) -> bytes:
        data = read(fd, size)
        if data and not written:
            written.append(path.write_text("version = 1\n"))
        return data

    monkeypatch.setattr("wsgigroups.config.reading.os.read", interrupted)
    loaded = load([path])
    assert codes(loaded) == ["WG0120"]
    assert loaded.configuration is None


def test_a_change_that_leaves_size_and_times_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "groups.toml"
    path.write_text("version = 1\n# a\n")
    found = os.stat(path)
    read = os.read
    written = []

    def interrupted(fd: int, size: int) -> bytes:
        data = read(fd, size)
        if data and not written:
            written.append(path.write_text("version = 1\n# b\n"))
            os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
        return data

    monkeypatch.setattr("wsgigroups.config.reading.os.read", interrupted)
    monkeypatch.setattr("wsgigroups.config.reading._state", lambda found: found.st_size)
    assert codes(load([path])) == ["WG0120"]


def test_apply_never_takes_half_a_file(tmp_path: Path) -> None:
    """A writer that truncates and writes in pieces, all the time: a whole version, or a refusal."""
    whole = [
        f"version = 1\n# {i}\n"
        + "".join(f'[groups.g{n}]\napp = "a:v{i}"\nlisten = ["127.0.0.1:{n + 1}"]\n' for n in range(9))
        for i in range(2)
    ]
    path = tmp_path / "groups.toml"
    path.write_text(whole[0])
    program = (
        "import sys\npath, *whole = sys.argv[1:]\nprint('writing', flush=True)\n"
        "while True:\n"
        "    for text in whole:\n"
        "        with open(path, 'w') as file:\n"
        "            for start in range(0, len(text), len(text) // 3 + 1):\n"
        "                file.write(text[start : start + len(text) // 3 + 1])\n"
        "                file.flush()\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(path), *whole], stdout=subprocess.PIPE) as writer:
        assert writer.stdout
        writer.stdout.readline()
        try:
            for _ in range(8):
                loaded = load([path], settle=True)
                if loaded.configuration is not None:
                    apps = {group.app for group in loaded.configuration.groups.values()}
                    assert (len(loaded.configuration.groups), len(apps)) == (9, 1)
                else:
                    assert codes(loaded)
        finally:
            writer.kill()
    path.write_text(whole[1])
    assert load([path], settle=True).configuration, "one that was just written is waited for"


def test_a_file_is_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "groups.toml"
    path.write_text('version = 1\n[groups.a]\napp = "a:a"\nlisten = ["127.0.0.1:1"]\nthreadz = 1\n')
    opened = []
    real = os.open

    def counting(name: str, flags: int, *arguments: int, **more: Any) -> int:
        if not flags & os.O_PATH:  # that only looks at who may change it
            opened.append(str(name))
        return real(name, flags, *arguments, **more)

    monkeypatch.setattr("wsgigroups.config.reading.os.open", counting)
    load([path])
    assert opened == [str(path)]


def test_the_largest_file_that_is_read(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text("version = 1\n" + "#" * (MAXIMUM_FILE_BYTES - 12))
    assert codes(load([path])) == []
    path.write_text("version = 1\n" + "#" * (MAXIMUM_FILE_BYTES - 11))
    assert codes(load([path])) == ["WG0103"]


@pytest.mark.root
def test_root_refuses_files_that_others_could_change(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text("version = 1\n")
    assert codes(load([path])) == []
    for change in (lambda: os.chown(path, 12345, -1), lambda: os.chmod(path, 0o666), lambda: os.chmod(tmp_path, 0o777)):
        os.chown(path, 0, -1)
        os.chmod(path, 0o644)
        change()
        loaded = load([path])
        assert (codes(loaded), loaded.configuration) == (["WG0114"], None)
        loaded = load([path], trust=False)
        assert codes(loaded) == ["WG0114"]
        assert loaded.configuration, "a check only warns"


@pytest.mark.root
def test_root_believes_who_called_sudo(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "groups.toml"
    path.write_text("version = 1\n")
    os.chown(path, 12345, -1)
    monkeypatch.setenv("SUDO_UID", "12345")
    assert codes(load([path])) == []
    monkeypatch.setenv("SUDO_UID", "12346")
    assert codes(load([path])) == ["WG0114"]


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_keeps_the_reader_busy(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_refused(path)
    loaded = load([path], variables={})
    assert loaded.configuration is None
    assert loaded.errors
    assert HOSTILE[name][0] in codes(loaded)
    assert len(loaded.diagnostics) <= MAXIMUM_SHOWN + 1, "there is an end to what people have to read"


@pytest.mark.measured
@pytest.mark.parametrize("name", [*(item[0] for item in BROKEN), *HOSTILE, "fifo.toml"])
def test_the_worst_take_little_time_and_memory(tmp_path: Path, name: str) -> None:
    """Measured on the whole command: at most a second of processor time and 50 MiB.

    Again where it took longer: what else runs on the machine, or beside it, takes its part of the caches, and so of
    the time. The same work takes twice as long at some moments; how much longer is measured as well.
    """
    path = tmp_path / name
    write_refused(path)
    for _attempt in range(5):
        cpu_s, peak_kib = _measured(path)
        if cpu_s < 1.0:
            break
        cpu_s /= max(1.0, _slowness())
    assert cpu_s < 1.0
    assert peak_kib < 50 * 1024


def _slowness() -> float:
    """How much longer than on a calm machine of today this one takes now to make a long string."""
    program = (
        "import time\n"
        "def work():\n"
        "    text, began_s = '', time.process_time()\n"
        "    for number in range(900_000):\n"
        "        text += chr(97 + number % 26)\n"
        "    return time.process_time() - began_s\n"
        "print(work())\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60)
    return float(done.stdout) / 0.06


def _measured(path: Path) -> tuple[float, int]:
    """Processor seconds and peak KiB of `validate`."""
    program = (
        "import re, resource, sys\n"
        "from wsgigroups.cli.main import cli\n"
        "status = cli.main(['validate', '--offline', sys.argv[1]], standalone_mode=False)\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        # ru_maxrss would count what the process was before exec
        "peak = re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1]\n"
        "print('used', status, used.ru_utime + used.ru_stime, peak)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(path)], capture_output=True, text=True, check=True, timeout=60
    )
    status, cpu_s, rss_kib = done.stdout.rpartition("used ")[2].split()
    assert status == "2"
    return float(cpu_s), int(rss_kib)


def _many(count: int, line: str = "threadz = 1\n") -> str:
    head = "version = 1\n[groups.a]\napp = 'a:a'\nlisten = ['127.0.0.1:1']\n"
    return head + "".join(line.replace("=", f"{i} =", 1).replace(" ", "", 1) for i in range(count))


def test_of_many_mistakes_the_first_are_shown_and_the_rest_is_counted(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(_many(MAXIMUM_SHOWN))
    assert codes(load([path])) == ["WG0201"] * MAXIMUM_SHOWN
    path.write_text(_many(MAXIMUM_SHOWN + 23))
    loaded = load([path])
    assert codes(loaded) == ["WG0201"] * MAXIMUM_SHOWN + ["WG0121"]
    last = loaded.diagnostics[-1]
    assert (last.message, last.severity.value) == ("and at least 23 more", "error")
    assert last.span == loaded.diagnostics[-2].span, "it points into the file"


def test_errors_are_shown_before_warnings(tmp_path: Path) -> None:
    """An error at the end of the file must not be hidden by what comes before it."""
    path = tmp_path / "groups.toml"
    groups = "".join(f"[groups.g{i}]\napp = 'a:a'\nlisten = ['127.0.0.1:{i + 1}']\nthreads = 65\n" for i in range(150))
    path.write_text("version = 1\n" + groups)
    loaded = load([path])
    assert loaded.configuration, "many warnings are no error"
    assert (loaded.diagnostics[-1].message, loaded.diagnostics[-1].severity.value) == ("and 50 more", "warning")
    assert load([path], strict=True).configuration is None
    path.write_text("version = 1\n" + groups + "user = 'root'\n")
    loaded = load([path])
    assert loaded.configuration is None
    assert [item.code for item in loaded.diagnostics if item.severity.value == "error"] == ["WG0309"]
    assert loaded.diagnostics[-1].message == "and 51 more"


def test_a_file_with_many_mistakes_does_not_hide_those_of_others(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(
        "version = 1\n" + "".join(f"[groups.g{i}]\nthreads = 0\n" for i in range(MAXIMUM_SHOWN + 50))
    )
    (tmp_path / "b.toml").write_text("[groups.late]\napp = 'a:a'\nlisten = ['127.0.0.1:1']\nthreads = 0\n")
    loaded = load([tmp_path])
    found = Counter(Path(str(item.file)).name for item in loaded.diagnostics)
    assert found == {"a.toml": MAXIMUM_SHOWN + 1, "b.toml": 1}
    assert loaded.diagnostics[MAXIMUM_SHOWN].message == "and there may be more: the rest of the file was not looked at"
    assert codes(loaded)[-1] == "WG0302"
    assert "WG0401" not in codes(loaded), "what refers to groups that were left out is not judged"


def test_what_only_strict_shows_takes_no_place(tmp_path: Path) -> None:
    path = tmp_path / "groups.toml"
    path.write_text(
        "version = 1\n"
        "[groups.last]\napp = 'a:a'\nlisten = ['127.0.0.1:1']\nthreadz = 1\n"
        + "".join(f"[groups.g{i}]\nrequest_timeout = 1\nqueue_timeout = 1\n" for i in range(MAXIMUM_SHOWN - 10))
    )
    assert "WG0201" in codes(load([path]))
    assert load([path], strict=True).diagnostics[-1].code == "WG0121"


def test_comments_and_texts_are_no_values(tmp_path: Path) -> None:
    """What looks like thousands of values in a comment or in a text is none."""
    path = tmp_path / "groups.toml"
    texts = "\n".join(
        (
            "# " + "a = [1, 2], " * 20_000,
            'x = """' + "a = [1, 2], \n" * 20_000 + '"""',
            "[groups.a]",
            "app = 'a:a'",
            "listen = ['127.0.0.1:1']",
            "environment.A = '" + "a=1," * 20_000 + "'",
            'environment.B = "' + 'a=\\",' * 20_000 + '"',
        )
    )
    path.write_text("version = 1\n" + texts)
    assert codes(load([path])) == ["WG0201"]


def test_no_descriptor_is_left_open(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo.toml")
    (tmp_path / "a.toml").write_text("version = 1")
    before = len(os.listdir("/proc/self/fd"))
    for name in ("fifo.toml", "a.toml", "missing.toml"):
        load([tmp_path / name])
    assert len(os.listdir("/proc/self/fd")) == before
    assert resource.getrlimit(resource.RLIMIT_NOFILE)
