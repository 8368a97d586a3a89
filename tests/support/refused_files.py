"""Files that are no configuration, and what is said of them: name, code, content, line:column ("" where there is none).

Data for tests of the reader and of whole commands.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

MIB = 1024 * 1024
_TOML = 'app = "a:b"\nlisten = ["127.0.0.1:1"]\n'
_YAML = "version: 1\ngroups:\n  a:\n    app: a:b\n    listen: ['127.0.0.1:1']\n"


def _bomb() -> str:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{i}: &a{i} [{','.join([f'*a{i - 1}'] * 10)}]" for i in range(1, 30)]
    return "\n".join(lines)


BROKEN: list[tuple[str, str, Callable[[], str | bytes], str]] = [
    ("syntax.toml", "WG0106", lambda: "version = 1\n[groups.blog\n", "2:13"),
    ("value.toml", "WG0106", lambda: "version = 1\nx = joe\n", "2:5"),
    ("number.toml", "WG0106", lambda: "a = " + "9" * 5000, "1:1"),
    ("quotes.toml", "WG0106", lambda: '"' * MIB, "1:3"),
    ("duplicate.toml", "WG0108", lambda: f"version = 1\n[groups.a]\n{_TOML}threads = 1\nthreads = 2\n", "6:1"),
    (
        "table.toml",
        "WG0108",
        lambda: 'version = 1\n[groups.a]\napp = "a:b"\nlisten = ["127.0.0.1:1"]\n[groups.a]\n',
        "5:9",
    ),
    ("inline.toml", "WG0108", lambda: "x = { a = 1, a = 2 }", "1:14"),
    ("dotted.toml", "WG0109", lambda: ".".join(["a"] * 10000) + " = 1", "1:1"),
    ("brackets.toml", "WG0109", lambda: "a = " + "[" * 10000 + "]" * 10000, "1:5"),
    ("spread.toml", "WG0109", lambda: "a = " + "[1," * 10000 + "]" * 10000, "1:101"),
    ("depth.toml", "WG0109", lambda: "[" + ".".join("abcdefghijklmnopqrstuvwxyzabcdefg") + "]\nx = [1]\n", ""),
    ("values.toml", "WG0103", lambda: "\n".join(f"k{i}.a.b = 1" for i in range(70000)), "1:1"),
    ("empty.toml", "WG0112", lambda: "", "1:1"),
    ("bom.toml", "WG0105", lambda: b"\xef\xbb\xbfversion = 1", "1:1"),
    ("utf16.toml", "WG0105", lambda: "version = 1".encode("utf-16"), "1:1"),
    ("latin1.toml", "WG0104", lambda: b"version = 1\n# caf\xe9\n", "2:6"),
    ("binary.toml", "WG0104", lambda: b"\x7fELF\x80\x81", "1:5"),
    ("large.toml", "WG0103", lambda: "#" * 10 * MIB, ""),
    ("syntax.yaml", "WG0107", lambda: "a: [1\nb: 2\n", ""),
    ("tab.yaml", "WG0107", lambda: "version: 1\ngroups:\n\tblog:\n", "3:1"),
    ("toml.yaml", "WG0204", lambda: 'version = 1\n[groups.blog]\napp = "a:b"\nlisten = ["x"]\n', ""),
    ("control.yaml", "WG0107", lambda: "a: \x07\n", "1:4"),
    ("duplicate.yaml", "WG0108", lambda: f"{_YAML}    threads: 1\n    threads: 2\n", "7:5"),
    ("brackets.yaml", "WG0109", lambda: "a: " + "[" * 10000 + "]" * 10000, "1:36"),
    ("indent.yaml", "WG0109", lambda: "\n".join(" " * i + "a:" for i in range(1000)), ""),
    ("bomb.yaml", "WG0110", _bomb, "5:10"),
    ("loop.yaml", "WG0110", lambda: "a: &a [*a]\n", "1:8"),
    ("alias.yaml", "WG0107", lambda: "a: *b\n", "1:4"),
    ("tag.yaml", "WG0111", lambda: "a: !!python/object/apply:os.system [id]\n", "1:4"),
    ("scalar-tag.yaml", "WG0111", lambda: "a: !secret x\n", "1:4"),
    ("documents.yaml", "WG0111", lambda: "a: 1\n---\nb: 2\n", "2:1"),
    ("key.yaml", "WG0111", lambda: "? [a, b]\n: 1\n", "1:3"),
    ("empty.yaml", "WG0112", lambda: "# nothing\n", "1:1"),
    ("list.yaml", "WG0204", lambda: "- 1\n- 2\n", "1:1"),
    ("text.yaml", "WG0204", lambda: "hello\n", "1:1"),
    ("large.yaml", "WG0103", lambda: "#" * 10 * MIB, ""),
    ("name.conf", "WG0113", lambda: "version = 1", ""),
    ("name", "WG0113", lambda: "version = 1", ""),
]


def _lines(head: str, line: str, count: int) -> Callable[[], str]:
    """A text of many lines, each with its number in place of {0}."""
    return lambda: head + "".join(line.format(i) for i in range(count))


# files below every bound of size that once took seconds: name → what leads it, text, what is said last
HOSTILE: dict[str, tuple[str, Callable[[], str]]] = {
    "duplicate-keys.yaml": ("WG0108", _lines("version: 1\n", "a: 1\n", 50_000)),
    "anchors.yaml": ("WG0110", _lines("version: 1\nx:\n", "- &a{0} 1\n", 50_000)),
    "variables.yaml": (
        "WG0110",
        _lines("groups:\n  a:\n    app: a:b\n    environment:\n", "      V{0}: &a{0} x\n", 40_000),
    ),
    "merges.yaml": ("WG0103", _lines("groups:\n  a: &a\n    app: a:b\n", "  g{0}:\n    <<: *a\n", 20_000)),
    "keys.yaml": ("WG0103", _lines("version: 1\n", "k{0}: 1\n", 58_000)),
    "keys-at-the-limit.yaml": ("WG0121", _lines("version: 1\n", "k{0}: 1\n", 17_900)),
    "wrong-groups.yaml": ("WG0121", _lines("version: 1\ngroups:\n", "  g{0}:\n    threads: x\n", 5_900)),
    "long-text.yaml": ("WG0103", lambda: "x: '" + "a '' " * 400_000 + "'\n"),
    "long-words.yaml": ("WG0103", lambda: "x: " + "a\n " * 600_000 + "\n"),
    "flow.yaml": ("WG0103", lambda: "x: [" + "a," * 1_000_000 + "]\n"),
    "unknown-keys.toml": ("WG0103", _lines("version = 1\n[groups.a]\n", "k{0} = 1\n", 40_000)),
    "unknown-keys-at-the-limit.toml": ("WG0121", _lines("version = 1\n[groups.a]\n", "k{0} = 1\n", 17_900)),
    "wrong-groups.toml": ("WG0103", _lines("version = 1\n", "[groups.g{0}]\nthreads = 'x'\n", 20_000)),
    "wrong-groups-at-the-limit.toml": ("WG0121", _lines("version = 1\n", "[groups.g{0}]\nthreads = 'x'\n", 5_900)),
    "wrong-profiles.toml": ("WG0121", _lines("version = 1\n", "[profiles.p{0}.groups.b]\nthreads = 0\n", 1_990)),
    "wrong-variables.toml": ("WG0302", _lines("version = 1\n[defaults.environment]\n", "k{0} = 1\n", 17_900)),
    "wrong-list.toml": ("WG0302", lambda: "version = 1\n[defaults]\nlisten = [" + "'x'," * 17_900 + "]\n"),
    "headers.toml": ("WG0103", _lines("version = 1\n", "[g{0}]\n", 150_000)),
    "strings.toml": ("WG0103", lambda: "x = [" + "'x'," * 400_000 + "]\n"),
    "line-ends.toml": ("WG0201", lambda: "x = '''" + "\n" * 1_900_000 + "'''\nversion = 1\n"),
    "escapes.toml": ("WG0201", lambda: 'x = "' + "\\n" * 900_000 + '"\nversion = 1\n'),
    "interpolated.toml": ("WG0302", lambda: "version = 1\n[defaults]\nhome = '/" + "${A}" * 450_000 + "'\n"),
    "includes.toml": ("WG0119", lambda: "version = 1\ninclude = [" + "'gone.toml'," * 17_000 + "]\n"),
}


def write_refused(path: Path) -> None:
    """Write the file of this name."""
    if path.name == "fifo.toml":
        os.mkfifo(path)
        return
    known = {item[0]: item[2] for item in BROKEN} | {name: text for name, (_code, text) in HOSTILE.items()}
    content = known[path.name]()
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


# a group in lines 1 to 5, and what is wrong with it in the lines that follow or in place of its address:
# name → code, lines, line:column, words that the message has
_GROUP = 'version = 1\n[groups.a]\napp = "hello_app:application"\npython-path = ["{apps}"]\nlisten = ["{listen}"]\n'
WRONG: dict[str, tuple[str, str, str, str]] = {
    "unknown-key": ("WG0201", "threadz = 1", "6:1", 'did you mean "threads"'),
    "unknown-table": ("WG0201", "[grups.b]\napp = 'a:b'", "6:2", 'did you mean "groups"'),
    "unknown-nested-key": ("WG0201", "[groups.a.rollout]\nmax-sruge = 1", "7:1", 'did you mean "max-surge"'),
    "wrong-type": ("WG0301", 'threads = "many"', "6:11", "whole number"),
    "wrong-boolean": ("WG0301", 'script-reloading = "perhaps"', "6:20", "true or false"),
    "table-for-a-value": ("WG0301", "threads = { a = 1 }", "6:11", "table"),
    "too-small": ("WG0302", "processes = -1", "6:13", "-1"),
    "too-large": ("WG0302", "threads = 100000000", "6:11", "100000000"),
    "duration": ("WG0303", 'shutdown-timeout = "5 parsecs"', "6:20", "parsecs"),
    "size": ("WG0304", 'memory-limit = "much"', "6:16", "much"),
    "umask-as-a-number": ("WG0310", "umask = 23", "6:9", "umask"),
    "choice": ("WG0305", 'load = "eagerly"', "6:8", "eager"),
    "root": ("WG0309", 'user = "root"', "6:8", "root"),
    "uid-0": ("WG0309", 'user = "#0"', "6:8", "root"),
    "gid-0": ("WG0309", 'group = "#0"', "6:9", "root"),
    "unknown-user": ("WG0601", 'user = "nosuchuserx"', "6:8", "nosuchuserx"),
    "unknown-group": ("WG0602", 'group = "nosuchgroupx"', "6:9", "nosuchgroupx"),
    "unknown-socket-user": ("WG0601", 'socket-user = "nosuchuserx"', "6:15", "nosuchuserx"),
    "missing-home": ("WG0613", 'home = "/nowhere/at/all"', "6:8", "/nowhere/at/all"),
    "missing-python-home": ("WG0604", 'python-home = "/nowhere/at/all"', "6:15", "/nowhere/at/all"),
    "missing-environment-file": ("WG0618", 'environment-files = ["/nowhere/at/all"]', "6:22", "/nowhere/at/all"),
    "home-that-is-a-file": ("WG0613", 'home = "/etc/passwd"', "6:8", "/etc/passwd"),
    "script-and-app": ("WG0402", 'script = "/nowhere/at/all.wsgi"', "6:10", "not both"),
    "two-groups-on-one-address": (
        "WG0409",
        '[groups.b]\napp = "a:b"\nlisten = ["{listen}"]',
        "8:11",
        "listened on twice",
    ),
    "no-application": ("WG0401", "[groups.b]\nthreads = 2", "6:9", "app"),
    "a-name-that-is-none": ("WG0206", '[groups."a/b"]\napp = "a:b"', "6:9", "a/b"),
    "variable-that-is-not-set": ("WG0316", 'home = "${NOT_SET_ANYWHERE_AT_ALL}"', "6:8", "NOT_SET_ANYWHERE_AT_ALL"),
    "version-of-the-future": ("WG0203", "", "1:11", "99"),
    "long-socket-path": ("WG0315", "", "5:11", "107"),
    "two-groups-on-one-socket": (
        "WG0409",
        '[groups.b]\napp = "a:b"\nlisten = ["{listen}"]',
        "8:11",
        "listened on twice",
    ),
    "missing-python-path": ("WG0612", "", "4:16", "/nowhere/at/all"),
    "missing-socket-directory": ("WG0613", "", "5:11", "/nowhere/at/all"),
    "address-without-a-port": ("WG0306", "", "5:11", "127.0.0.1"),
}
_INSTEAD = {
    "version-of-the-future": ("version = 1\n", "version = 99\n"),
    "long-socket-path": ("{listen}", "unix:/tmp/" + "x" * 104),
    "two-groups-on-one-socket": ("{listen}", "unix:/tmp/wsgigroups-a.sock"),
    "missing-python-path": ("{apps}", "/nowhere/at/all"),
    "missing-socket-directory": ("{listen}", "unix:/nowhere/at/all/a.sock"),
    "address-without-a-port": ("{listen}", "127.0.0.1"),
}


def wrong(name: str, apps: Path, listen: str) -> str:
    """The text of one of WRONG, in TOML."""
    old, new = _INSTEAD.get(name, ("", ""))
    text = _GROUP + WRONG[name][1] + "\n"
    text = text.replace(old, new) if old else text
    return text.replace("{apps}", str(apps)).replace("{listen}", listen)


def wrong_yaml(name: str, apps: Path, listen: str) -> tuple[str, str]:
    """The same in YAML, and the line:column there; for those that are one more option of the group."""
    key, _equal, value = WRONG[name][1].partition(" = ")
    line, column = map(int, WRONG[name][2].split(":"))
    assert line == 6
    text = (
        "version: 1\ngroups:\n  a:\n    app: hello_app:application\n"
        f"    python-path: [{apps}]\n    listen: ['{listen}']\n    {key}: {value.replace(' = ', ': ')}\n"
    )
    return text, f"7:{column + 4 if column == 1 else column + 3}"
