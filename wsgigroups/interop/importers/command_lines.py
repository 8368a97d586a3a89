"""Command lines as people write them in shells, units and Procfiles, and what programs they start. Pure."""

from __future__ import annotations

import posixpath
import re
import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

PROGRAMS = ("gunicorn", "uwsgi", "mod_wsgi-express")  # those that there is an importer for
_ASSIGNMENT = re.compile(r"([A-Za-z_]\w*)=(.*)", re.DOTALL)
_ENDS = {"&&", "||", ";", "|", "&", ">", ">>", "2>&1", "<", "2>", "1>", "&>"}
_PREFIXES = {"exec", "nohup", "time", "command", "sudo", "setsid", "env", "nice", "ionice", "chrt", "tini", "--"}
_RUNNERS = {
    ("poetry", "run"), ("pipenv", "run"), ("uv", "run"), ("pdm", "run"), ("hatch", "run"),
    ("newrelic-admin", "run-program"), ("ddtrace-run",), ("opentelemetry-instrument",),
}  # fmt: skip
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|([A-Za-z_]\w*))")
_PROCFILE_LINE = re.compile(r"([A-Za-z0-9_-]+):\s*(\S.*)")


@dataclass(slots=True)
class StartCommand:
    """One program that is started. words: its arguments; python_home: of a path such as X/bin/gunicorn."""

    program: str
    words: list[str]
    text: str
    name: str = ""  # of the line in a Procfile
    python_home: str = ""
    directory: str = ""  # of a `cd` before it
    variables: dict[str, str] = field(default_factory=dict)
    line: int = 0
    through: str = ""  # what else stands before the program and is left out


@dataclass(slots=True)
class Flags:
    """The options of a command line, in their order, and the other words."""

    options: list[tuple[str, str]] = field(default_factory=list)  # name without dashes → value, "" for a switch
    others: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)


def commands_in(text: str, program: str = "") -> list[StartCommand]:
    """Return the programs that a text starts: lines of a shell, a Procfile or a Dockerfile. program: only this one."""
    found = []
    script = _State("", {}, {})  # where a script goes, and what it sets, is for the lines behind it
    for number, line in _lines(text):
        content = line
        name = ""
        named = _PROCFILE_LINE.fullmatch(line.strip())
        if named and not line.lstrip().startswith(("http", "/")):
            name, content = named[1], named[2]
        docker = re.fullmatch(r"\s*(?:CMD|ENTRYPOINT)\s+(.*)", content)
        if docker:
            content = docker[1]
            listed = re.findall(r'"((?:[^"\\]|\\.)*)"', content) if content.lstrip().startswith("[") else []
            content = shlex.join(listed) if listed else content
        state = _State("", {}, {}) if name else script
        for command in _commands(content, state):
            if program in ("", command.program):
                command.name, command.line = name, number
                found.append(command)
    return found


def commands_of(line: str) -> list[StartCommand]:
    """The known programs that one line starts; `sh -c "…"` is looked into."""
    return _commands(line, _State("", {}, {}))


@dataclass(slots=True)
class _State:
    directory: str
    exported: dict[str, str]
    known: dict[str, str]  # all variables of the shell, to be filled in


def _commands(line: str, state: _State) -> list[StartCommand]:
    words = [_filled(word, state.known) for word in _split(line)]
    if len(words) >= 3 and posixpath.basename(words[0]) in ("sh", "bash", "dash") and words[1] in ("-c", "-lc", "-ec"):
        return _commands(words[2], state)
    found = []
    for part in _parts(words):
        if part and part[0] == "cd" and len(part) > 1:
            state.directory = posixpath.join(state.directory, part[1])
            continue
        if part and part[0] == "export":
            named = {word: state.known[word] for word in part[1:] if word in state.known}
            state.exported.update({**named, **_assignments(part[1:])})
            state.known.update(_assignments(part[1:]))
            continue
        command = _command(part, line)
        if command is not None:
            command.directory = state.directory
            command.variables = {**state.exported, **command.variables}
            found.append(command)
        elif part and all(_ASSIGNMENT.fullmatch(word) for word in part):
            state.known.update(_assignments(part))
    return found


def _filled(word: str, known: Mapping[str, str]) -> str:
    """A word with the variables in it that are known; values that are computed stay what they are."""
    return _VARIABLE.sub(lambda found: known.get(found[1] or found[2], found[0]), word) if known else word


def flags(words: Sequence[str], short: Mapping[str, str], switches: Iterable[str], pairs: Iterable[str] = ()) -> Flags:
    """Read options as getopt and argparse do. short: letter → long name; switches take no value, pairs two."""
    found, alone, two = Flags(), set(switches), set(pairs)
    left = list(words)
    while left:
        word = left.pop(0)
        if word == "--":
            found.others += left
            break
        if word.startswith("--"):
            name, equals, value = word[2:].partition("=")
            if name in two:
                value = " ".join([*([value] if equals else []), *left[: 2 - bool(equals)]])
                del left[: 2 - bool(equals)]
            elif not equals and name not in alone:
                value = left.pop(0) if left else ""
            found.options.append((name, value))
        elif word.startswith("-") and len(word) > 1 and not re.fullmatch(r"-\d+", word):
            _letters(word[1:], short, alone, left, found)
        else:
            found.others.append(word)
    return found


def _letters(letters: str, short: Mapping[str, str], alone: set[str], left: list[str], found: Flags) -> None:
    while letters:
        letter, letters = letters[0], letters[1:]
        name = short.get(letter)
        if name is None:
            found.unknown.append(f"-{letter}{letters}")
            return
        if name in alone:
            found.options.append((name, ""))
            continue
        value = letters.removeprefix("=") if letters else (left.pop(0) if left else "")
        found.options.append((name, value))
        return


def _lines(text: str) -> Iterable[tuple[int, str]]:
    begun, first = "", 0
    for number, line in enumerate(text.splitlines(), 1):
        content = begun + line
        first = first if begun else number
        if content.rstrip().endswith("\\"):
            begun = content.rstrip()[:-1] + " "
            continue
        begun = ""
        if content.strip() and not content.lstrip().startswith("#"):
            yield first, content
    if begun.strip():
        yield first, begun


def _split(line: str) -> list[str]:
    lexer = shlex.shlex(line, posix=True, punctuation_chars=False)
    lexer.whitespace_split = True
    lexer.commenters = ""
    try:
        words = list(lexer)
    except ValueError:  # a quotation mark that is never closed
        words = line.split()
    spread: list[str] = []
    for word in words:
        if word not in (";", "&") and word.endswith(";") and not word.endswith("\\;"):
            spread += [word[:-1], ";"]
        else:
            spread.append(word)
    return spread


def _parts(words: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for word in words:
        if word in _ENDS:
            parts.append([])
        else:
            parts[-1].append(word)
    return parts


def _assignments(words: Iterable[str]) -> dict[str, str]:
    return {found[1]: found[2] for word in words if (found := _ASSIGNMENT.fullmatch(word))}


def _command(words: list[str], text: str) -> StartCommand | None:
    variables: dict[str, str] = {}
    through: list[str] = []
    left = list(words)
    while left:
        base = posixpath.basename(left[0])
        if base in PROGRAMS or base in ("gunicorn3", "uwsgi3", "uwsgi-core"):
            program = "gunicorn" if base == "gunicorn3" else "uwsgi" if base.startswith("uwsgi") else base
            return StartCommand(program, left[1:], text, "", _home(left[0]), "", variables, 0, " ".join(through))
        if (
            re.fullmatch(r"python[\d.]*", base)
            and left[1:2] == ["-m"]
            and left[2:3]
            and left[2] in ("gunicorn", "gunicorn.app.wsgiapp")
        ):
            return StartCommand("gunicorn", left[3:], text, "", _home(left[0]), "", variables, 0, " ".join(through))
        assignment = _ASSIGNMENT.fullmatch(left[0])
        runner = next((item for item in _RUNNERS if (base, *left[1 : len(item)]) == item), None)
        if assignment:
            variables[assignment[1]] = assignment[2]
            left.pop(0)
        elif runner:
            through.append(" ".join(runner))
            del left[: len(runner)]
        elif base in _PREFIXES or (through and left[0].startswith("-")):
            if base not in ("exec", "env", "command", "--"):
                through.append(left[0])
            left.pop(0)
        else:
            return None
    return None


def _home(program: str) -> str:
    """The environment whose bin/ the program is in; "" where its path does not say, or it is the system's."""
    directory = posixpath.dirname(program)
    if posixpath.basename(directory) != "bin":
        return ""
    home = posixpath.dirname(directory)
    return "" if home in ("/usr", "/usr/local", "/", "") else home
