"""No exception ever reaches the user: odd names, descriptors, directories and locales, in every format.

Each case is a whole command in a process of its own, because what goes wrong here is what a process was given.
"""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from wsgigroups.config.reports import FORMATS

GOOD = 'version = 1\n[groups.a]\napp = "a:a"\nlisten = ["127.0.0.1:1"]\n'
FILES: dict[bytes, bytes] = {
    b"good.toml": GOOD.encode(),
    b"wrong.toml": GOOD.encode() + b"threadz = 1\n",
    b"bytes\xff.toml": GOOD.encode() + b"threadz = 1\n",
    b"surrogates.yaml": b'version: 1\n"\\ud800": 1\ngroups: {a: {app: "a:b", environment: {A: "\\udcff"}}}\n',
    b"nul.toml": b'version = 1\ninclude = ["a\\u0000b/*.toml", "\\u0000", "[\\u0000"]\n',
    b"name.toml": b'version = 1\ninclude = ["' + b"x" * 5000 + b'", "' + b"y" * 5000 + b'/*.toml"]\n',
    b"variable.toml": GOOD.encode() + b'home = "${ODD}"\nenvironment = { A = "${ODD}" }\nuser = "${ODD}"\n',
    b"included.toml": b'version = 1\ninclude = ["good.toml", "gone.toml", "*.none"]\n',
}
WSGIGROUPS = f"{shlex.quote(sys.executable)} -m wsgigroups"
VALIDATE = f"{WSGIGROUPS} validate --offline"

# name → a shell command in a directory with FILES ("FORMAT" is replaced), its exit code, words on standard error or out
CASES: dict[str, tuple[str, int, str]] = {
    "stdin closed": (f"{VALIDATE} FORMAT - <&-", 2, "WG0101"),
    "stdin for writing only": (f"{VALIDATE} FORMAT - 0> written", 2, "WG0101"),
    "stdin not text": (rf"printf '\377' | {VALIDATE} FORMAT -", 2, "WG0104"),
    "stdout full": (f"{VALIDATE} FORMAT wrong.toml > /dev/full", 1, "error: cannot"),
    "stdout full, no findings": (f"{VALIDATE} -o json good.toml > /dev/full", 1, "error: cannot"),
    "stdout closed": (f"{VALIDATE} FORMAT wrong.toml >&-", 1, "error: cannot"),
    "stdout a closed pipe": (f"{{ {VALIDATE} FORMAT wrong.toml; echo $? >&2; }} | true", 0, ""),
    "stderr closed": (f"{VALIDATE} FORMAT wrong.toml 2>&-", 2, "WG0201"),
    "stderr full": (f"{VALIDATE} FORMAT wrong.toml 2> /dev/full", 2, "WG0201"),
    "everything closed": (f"{VALIDATE} FORMAT wrong.toml <&- >&- 2>&-", 1, ""),
    "a name that is not UTF-8": (rf"""{VALIDATE} FORMAT "$(printf 'bytes\377.toml')" """, 2, "WG0201"),
    "a missing name that is not UTF-8": (rf"""{VALIDATE} FORMAT "$(printf 'gone\377.toml')" """, 2, "WG0101"),
    "a directory with such a name": (f"{VALIDATE} FORMAT .", 2, "WG0118"),
    "a name with control characters": (rf"""{VALIDATE} FORMAT "$(printf 'a\033\n\tb.toml')" """, 2, "WG0101"),
    "a name that is too long": (f"{VALIDATE} FORMAT {'n' * 5000}", 2, "WG0101"),
    "a long path": (f"{VALIDATE} FORMAT {'n/' * 4000}x.toml", 2, "WG0101"),
    "an empty name": (f"{VALIDATE} FORMAT ''", 2, "WG01"),
    "half characters in YAML": (f"{VALIDATE} FORMAT surrogates.yaml", 2, "WG0107"),
    "NUL in an include": (f"{VALIDATE} FORMAT nul.toml", 2, "WG0101"),
    "long includes": (f"{VALIDATE} FORMAT name.toml", 2, "WG0101"),
    "includes": (f"{VALIDATE} FORMAT included.toml", 2, "gone.toml"),
    "a variable that is not UTF-8": (rf"ODD=$(printf '/x\377') {VALIDATE} FORMAT variable.toml", 2, "WG0308"),
    "a locale without such characters": (f"PYTHONIOENCODING=ascii {VALIDATE} FORMAT wrong.toml", 2, "WG0201"),
    "a host without this locale": (f"LC_ALL=xx_XX.nothing {VALIDATE} FORMAT wrong.toml", 2, "WG0201"),
}
GONE = "mkdir gone && cd gone && rmdir ../gone && "
CASES |= {
    "no working directory, relative": (f"{GONE}{VALIDATE} FORMAT wrong.toml", 2, "working directory"),
    "no working directory, absolute": (f'{GONE}{VALIDATE} FORMAT "$HERE/wrong.toml"', 2, "WG0201"),
    "no working directory, includes": (f'{GONE}{VALIDATE} FORMAT "$HERE/included.toml"', 2, "gone.toml"),
    "no working directory, a host": (f'{GONE}{WSGIGROUPS} validate FORMAT "$HERE/wrong.toml"', 2, "WG0201"),
    "no working directory, stdin": (f'{GONE}{VALIDATE} FORMAT - < "$HERE/wrong.toml"', 2, "working directory"),
}
# other commands, once each
COMMANDS: dict[str, tuple[str, int, str]] = {
    "explain": (f"{WSGIGROUPS} explain threads > /dev/full", 1, "error: cannot"),
    "explain, json": (f"{WSGIGROUPS} explain -o json > /dev/full", 1, "error: cannot"),
    "explain, a locale": (f"PYTHONIOENCODING=ascii {WSGIGROUPS} explain request-timeout", 0, "average"),
    "schema": (f"{WSGIGROUPS} schema >&-", 1, "error: cannot"),
    "help": (f"{WSGIGROUPS} --help > /dev/full", 1, "error: cannot"),
    "version": (f"{WSGIGROUPS} --version > /dev/full", 1, "error: cannot"),
    "show": (f"{WSGIGROUPS} config show good.toml > /dev/full", 1, "error: cannot"),
    "show, closed": (f"{WSGIGROUPS} config show good.toml >&-", 1, "error: cannot"),
    "show, stdin": (f"{WSGIGROUPS} config show - <&-", 2, "WG0101"),
    "show, a variable": (rf"ODD=$(printf '/x\377') {WSGIGROUPS} config show variable.toml", 2, "WG0308"),
    "plan": (f"{GONE}{WSGIGROUPS} --run-dir run plan x.toml", 1, "working directory"),
    "completion": (f"{WSGIGROUPS} completion bash > /dev/full", 1, "error: cannot"),
    "init": (f"{GONE}{WSGIGROUPS} init", 1, "error: cannot"),
    "init, odd": (rf"""{WSGIGROUPS} init "$(printf 'x\377')" """, 1, "error: cannot"),
    "serve": (f"{GONE}{WSGIGROUPS} serve", 1, "error: cannot"),
    "serve, odd": (rf"""mkdir "$(printf 'x\377')" && {WSGIGROUPS} serve "$(printf 'x\377')" """, 1, "error: cannot"),
    "serve, odd name": (
        rf"""mkdir "$(printf 'y\377')" && cd "$(printf 'y\377')" && {WSGIGROUPS} serve a:b --write -""",
        2,
        "not UTF-8",
    ),
    "facts": (f"{WSGIGROUPS} facts -o json > /dev/full", 1, "error: cannot"),
    "no home": (f"env -u HOME -u XDG_STATE_HOME setpriv --reuid 61009 --clear-groups {WSGIGROUPS} schema", 0, "{"),
}


@pytest.fixture
def here(tmp_path: Path) -> Path:
    """A directory with FILES, and with an empty one for nothing."""
    for name, content in FILES.items():
        (tmp_path / os.fsdecode(name)).write_bytes(content)
    return tmp_path


def run(command: str, here: Path) -> subprocess.CompletedProcess[bytes]:
    environ = {"PATH": os.environ["PATH"], "HERE": str(here), "HOME": str(here), "PYTHONPATH": str(Path.cwd())}
    return subprocess.run(["bash", "-c", command], cwd=here, capture_output=True, check=False, env=environ, timeout=60)


def check(done: subprocess.CompletedProcess[bytes], status: int, words: str) -> None:
    said = (done.stdout + done.stderr).decode("utf-8")  # always UTF-8, whatever the name or locale was
    assert "Traceback" not in said, said
    assert "internal" not in said, said
    assert done.returncode == status, said
    assert words in said, said


@pytest.mark.parametrize("output", FORMATS)
@pytest.mark.parametrize("name", CASES)
def test_validate(here: Path, name: str, output: str) -> None:
    command, status, words = CASES[name]
    done = run(command.replace("FORMAT", f"-o {output}", 1), here)
    check(done, status, words)
    if done.stdout and output in ("json", "gitlab", "sarif"):
        json.loads(done.stdout)
        assert b"\\ud" not in done.stdout, "half a character is no JSON that others read"
    if done.stdout and output == "junit":
        ET.fromstring(done.stdout)


@pytest.mark.parametrize("name", COMMANDS)
def test_other_commands(here: Path, name: str) -> None:
    if "setpriv" in COMMANDS[name][0] and os.geteuid() != 0:
        return  # only root can become a user without an entry
    check(run(COMMANDS[name][0], here), *COMMANDS[name][1:])


@pytest.mark.parametrize(
    "words",
    [["schema"], ["--help"], ["explain", "threads"], ["explain", "--help"], ["validate", "--offline", "wrong.toml"]],
)
def test_who_has_read_enough_ends_any_command_in_one_way(here: Path, words: list[str]) -> None:
    """As `head -1` does: nothing is said, and the status is the one of SIGPIPE."""
    readable, writable = os.pipe()
    os.close(readable)
    with open(writable, "wb") as nobody:
        done = subprocess.run(
            [sys.executable, "-m", "wsgigroups", *words], cwd=here, stdout=nobody, stderr=subprocess.PIPE, check=False
        )
    assert (done.returncode, done.stderr) == (141, b"")


def test_what_nobody_thought_of_is_one_sentence_too(here: Path) -> None:
    """The last resort: the kind of the error and its text; the traceback only with -v."""
    program = (
        "import sys\nfrom wsgigroups.cli import main\nfrom wsgigroups.config import loader\n"
        "def broken(*_arguments, **_options):\n    raise KeyError('surprise')\n"
        "loader.load = broken\nmain.main()\n"
    )
    for options, traceback in (([], False), (["-v"], True)):
        command = [sys.executable, "-c", program, *options, "validate", "--offline", "good.toml"]
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stdout == ""
        assert "error: internal: KeyError: 'surprise'\n" in done.stderr
        assert ("Traceback" in done.stderr) is traceback
        assert ("-v" in done.stderr) is not traceback, "the hint says how to see more"
