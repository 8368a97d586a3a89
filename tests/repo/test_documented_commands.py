"""Commands and configurations in the documentation: the program has these options, and finds these files right."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from support.configurations import codes, messages
from support.pages import Block, blocks, documents
from support.tree import ROOT

from wsgigroups.cli.main import cli
from wsgigroups.config import load

SHELLS = {"sh", "bash"}
SESSIONS = {"console", "text", ""}
ENDS_A_COMMAND = {"|", "||", "&&", ";", ">", "<", "}", "&"}


def commands(text: str) -> Iterator[list[str]]:
    """Yield the words of each wsgigroups command in a page: typed, or shown behind a prompt."""
    for block in blocks(text):
        for line in block.body.replace("\\\n", " ").splitlines():
            if block.language in SHELLS:
                yield from in_line(line)
            elif block.language in SESSIONS and re.match(r"[$#] \S*wsgigroups ", line):
                yield from in_line(line[2:])
    for quoted in re.findall(r"`((?:sudo )?wsgigroups [^`\n]+)`", re.sub(r"(?ms)^```.*?^```", "", text)):
        yield from in_line(quoted)


def in_line(line: str) -> Iterator[list[str]]:
    """Yield the words of each wsgigroups command in a line of a shell."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>{}")
    lexer.whitespace_split = True
    words = list(lexer)
    for number, word in enumerate(words):
        before = words[number - 1] if number else ""
        if Path(word).name == "wsgigroups" and (
            not before or before in ENDS_A_COMMAND or before == "sudo" or "=" in before
        ):
            end = next((at for at, later in enumerate(words) if at > number and later in ENDS_A_COMMAND), len(words))
            yield words[number + 1 : end]


def refused(words: list[str]) -> str:
    """Return why the program would not take these words, "" where it would. Values are not looked at."""
    command: click.Command = cli
    context = click.Context(cli, info_name="wsgigroups")
    while True:
        try:
            _values, words, _order = command.make_parser(context).parse_args(list(words))
        except click.UsageError as error:
            return error.format_message()
        if not isinstance(command, click.Group) or not words:
            return ""
        found = command.get_command(context, words[0])
        if found is None:
            return f"there is no command {words[0]}"
        command, words = found, words[1:]
        context = click.Context(command, info_name=command.name, parent=context)


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_program_has_these_commands_and_options() -> None:
    found = []
    for path in documents():
        for words in commands(path.read_text(encoding="utf-8")):
            reason = refused([word for word in words if word not in ("…", "...")])
            if reason:
                found.append(f"{name(path)}: wsgigroups {' '.join(words)}: {reason}")
    assert not found, "\n".join(found)


def test_commands_are_found_and_mistakes_seen() -> None:
    text = (
        "```sh\nX=1 sudo wsgigroups status --check | cat\ntrue && wsgigroups apply a b > c\n```\n`wsgigroups why x`\n"
    )
    assert list(commands(text)) == [["status", "--check"], ["apply", "a", "b"], ["why", "x"]]
    assert refused(["status", "--chekc"])
    assert refused(["stauts"])
    assert not refused(["config", "show", "x.toml"])
    assert refused(["config", "shwo"])
    assert len(list(commands((ROOT / "docs" / "how-to" / "logs.md").read_text(encoding="utf-8")))) == 6


NOT_SHOWN = {"WG0404", "WG0412"}  # a part of a file names groups and sites that the page has elsewhere


def is_configuration(block: Block) -> bool:
    """Tell whether a block is a file of ours, or a part of one."""
    if block.language == "yaml":  # CI and Prometheus have such files, too
        return bool(re.search(r"(?m)^version: 1$", block.body))
    return block.language == "toml" and block.title != "mistake.toml"


CONFIGURATIONS = [
    pytest.param(path, block, id=f"{name(path)}-{number}")
    for path in documents()
    if path.parent.name != "diagnostics"  # which show mistakes
    for number, block in enumerate(blocks(path.read_text(encoding="utf-8")))
    if is_configuration(block)
]


@pytest.mark.parametrize(("page", "block"), CONFIGURATIONS)
def test_a_configuration_is_right(tmp_path: Path, page: Path, block: Block) -> None:
    (tmp_path / "conf.d").mkdir()
    (tmp_path / "conf.d" / "x.toml").write_text('version = 1\n[groups.x]\napp = "x:app"\nlisten = ["127.0.0.1:7999"]\n')
    for other in blocks(page.read_text(encoding="utf-8")):  # which it may include
        if other.title and is_configuration(other):
            (tmp_path / other.title).write_text(other.body)
    whole = bool(re.search(r"(?m)^version *[:=]", block.body))
    path = tmp_path / (block.title or f"this.{block.language}")
    path.write_text(block.body if whole else f"version = 1\n{block.body}")
    loaded = load([path], variables={}, trust=False)
    found = set(codes(loaded))
    assert found <= (set() if whole else NOT_SHOWN), messages(loaded)
